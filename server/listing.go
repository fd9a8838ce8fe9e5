package server

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/driver"
)

// listing is LIST, NLST and MLSD: entries are sent as the store lists them.
type listing struct {
	verb    string
	path    string // as the client has written it
	options listOptions
	source  *driver.Listing
	facts   *factsWriter // of MLSD
	now     time.Time
	silence time.Duration
	out     lineWriter
}

// openListing finds out whether there is something to list. It takes one request most of
// the time; the rest is read when the data connection is there. ctx is the transfer's.
func (s *session) openListing(ctx context.Context, c command) (*listing, error) {
	l := &listing{verb: c.verb, path: c.arg, now: time.Now(), silence: s.server.DataTimeout}
	if c.verb != "MLSD" {
		l.options, l.path = parseListArgs(c.arg)
	}
	var err error
	if l.source, err = s.files.OpenListing(ctx, c.verb, l.path); err != nil {
		return nil, err
	}
	if c.verb == "MLSD" {
		l.facts = newFactsWriter(s.selectedFacts(), s.account.Permissions)
		if _, isPattern := l.source.Fixed(); !isPattern && !l.source.IsDir() {
			_ = l.source.Close(nil)
			return nil, &driver.Reply{Code: 501, Text: "MLSD is for directories; use MLST"}
		}
	}
	return l, nil
}

func (l *listing) move(conn net.Conn) error {
	l.out.to = &patientConn{conn, l.silence}
	l.source.Pause = l.out.flush
	err := l.write()
	if err == nil {
		err = l.out.flush()
	}
	return l.source.Close(err)
}

func (l *listing) fail(err error) { _ = l.source.Close(err) } // the session replies

// write writes everything to the buffer, and most of it to the client.
func (l *listing) write() error {
	dir, isPattern := l.source.Fixed()
	if !isPattern && l.source.IsDir() && !l.options.itself {
		dir = l.path
	} else if !isPattern {
		dir = path.Dir(l.path)
	}
	entries := l.source.Entries()
	if l.options.itself && l.source.IsDir() {
		entries = func(yield func(driver.Entry, error) bool) { yield(l.source.Target(), nil) }
	}
	if l.options.recursive && !l.options.itself {
		return l.tree(entries, dir)
	}
	return l.entries(entries, below(dir), nil)
}

// entries writes a directory's entries. see, if not nil, is shown each of them.
func (l *listing) entries(entries iter.Seq2[driver.Entry, error], prefix string, see func(driver.Entry) error) error {
	if l.options.sorts() {
		entries = l.options.sorted(entries)
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		l.line(e, prefix)
		if err := l.out.full(); err != nil {
			return err
		}
		if see == nil {
			continue
		}
		if err := see(e); err != nil {
			return err
		}
	}
	return nil
}

// line writes an entry. prefix is for names that stand alone.
func (l *listing) line(e driver.Entry, prefix string) {
	b := l.out.buf
	switch {
	case l.facts != nil:
		b = l.facts.append(b, e)
		b = append(b, ' ')
		b = append(b, e.Name()...)
	case l.verb == "NLST":
		b = append(b, prefix...)
		b = append(b, e.Name()...)
	case l.options.names:
		b = append(b, e.Name()...)
	default:
		b = appendLong(b, e, l.now)
	}
	l.out.buf = append(b, "\r\n"...)
}

// The most entries that are kept in memory, some hundred bytes each: to be sorted, or
// directories yet to be listed.
const maxKept = 50_000

// Replies behind 150, when it shows that there are too many.
func errTooMany(what string) error {
	return &driver.Reply{Code: 504, Text: "Too many entries " + what, Cause: errors.New("listing needs too much memory")}
}

// tree writes a directory, and then each one below it, before those beside it. LIST names
// each directory in a line before its entries, as ls -R does; NLST names the path of every
// entry.
func (l *listing) tree(entries iter.Seq2[driver.Entry, error], dir string) error {
	type branch struct {
		entry driver.Entry
		path  string
	}
	var ahead []branch // the next one is the last
	for {
		var found []branch
		err := l.entries(entries, below(dir), func(e driver.Entry) error {
			if !e.IsDir() {
				return nil
			}
			if len(ahead)+len(found) == maxKept {
				return errTooMany("to be listed with -R")
			}
			found = append(found, branch{e, below(dir) + e.Name()})
			return nil
		})
		if err != nil {
			return err
		}
		slices.Reverse(found)
		if ahead = append(ahead, found...); len(ahead) == 0 {
			return nil
		}
		next := ahead[len(ahead)-1]
		ahead = ahead[:len(ahead)-1]
		entries, dir = l.source.Below(next.entry), next.path
		if l.verb == "LIST" {
			l.heading(dir)
		}
	}
}

func (l *listing) heading(dir string) {
	b := append(l.out.buf, "\r\n"...)
	if !strings.HasPrefix(dir, "/") {
		b = append(b, "./"...)
	}
	b = append(b, dir...)
	l.out.buf = append(b, ":\r\n"...)
}

// sorted brings entries into the order that the options ask for.
func (o listOptions) sorted(entries iter.Seq2[driver.Entry, error]) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		var all []driver.Entry
		for e, err := range entries {
			if err == nil && len(all) == maxKept {
				err = errTooMany("to be sorted; list them without -t, -S and -r")
			}
			if err != nil {
				yield(e, err)
				return
			}
			all = append(all, e)
		}
		slices.SortStableFunc(all, o.compare) // of equals, the names are sorted
		if o.reverse {
			slices.Reverse(all)
		}
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (o listOptions) compare(a, b driver.Entry) int {
	switch {
	case o.byTime:
		return b.ModTime().Compare(a.ModTime())
	case o.bySize:
		return cmp.Compare(b.Size(), a.Size())
	}
	return 0
}

// patientConn gives the client time for each write, but not for ever.
type patientConn struct {
	net.Conn
	silence time.Duration
}

// Write implements io.Writer.
func (c *patientConn) Write(p []byte) (int, error) {
	if c.silence > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.silence)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}
