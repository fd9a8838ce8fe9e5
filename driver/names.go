package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/spdscheme/spdserver/store"
)

// errBadName: no object of this name can exist. The text is fit for users.
var errBadName = errors.New("name not allowed")

// errNotFile: a path that ends in a slash is a directory's (POSIX, 4.16, Pathname Resolution).
var errNotFile = errors.New("a file's name does not end in a slash")

// maxComponent is the longest name of a file or directory in bytes of UTF-8: that of
// POSIX file systems, and of the object stores built on them.
const maxComponent = 255

// name is a path of the user's, resolved.
type name struct {
	path  string // UTF-8, absolute and clean: "/", "/a/b"
	key   string // object key of a file of that path
	slash bool   // the client wrote a slash behind it, or the like: it means no file
}

// dir is the key of a directory's marker, and the prefix of all below it: "" for the
// whole bucket.
func (n name) dir() string {
	if n.key == "" || strings.HasSuffix(n.key, "/") {
		return n.key
	}
	return n.key + "/"
}

// home tells whether it is the user's root, which always exists.
func (n name) home() bool { return n.path == "/" }

// child is an entry of a directory.
func (n name) child(base string) name {
	return name{path: path.Join(n.path, base), key: n.dir() + base}
}

// parent is the directory it lies in; home is its own parent.
func (n name) parent() name {
	if n.home() {
		return n
	}
	up := path.Dir(n.path)
	if up == "/" {
		return name{path: up, key: strings.TrimSuffix(n.key, n.path[1:])}
	}
	return name{path: up, key: n.key[:len(n.key)-(len(n.path)-len(up))]}
}

// resolve turns a path in the client's bytes into a name below the user's home. ".."
// stops at home. What is hidden from the user does not exist: ErrNotExist.
func (d *Driver) resolve(wire string) (name, error) {
	slash := meansDirectory(wire)
	if !path.IsAbs(wire) {
		wire = path.Join(d.Client.Path(), wire)
	}
	wire = path.Clean(wire)
	if wire == "/" {
		return name{path: "/", key: d.user().Prefix}, nil
	}
	components := strings.Split(wire[1:], "/")
	if err := d.decode(components); err != nil {
		return name{}, err
	}
	text := strings.Join(components, "/")
	n := name{path: "/" + text, key: d.user().Prefix + text, slash: slash}
	if len(n.key) >= store.MaxKeyLength { // a directory's marker needs one byte more
		return name{}, fmt.Errorf("%w: path of %d bytes; at most %d fit",
			errBadName, len(text), store.MaxKeyLength-1-len(d.user().Prefix))
	}
	if d.hidden(n) {
		return n, fs.ErrNotExist
	}
	return n, nil
}

// meansDirectory tells whether a path ends in a slash, or in a dot or two of their own. Where
// a file is, POSIX then finds nothing.
func meansDirectory(wire string) bool {
	last := wire[strings.LastIndexByte(wire, '/')+1:]
	return last == "" && wire != "" || last == "." || last == ".."
}

// nameOf is the name of what has been listed.
func (d *Driver) nameOf(key string) name {
	key = strings.TrimSuffix(key, "/")
	return name{path: "/" + strings.TrimPrefix(key, d.user().Prefix), key: key}
}

func checkComponent(text string) error {
	switch {
	case text == "" || text == "." || text == "..":
		return fmt.Errorf("%w: %q is not a file name", errBadName, text)
	case len(text) > maxComponent:
		return fmt.Errorf("%w: name of %d bytes; at most %d are allowed", errBadName, len(text), maxComponent)
	case text == store.HiddenDir:
		return fmt.Errorf("%w: %q is the server's own", errBadName, text)
	case strings.ContainsAny(text, "\x00\r\n"):
		return fmt.Errorf("%w: control characters in the name", errBadName)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: the name is not valid text", errBadName)
	}
	return nil
}
