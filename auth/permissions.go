package auth

import (
	"fmt"
	"math/bits"
	"strings"
)

// Permissions is what a user may do, as a set.
type Permissions uint16

// The single rights.
const (
	List      Permissions = 1 << iota // see directories
	Download                          // RETR, checksums
	Upload                            // STOR of a new name
	Overwrite                         // STOR onto an existing file
	Append                            // APPE, REST + STOR
	Delete                            // DELE
	Rename                            // RNFR, RNTO
	Mkdir                             // MKD
	Rmdir                             // RMD
	Times                             // MFMT, MDTM with a time, SITE UTIME
)

// The presets of the column permissions.
const (
	ReadOnly   = List | Download
	ReadWrite  = ReadOnly | Upload | Overwrite | Append | Delete | Rename | Mkdir | Rmdir | Times
	UploadOnly = Upload | Mkdir
)

// Has tells whether all of want are in p.
func (p Permissions) Has(want Permissions) bool { return p&want == want }

type named struct {
	name  string
	value Permissions
}

// names lists presets first, so that String prefers them.
func names() []named {
	return []named{
		{"none", 0}, {"rw", ReadWrite}, {"ro", ReadOnly}, {"upload-only", UploadOnly},
		{"list", List}, {"download", Download}, {"upload", Upload}, {"overwrite", Overwrite},
		{"append", Append}, {"delete", Delete}, {"rename", Rename}, {"mkdir", Mkdir},
		{"rmdir", Rmdir}, {"times", Times},
	}
}

// ParsePermissions reads presets and single rights separated by commas: "rw",
// "ro,upload,mkdir", "upload-only", "none". An unknown word is an error that lists the known.
func ParsePermissions(s string) (Permissions, error) {
	var p Permissions
	for word := range strings.SplitSeq(s, ",") {
		value, ok := lookup(strings.TrimSpace(word))
		if !ok {
			return 0, fmt.Errorf("unknown permission %q: use rw, ro, upload-only, none or a list of "+
				"list, download, upload, overwrite, append, delete, rename, mkdir, rmdir, times", word)
		}
		p |= value
	}
	return p, nil
}

func lookup(word string) (Permissions, bool) {
	for _, n := range names() {
		if n.name == word {
			return n.value, true
		}
	}
	return 0, false
}

// String writes p so that ParsePermissions reads it again.
func (p Permissions) String() string {
	var words []string
	for _, n := range names() {
		if p == n.value {
			return n.name
		}
		if p.Has(n.value) && bits.OnesCount16(uint16(n.value)) == 1 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, ",")
}
