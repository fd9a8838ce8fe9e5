package driver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

// Requests to the store are what operations cost. This is their price in a directory that
// the session has visited.
func TestRequests(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.put("dir/old", "x")
	for i := range store.PageSize {
		s.plant(fmt.Sprintf("alice/large/%04d", i), "")
	}
	s.plant("alice/large/", "")
	second := func(_ any, err error) error { return err }
	s = s.login("alice", nil)
	for _, c := range []struct {
		name string
		want int
		do   func() error
	}{
		{"CWD", 1, func() error { return s.cwd("/dir") }},
		{"CWD again", 1, func() error { return s.cwd("/dir") }},
		{"CWD home", 0, func() error { return s.cwd("/") }},
		{"STOR", 2, func() error { return s.stor("/dir/new", "x") }},
		{"STOR over", 1, func() error { return s.stor("/dir/new", "xy") }},
		{"STOR in home", 2, func() error { return s.stor("/new", "x") }},
		{"RNFR, RNTO of an upload", 3, func() error { return s.rename("/dir/new", "/dir/newer") }},
		{"RETR", 1, func() error { return second(s.retr("/dir/newer")) }},
		{"RETR with offset", 1, func() error { return second(s.rest(1).retr("/dir/newer")) }},
		{"RNFR, RNTO of a download", 3, func() error { return s.rename("/dir/newer", "/dir/newest") }},
		{"SIZE", 1, func() error { return second(s.size("/dir/newest")) }},
		{"MDTM", 1, func() error { return second(s.mdtm("/dir/newest")) }},
		{"MFMT", 1, func() error { return s.mfmt("/dir/newest", someTime()) }},
		{"MLST", 1, func() error { return second(s.stat("MLST", "/dir/newest")) }},
		{"APPE", 3, func() error { return s.appe("/dir/newest", "z") }},
		{"DELE", 2, func() error { return s.dele("/new") }},
		{"DELE in directory", 2, func() error { return s.dele("/dir/newest") }},
		{"MKD", 2, func() error { return s.mkd("/dir/sub") }},
		{"STOR in new directory", 2, func() error { return s.stor("/dir/sub/f", "x") }},
		{"DELE in new directory", 2, func() error { return s.dele("/dir/sub/f") }},
		{"RMD", 2, func() error { return s.rmd("/dir/sub") }},
		{"LIST", 1, func() error { return second(s.list("LIST", "/dir")) }},
		{"RNFR, RNTO of a listed file", 3, func() error { return s.rename("/dir/old", "/dir/older") }},
		{"LIST of 1,001", 2, func() error { return second(s.list("MLSD", "/large")) }},
		{"RNFR, RNTO out of it", 3, func() error { return s.rename("/large/0999", "/f") }},
		{"STOR large", 6, func() error { return s.stor("/f", content(3*partSize)) }},
	} {
		s.requests.take()
		s.must(c.do())
		if seen := s.requests.take(); len(seen) != c.want {
			t.Errorf("%s: %d requests %v, want %d", c.name, len(seen), seen, c.want)
		}
	}
}

// What has been found out about a directory is not asked for each file.
func TestRequestsOfManyUploads(t *testing.T) {
	s := newSession(t)
	s.must(s.mkd("dir"))
	s.must(s.cwd("dir"))
	s.requests.take()
	for i := range 50 {
		s.put(fmt.Sprint(i), "x")
	}
	if seen := s.requests.take(); len(seen) != 1+50 {
		t.Errorf("%d requests: %v", len(seen), seen)
	}
}

// What a session relies on for a while must not let a file and a directory have one name.
func TestDirectoryMadeMeanwhile(t *testing.T) {
	s := newSession(t)
	other := s.login("alice", nil)
	for i := range 3 {
		s.put(fmt.Sprintf("file%d", i), "x") // now the names around are known
		name := fmt.Sprintf("file%d-dir", i)
		other.must(other.mkd(name))
		s.mustFail(553, s.stor(name, "x"))
		other.must(other.rmd(name))
		s.must(s.stor(name, "x"))
	}
	s.must(s.mkd("own"))
	s.mustFail(553, s.stor("own", "x"))
	s.must(s.rename("own", "renamed"))
	s.mustFail(553, s.stor("renamed", "x"))
	s.must(s.stor("own", "x"))
}

// What another session of the node removes is not there for this one either: what it stored
// would make the directory again, and perhaps beside a file of that name.
func TestDirectoryRemovedMeanwhile(t *testing.T) {
	s := newSession(t)
	other := s.login("alice", nil)
	for name, remove := range map[string]func(string) error{
		"removed": other.rmd,
		"renamed": func(p string) error { return other.rename(p, p+"-now") },
		"a file now": func(p string) error {
			return errors.Join(other.rmd(p), other.stor(p, "x"))
		},
	} {
		s.must(s.mkd(name))
		s.must(s.mkd(name + "/below"))
		s.must(s.cwd(name + "/below"))
		s.must(s.cwd("/"))
		s.must(s.rmd(name + "/below"))
		s.must(remove(name))
		s.mustFail(553, s.stor(name+"/file", "x"))
		s.mustFail(550, s.mkd(name+"/dir"))
		s.mustFail(553, s.stor(name+"/below/file", "x"))
	}
	for i := range 1100 { // more than are remembered one by one
		s.must(s.mkd(fmt.Sprint(i)))
	}
	for i := range 1100 {
		s.must(other.rmd(fmt.Sprint(i)))
	}
	s.mustFail(553, s.stor("0/file", "x"))
	s.mustFail(553, s.stor("1099/file", "x"))
}

// Nor is what may have been removed, as the store's answer was lost.
func TestDirectoryPerhapsRemovedMeanwhile(t *testing.T) {
	s := newSession(t)
	other := s.login("alice", nil)
	s.must(s.mkd("dir"))
	s.faults.After = func(_ context.Context, c storetest.Call, err error) error {
		if c.Op == "Delete" {
			return store.Unavailable(errors.New("connection reset"))
		}
		return err
	}
	s.mustFail(451, other.rmd("dir"))
	s.faults.After = nil
	for _, each := range []*session{s, other} {
		s.mustFail(553, each.stor("dir/file", "x"))
	}
}

// Names in a directory of many, in any order, near and far.
func TestDirectoriesAmongMany(t *testing.T) {
	s := newSession(t)
	for i := range 300 {
		s.plant(fmt.Sprintf("alice/many/%d", i), "")
		s.plant(fmt.Sprintf("alice/many/d%d/x", i), "")
	}
	for _, i := range []int{0, 1, 2, 3, 10, 11, 299, 150, 7, 70, 171, 99} {
		s.mustFail(553, s.stor(fmt.Sprintf("many/d%d", i), "x"))
		s.must(s.stor(fmt.Sprintf("many/%d", i), "y"))
		s.must(s.stor(fmt.Sprintf("many/new%d", i), "y"))
		s.must(s.stor(fmt.Sprintf("many/d%d!", i), "y"))
		s.must(s.stor(fmt.Sprintf("many/d%d.", i), "y"))
	}
}
