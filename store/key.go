package store

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxNameLength is the longest name between two slashes, in bytes. It is a limit of the
// stores that keep objects in a file system (MinIO, versitygw), not of S3.
const MaxNameLength = 255

// CheckKey tells whether every store we know can keep an object of this key: nil or
// ErrBadName. Keys are UTF-8 without NUL, of at most MaxKeyLength bytes; the names between
// their slashes are neither empty nor "." nor "..". A single slash at the end is allowed:
// it makes a directory marker.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKeyLength {
		return fmt.Errorf("key of %d bytes: %w", len(key), ErrBadName)
	}
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return fmt.Errorf("key is not UTF-8 text: %w", ErrBadName)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		if name == "" || name == "." || name == ".." || len(name) > MaxNameLength {
			return fmt.Errorf("key with a name of %d bytes: %w", len(name), ErrBadName)
		}
	}
	return nil
}

// HiddenDir is the directory at the top of a bucket that is the gateway's own. Nothing of that
// name is shown to clients, whatever directory it is in.
const HiddenDir = ".spd-segments"

// Hidden tells whether a key lies in HiddenDir: it is nobody's file.
func Hidden(key string) bool { return strings.HasPrefix(key, HiddenDir+"/") }

// CanBePrefix tells whether prefix can begin the key of an object. Nothing can be listed
// under one that cannot.
func CanBePrefix(prefix string) bool {
	return prefix == "" || CheckKey(prefix) == nil || CheckKey(prefix+"x") == nil
}
