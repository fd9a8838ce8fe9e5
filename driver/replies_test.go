package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
	"github.com/spdscheme/spdserver/upload"
)

// replyCodes are the codes that clients get, for STOR and its like where that differs.
func replyCodes() map[error]struct{ code, storing int } {
	same := func(code int) struct{ code, storing int } { return struct{ code, storing int }{code, code} }
	naming := struct{ code, storing int }{550, 553}
	return map[error]struct{ code, storing int }{
		errBadName:               naming,
		store.ErrBadName:         naming,
		errIsDirectory:           naming,
		errNotDirectory:          naming,
		errNotFile:               naming,
		errNotEmpty:              naming,
		errNoParent:              naming,
		errIntoItself:            naming,
		errHome:                  naming,
		errBeyondEnd:             same(554),
		errNoModes:               same(502),
		errNoCommand:             same(500),
		errSyntax:                same(501),
		errShortUpload:           same(426),
		errGone:                  same(426),
		errTransfer:              same(426),
		errReplaced:              same(426),
		errBroken:                same(426),
		errNotThere:              same(554),
		upload.ErrTaken:          same(426),
		upload.ErrLost:           same(451),
		store.ErrPartLost:        same(451),
		mounted.ErrMountPoint:    naming,
		mounted.ErrReadOnly:      same(550),
		mounted.ErrAway:          naming,
		errNameRefused:           same(553),
		errMaxFileSize:           same(552),
		quota.ErrExceeded:        same(552),
		store.ErrTooLarge:        same(552),
		buffer.ErrTooLarge:       same(552),
		store.ErrFull:            same(452),
		store.ErrChanged:         same(450),
		store.ErrUnavailable:     same(451),
		store.ErrNoBucket:        same(451),
		store.ErrDenied:          same(451),
		fs.ErrNotExist:           same(550),
		fs.ErrExist:              naming,
		fs.ErrPermission:         same(550),
		os.ErrDeadlineExceeded:   same(426),
		context.DeadlineExceeded: same(451),
		context.Canceled:         same(426),
		net.ErrClosed:            same(426),
	}
}

// deep is an error as it comes from below: full of what clients must not read.
func deep(err error) error {
	return fmt.Errorf("put object: Put \"http://minio.internal:9000/spd-bucket/alice/file\": %w", err)
}

func TestReplies(t *testing.T) {
	d, codes := &Driver{}, replyCodes()
	for _, row := range translations() {
		want, ok := codes[row.err]
		if !ok {
			t.Errorf("no test of %v", row.err)
			continue
		}
		err := deep(row.err)
		if row.text == "" {
			err = fmt.Errorf("%w: the reason", row.err) // made by this package, for users
		}
		for verb, code := range map[string]int{
			"RETR": want.code, "DELE": want.code, "MKD": want.code, "SITE UTIME": want.code, "": want.code,
			"STOR": want.storing, "STOU": want.storing, "APPE": want.storing, "RNTO": want.storing,
		} {
			told := d.reply(verb, err)
			var reply *Reply
			if !errors.As(told, &reply) || reply.Code != code || !errors.Is(told, row.err) {
				t.Errorf("%s: %v becomes %+v, want %d", verb, row.err, reply, code)
				continue
			}
			checkText(t, reply.Text)
		}
	}
	if n := len(translations()); n != len(codes) {
		t.Errorf("%d rows, %d tests", n, len(codes))
	}
}

// checkText checks that a text is one line for a person who knows nothing of the server.
func checkText(t *testing.T, text string) {
	t.Helper()
	if text == "" || text[0] < 'A' || text[0] > 'Z' {
		t.Errorf("reply text %q is no sentence", text)
	}
	for _, no := range []string{"http", "minio", "spd-bucket", "alice/", "put object", "\r", "\n"} {
		if strings.Contains(text, no) {
			t.Errorf("reply text %q contains %q", text, no)
		}
	}
}

func TestReplyToOtherErrors(t *testing.T) {
	d := &Driver{}
	if err := d.reply("STOR", nil); err != nil {
		t.Errorf("nil becomes %v", err)
	}
	var reply *Reply
	err := d.reply("STOR", deep(errors.New("x509: certificate is not valid")))
	if !errors.As(err, &reply) || reply.Code != 451 {
		t.Errorf("an unknown error becomes %+v", reply)
	}
	checkText(t, reply.Text)
	if again := d.reply("RETR", fmt.Errorf("network error: %w", err)); !errors.Is(again, err) {
		t.Errorf("a reply becomes another: %v", again)
	}
}

// What several rows match gets the more particular reply.
func TestRepliesInOrder(t *testing.T) {
	d := &Driver{}
	for _, c := range []struct {
		err  error
		code int
	}{
		{store.Unavailable(context.DeadlineExceeded), 451},
		{store.Unavailable(context.Canceled), 451},
		{store.Unavailable(os.ErrDeadlineExceeded), 451},
		{fmt.Errorf("%w: %w", errTransfer, net.ErrClosed), 426},
		{fmt.Errorf("%w: %w", errGone, fs.ErrNotExist), 426},
		{errors.Join(context.Canceled, quota.ErrExceeded), 552},
		{errors.Join(fs.ErrNotExist, store.ErrBadName), 550},
	} {
		var reply *Reply
		if err := d.reply("RETR", c.err); !errors.As(err, &reply) || reply.Code != c.code {
			t.Errorf("%v becomes %+v, want %d", c.err, reply, c.code)
		}
	}
}
