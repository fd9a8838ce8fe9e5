package driver_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
)

func (w *world) loginWithMounts(name string, mounts ...auth.Mount) *session {
	w.t.Helper()
	return w.login(name, func(d *driver.Deps, u *auth.User) {
		s3Parts(d, u)
		u.Mounts = mounts
	})
}

// plantIn stores an object in any bucket.
func (w *world) plantIn(bucket, key, data string) {
	w.t.Helper()
	_, err := w.service.Bucket(bucket).Put(w.t.Context(), key, strings.NewReader(data), int64(len(data)), store.PutOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
}

// isIn checks what an object of any bucket holds; "" means that there is none.
func (w *world) isIn(bucket, key, want string) {
	w.t.Helper()
	got := ""
	if body, _, err := w.service.Bucket(bucket).Open(w.t.Context(), key, 0, -1, ""); err == nil {
		data, _ := io.ReadAll(body) // from memory
		got = string(data)
	}
	if got != want {
		w.t.Errorf("%s in %s holds %s, want %s", key, bucket, short(got), short(want))
	}
}

func TestMounts(t *testing.T) {
	w := newWorld(t)
	s := w.loginWithMounts("alice",
		auth.Mount{Path: "/deep/er/m", Bucket: "second", Prefix: "place/"},
		auth.Mount{Path: "/ro", Bucket: "second", Prefix: "place/", ReadOnly: true},
		auth.Mount{Path: "/shared", Bucket: "third"})
	w.plantIn("second", "place/f", "second")
	w.plantIn("third", "dir/g", "third")
	w.plant("alice/own", "own")
	w.plant("alice/shared/covered", "x")

	s.isDir("/", "deep/", "own", "ro/", "shared/")
	s.isDir("/deep", "er/")
	s.isDir("/deep/er", "m/")
	s.isDir("/deep/er/m", "f")
	s.isDir("/shared", "dir/")
	s.must(s.cwd("/deep/er/m"))
	s.holds("f", "second")
	s.put("new", "x")
	w.isIn("second", "place/new", "x")
	s.holds("/ro/new", "x")
	s.must(s.mkd("sub"))
	s.must(s.mfmt("f", someTime()))
	if got, err := s.mdtm("/ro/f"); err != nil || !got.Equal(someTime()) {
		t.Errorf("the other way it is of %v (%v)", got, err)
	}
	s.must(s.rename("f", "/own2"))
	w.isIn("second", "place/f", "")
	s.holds("/own2", "second")
	if got, err := s.mdtm("/own2"); err != nil || !got.Equal(someTime()) {
		t.Errorf("moved, it is of %v (%v)", got, err)
	}
	s.must(s.rename("/shared/dir", "moved"))
	w.isIn("second", "place/moved/g", "third")
	w.isIn("third", "dir/g", "")
	s.isDir("/shared")
	s.must(s.dele("moved/g"))
	s.must(s.rmd("moved"))
	s.isDir("/deep/er/m", "new", "sub/")

	for _, p := range []string{"/shared", "/deep", "/deep/er/m"} {
		s.mustFail(550, s.rmd(p))
		s.mustFail(550, s.mkd(p))
		s.mustFail(550, s.dele(p))
		s.mustFail(553, s.rename(p, "/elsewhere"))
		s.mustFail(553, s.rename("/own", p))
		s.mustFail(553, s.stor(p, "x"))
		s.mustFail(553, s.appe(p, "x"))
	}
	for name, err := range map[string]error{
		"STOR": s.stor("/ro/x", "x"), "STOR over": s.stor("/ro/new", "x"), "APPE": s.appe("/ro/new", "x"), "DELE": s.dele("/ro/new"),
		"MKD": s.mkd("/ro/x"), "RMD": s.rmd("/ro/sub"), "RNFR": s.rnfr("/ro/new"), "RNTO": s.rename("/own", "/ro/own"),
		"MFMT": s.mfmt("/ro/new", someTime()),
	} {
		if err == nil || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("%s in a read-only mount: %v", name, err)
		}
	}
	w.isIn("second", "place/new", "x")
}

