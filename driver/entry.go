package driver

import (
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
)

// Entry is a file or directory as a client sees it: in a listing, or as the answer to a
// question about a path.
type Entry struct {
	name   string       // in the client's bytes
	object store.Object // ModTime is the one to show; of a directory, Key ends in "/"
	place  mounted.Place
	may    auth.Permissions
}

var _ os.FileInfo = Entry{}

// Name is in the client's bytes. Where a pattern has matched in several directories it
// begins with the path behind the pattern's fixed part.
func (e Entry) Name() string { return e.name }

// Size is in bytes; 0 for a directory.
func (e Entry) Size() int64 { return e.object.Size }

// IsDir implements os.FileInfo.
func (e Entry) IsDir() bool { return e.object.Prefix }

// ModTime is the time that a client set, or the store's; if neither is known, the year 1970.
func (e Entry) ModTime() time.Time {
	if !e.Timed() {
		return time.Unix(0, 0)
	}
	return e.object.ModTime
}

// Timed tells whether the modification time is known. A directory without a marker
// object has none.
func (e Entry) Timed() bool { return !e.object.ModTime.IsZero() }

// Mode shows what the user may do; objects have no modes of their own.
func (e Entry) Mode() os.FileMode {
	mode := os.FileMode(0o444)
	if e.may.Has(auth.Upload) {
		mode |= 0o200
	}
	if e.IsDir() {
		mode |= fs.ModeDir | 0o111
	}
	return mode
}

// Sys implements os.FileInfo.
func (e Entry) Sys() any { return nil }

// Unique differs from that of any other object, and of other content under the same key
// (RFC 3659, 7.5.2). It is an FNV-1a hash, the same on every node.
func (e Entry) Unique() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	sum := uint64(offset)
	for _, part := range [...]string{e.place.Bucket, e.place.Key, e.object.ETag} {
		for i := range len(part) {
			sum = (sum ^ uint64(part[i])) * prime
		}
		sum *= prime // as if by a zero byte
	}
	return sum
}

// May is what the user may do with it.
func (e Entry) May() auth.Permissions { return e.may }

// entryOf shows an object or a prefix of this name to the client.
func (d *Driver) entryOf(n name, o store.Object) Entry {
	if o.Prefix {
		o.Size, o.ETag = 0, "" // of the marker, if any
	}
	may := d.may(n)
	if n.home() || d.notMountPoint(n) != nil {
		may &^= auth.Rename | auth.Rmdir
	}
	return Entry{
		name: d.Names.Encode(path.Base(n.path)), object: o, place: d.place(o.Key),
		may: may,
	}
}
