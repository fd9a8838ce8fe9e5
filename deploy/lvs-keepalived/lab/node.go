package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// node is a machine that runs spdserver, configured by the files that lvs render wrote.
type node struct {
	lab     *lab
	number  int
	process *process
}

func newNode(l *lab, number int) *node { return &node{lab: l, number: number} }

func (n *node) name() string   { return fmt.Sprintf("n%d", n.number) }
func (n *node) ip() string     { return fmt.Sprintf("10.77.0.%d", nodeHost+n.number) }
func (n *node) files() string  { return filepath.Join(n.lab.rendered(), n.name()) }
func (n *node) config() string { return filepath.Join(n.files(), "etc/spd/spd.yaml") }
func (n *node) admin() string  { return fmt.Sprintf("http://%s:8021", n.ip()) }

const (
	nodeHost  = 20 // plus the node's number
	nodeLimit = 30 * time.Second
)

const spdYAML = `ftp:
  listen: ":21"
  banner: SPD on %[1]s
  drain_timeout: 90s
  connect_timeout: 5s
tls: {cert: %[2]s, key: %[3]s, implicit_listen: ":990"}
s3: {endpoint: "http://s3.lab:9000", access_key: %[4]s, secret_key: %[5]s, bucket: spd, create_bucket: true}
database: {dsn: "mysql://spd:spd@10.77.0.50:3306/spd"}
transfer: {memory: 128MiB, retry_for: 2m}
`

// configureNodes makes the nodes' machines and their spd.yaml.
func (l *lab) configureNodes() error {
	if err := makeCertificate(); err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	for _, n := range l.nodes {
		if err := l.plugIn(n.name(), nodeHost+n.number); err != nil {
			return err
		}
		yaml := fmt.Sprintf(spdYAML, n.name(), certFile(), keyFile(), s3Key, s3Secret)
		if err := os.WriteFile(n.config(), []byte(yaml), 0o644); err != nil {
			return err
		}
		if _, err := l.command(in(n.name(), filepath.Join(n.files(), "etc/spd-lvs/setup"), "up")...); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) startNodes() error {
	for _, n := range l.nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range l.nodes {
		if _, err := l.await(n.name()+" is ready", nodeLimit, n.ready); err != nil {
			return err
		}
	}
	return nil
}

// start runs spdserver with the environment that systemd would take from node.env.
func (n *node) start() error {
	env, err := os.ReadFile(filepath.Join(n.files(), "etc/spd/node.env"))
	if err != nil {
		return err
	}
	variables := []string{"GOMAXPROCS=2"}
	for line := range strings.Lines(string(env)) {
		if strings.HasPrefix(line, "SPD_") {
			variables = append(variables, strings.TrimSpace(line))
		}
	}
	n.process, err = n.lab.start(n.name(), n.name(), variables, n.lab.spdserver("serve", "--config", n.config())...)
	return err
}

func (n *node) ready() error { return httpOK(n.admin() + "/readyz") }

// sigterm begins a drain.
func (n *node) sigterm() { n.process.signal(syscall.SIGTERM) }

// byName finds a node by what its greeting says.
func (l *lab) byName(name string) (*node, error) {
	for _, n := range l.nodes {
		if n.name() == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node is called %q", name)
}