// An upload into a mount is journaled under its real name, so that another session that
// reaches it in another way goes on with it, and the janitor can throw it away.
func TestResumeAcrossMounts(t *testing.T) {
	w := newWorld(t)
	first := w.loginWithMounts("alice", auth.Mount{Path: "/m", Bucket: "second", Prefix: "place/"})
	second := w.loginWithMounts("alice", auth.Mount{Path: "/other", Bucket: "second"})
	w.plantIn("second", "place/", "")
	first.breakOff("/m/f", 2)
	records, err := w.db.Of(t.Context(), "second", "alice")
	first.must(err)
	if len(records) != 1 || records[0].Key != "place/f" {
		t.Fatalf("journaled as %+v", records)
	}
	first.isDir("/m", "f")
	second.isDir("/other/place", "f")
	size, err := second.size("/other/place/f")
	second.must(err)
	data := content(3 * store.MinPartSize)
	second.must(second.rest(size).stor("/other/place/f", data[size:]))
	w.isIn("second", "place/f", data)
	first.holds("/m/f", data)
	first.must(first.appe("/m/f", "more"))
	w.isIn("second", "place/f", data+"more")
	first.must(first.rest(store.MinPartSize).stor("/m/f", "cut"))
	w.isIn("second", "place/f", data[:store.MinPartSize]+"cut")
	first.breakOff("/m/f", 1)
	first.must(first.dele("/m/f"))
	if records, err := w.db.Of(t.Context(), "", "alice"); err != nil || len(records) > 0 {
		t.Errorf("left in the journal: %v, %v", records, err)
	}
}

// What sessions of a node tell each other counts, however a directory is reached.
func TestDirectoryMadeThroughMount(t *testing.T) {
	w := newWorld(t)
	alice := w.loginWithMounts("alice", auth.Mount{Path: "/m", Bucket: bucket, Prefix: "bob/"})
	bob := w.login("bob", nil)
	bob.put("a", "x") // now the names around are known
	alice.must(alice.mkd("/m/b"))
	bob.mustFail(553, bob.stor("b", "x"))
}

// A mount whose bucket is missing keeps nothing else from working.
func TestMountOfMissingBucket(t *testing.T) {
	w := newWorld(t)
	s := w.loginWithMounts("alice", auth.Mount{Path: "/gone", Bucket: "missing"}, auth.Mount{Path: "/m", Bucket: "second"})
	s.isDir("/", "gone/", "m/")
	s.put("/m/f", "x")
	s.mustFail(550, s.cwd("/gone"))
	_, err := s.list("LIST", "/gone")
	s.mustFail(550, err)
	_, err = s.retr("/gone/f")
	s.mustFail(550, err)
	if err := s.stor("/gone/f", "x"); err == nil || !strings.Contains(err.Error(), "not available") {
		t.Errorf("STOR: %v", err)
	}
}

// An account without mounts pays nothing; one with a thousand pays no more than with one.
func TestRequestsWithMounts(t *testing.T) {
	w := newWorld(t)
	w.plant("alice/dir/f", "x")
	var mounts []auth.Mount
	for i := range auth.MaxMounts {
		mounts = append(mounts, auth.Mount{Path: fmt.Sprintf("/mounts/%04d", i), Bucket: "second", Prefix: fmt.Sprintf("%d/", i)})
	}
	s := w.loginWithMounts("alice", mounts...)
	s.requests.take()
	entries, err := s.list("LIST", "/mounts")
	s.must(err)
	if len(entries) != auth.MaxMounts {
		t.Errorf("%d entries", len(entries))
	}
	s.must(s.cwd("/dir"))
	s.holds("f", "x")
	s.put("g", "x")
	if seen := s.requests.take(); len(seen) != 5 {
		t.Errorf("requests: %v", seen)
	}
}
