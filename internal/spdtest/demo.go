package spdtest

import (
	"regexp"
	"testing"
)

// Demo is `spdserver demo` as a process.
type Demo struct {
	node
	Dir string // --dir
}

// NewDemo prepares a demo that keeps its files in dir.
func NewDemo(t testing.TB, dir string) *Demo { return &Demo{node: node{t: t}, Dir: dir} }

// Start starts the demo on free ports, with more flags of it, and returns when clients
// can connect.
func (d *Demo) Start(flags ...string) {
	d.t.Helper()
	d.Launch(append([]string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, flags...)...)
	d.AwaitLog("Ctrl-C stops it")
}

// Launch starts the demo with these flags and --dir, and does not wait.
func (d *Demo) Launch(flags ...string) {
	d.t.Helper()
	d.start(append([]string{"demo", "--dir", d.Dir}, flags...)...)
}

// URL is what the demo says to connect to: "ftp://host:port".
func (d *Demo) URL() string {
	d.t.Helper()
	return d.said(`(?m)^ *URL +(ftp://\S+)/$`)
}

// Admin is where the demo says its status page is: "http://host:port".
func (d *Demo) Admin() string {
	d.t.Helper()
	return d.said(`(?m)^ *Status +(http://\S+)/$`)
}

func (d *Demo) said(pattern string) string {
	d.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(d.Log())
	if found == nil {
		d.t.Fatalf("the demo says no %s:\n%s", pattern, d.Log())
	}
	return found[1]
}
