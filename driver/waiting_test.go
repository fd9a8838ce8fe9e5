package driver_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

// A client waits for its reply in silence: commands give up early when the store is away.
// Transfers, and what must not be left half done, do not.
func TestWhoWaitsForTheStore(t *testing.T) {
	s := newSession(t)
	s.put("file", "0123456789")
	s.must(s.mkd("dir"))
	s.must(s.mkd("dir/sub"))
	var mu sync.Mutex
	longest := map[string]time.Duration{}
	s.faults.Before = func(ctx context.Context, c storetest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		longest[c.Op] = max(longest[c.Op], store.Patience(ctx, time.Hour))
		return nil
	}
	for _, c := range []struct {
		name    string
		do      func() error
		patient []string // calls that wait as long as those of transfers
	}{
		{"SIZE", func() error { _, err := s.stat("SIZE", "file"); return err }, nil},
		{"CWD", func() error { _, err := s.stat("CWD", "dir"); return err }, nil},
		{"MKD", func() error { return s.mkd("new") }, nil},
		{"RMD", func() error { return s.rmd("new") }, nil},
		{"MFMT", func() error { return s.driver.SetTime("/file", time.Now()) }, nil},
		{"HASH", func() error { _, err := s.hash("file", driver.MD5, 0, 10); return err }, nil},
		{"RNTO", func() error { return s.rename("file", "other") }, []string{"Copy", "Delete"}},
		{"RNTO of a directory", func() error { return s.rename("dir", "moved") }, []string{"Copy", "Delete", "List"}},
		{"DELE", func() error { return s.dele("other") }, nil},
		{"STOR", func() error { return s.stor("file", "x") }, []string{"Stat", "List", "Put"}},
		{"RETR", func() error { _, err := s.retr("file"); return err }, []string{"Stat", "List", "Open"}},
	} {
		clear(longest)
		s.must(c.do())
		if len(longest) == 0 {
			t.Errorf("%s asks nothing", c.name)
		}
		for op, wait := range longest {
			if patient := slices.Contains(c.patient, op); patient != (wait == time.Hour) || !patient && wait > 10*time.Second {
				t.Errorf("%s: %s waits %v", c.name, op, wait)
			}
		}
	}
}
