package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
	"github.com/spdscheme/spdserver/upload"
)

// What can be wrong with a path or a command, beside the errors of package store.
var (
	errIsDirectory  = errors.New("is a directory")
	errNotDirectory = errors.New("not a directory")
	errNotEmpty     = errors.New("directory is not empty")
	errNoParent     = errors.New("directory does not exist")
	errIntoItself   = errors.New("directory cannot be moved into itself")
	errHome         = errors.New("home directory cannot be changed")
	errBeyondEnd    = errors.New("restart point is beyond the end of the file")
	errNotThere     = errors.New("the upload cannot be resumed there")
	errNoModes      = errors.New("objects have no modes or owners")
	errNoCommand    = errors.New("unknown SITE command")
	errSyntax       = errors.New("wrong parameters")
	errShortUpload  = errors.New("fewer bytes than ALLO announced")
	errGone         = errors.New("client has gone")
	errReplaced     = errors.New("file replaced in mid-download")
	errBroken       = errors.New("download broke off")
	errTransfer     = errors.New("data connection failed")
)

// Reply is an error as the client sees it: an FTP reply (RFC 959, 4.2). It never names a
// bucket, host or key, and holds the untranslated error for logs.
type Reply struct {
	Code  int
	Text  string
	Cause error
}

// Error implements error.
func (r *Reply) Error() string { return strconv.Itoa(r.Code) + " " + r.Text }

// Unwrap returns the untranslated error.
func (r *Reply) Unwrap() error { return r.Cause }

// translation is a row of the one table from errors to replies.
type translation struct {
	err  error
	code int
	text string
}

// translations lists the more particular errors first.
func translations() []translation {
	return []translation{
		{errBadName, 550, ""}, // the text says what is wrong with the name
		{store.ErrBadName, 550, "File name not allowed by the storage"},
		{errIsDirectory, 550, "Is a directory"},
		{errNotDirectory, 550, "Not a directory"},
		{errNotFile, 550, ""}, // the text says it all
		{errNotEmpty, 550, "Directory is not empty"},
		{errNoParent, 550, "Directory does not exist; make it first"},
		{errIntoItself, 550, "A directory cannot be moved into itself"},
		{errHome, 550, "The home directory cannot be removed or renamed"},
		{errBeyondEnd, 554, "Restart point is beyond the end of the file"},
		{errNotThere, 554, ""}, // the text says where
		{errNoModes, 502, "Files here have no modes or owners"},
		{errNoCommand, 500, "Unknown SITE command; try SITE HELP"},
		{errSyntax, 501, ""}, // the text says what is expected
		{errShortUpload, 426, "Fewer bytes arrived than ALLO announced; nothing was stored"},
		{errGone, 426, "Connection closed; nothing was stored"},
		{errReplaced, 426, "The file was replaced in mid-download; get it again"},
		{errBroken, 426, "The storage failed in mid-download; resume it later"},
		{errTransfer, 426, "Data connection failed; transfer aborted"},
		{upload.ErrTaken, 426, "Another session goes on with this upload"},
		{upload.ErrLost, 451, "The storage has lost part of this file; upload it again"},
		{store.ErrPartLost, 451, "The storage has lost part of the file; try again"},
		{mounted.ErrMountPoint, 550, "A mount point cannot be removed, renamed or replaced"},
		{mounted.ErrReadOnly, 550, "This directory is read-only"},
		{mounted.ErrAway, 550, "This directory is not available now"},
		{errNameRefused, 553, "Files of such a name may not be stored here"},
		{errMaxFileSize, 552, "File larger than the account allows; nothing was stored"},
		{quota.ErrExceeded, 552, "Quota exceeded; nothing was stored"},
		{store.ErrTooLarge, 552, "File too large for the storage"},
		{buffer.ErrTooLarge, 552, "The file has come in too many parts; upload it again"},
		{store.ErrChanged, 450, "The file was changed meanwhile; try again"},
		{store.ErrFull, 452, "Storage is full; nothing was stored"},
		{store.ErrUnavailable, 451, "Storage is unavailable; try again later"},
		{store.ErrNoBucket, 451, "Storage is unavailable; try again later"},
		{store.ErrDenied, 451, "Storage is unavailable; try again later"},
		{fs.ErrNotExist, 550, "No such file or directory"},
		{fs.ErrExist, 550, "File exists"},
		{fs.ErrPermission, 550, "Permission denied"},
		{os.ErrDeadlineExceeded, 426, "Data connection was silent too long; transfer aborted"},
		{context.DeadlineExceeded, 451, "Storage did not answer in time; try again later"},
		{context.Canceled, 426, "Transfer aborted"},
		{net.ErrClosed, 426, "Data connection closed; transfer aborted"},
	}
}

// storing tells whether a command gives a file its name: where the name is at fault, such
// a command has 553 instead of 550 (RFC 959, 5.4).
func storing(verb string) bool {
	return verb == "STOR" || verb == "STOU" || verb == "APPE" || verb == "RNTO"
}

// reply translates an error for the client.
func (d *Driver) reply(verb string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Reply](err); ok {
		return err
	}
	for _, t := range translations() {
		if !errors.Is(err, t.err) {
			continue
		}
		code, text := t.code, t.text
		if text == "" {
			text = plain(err)
		}
		if storing(verb) && code == 550 && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			code = 553
		}
		return &Reply{Code: code, Text: text, Cause: err}
	}
	return &Reply{Code: 451, Text: "Internal error; try again later", Cause: err}
}

// plain is the text of an error made for users, as a sentence.
func plain(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// syntax is a wrong parameter; the text says what is expected.
func syntax(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errSyntax, fmt.Sprintf(format, args...))
}
