package auth

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMounts is how many mounts an account can have, with those of its groups.
const MaxMounts = 1000

// Mount shows another place of the store as a directory of an account.
type Mount struct {
	Path       string // absolute and clean, "/shared"; never "/"
	Bucket     string
	Prefix     string // "" or ends in "/"
	ReadOnly   bool
	Quota      MountQuota
	QuotaBytes int64 // of OwnQuota: bytes stored at most; 0: no limit
	QuotaFiles int64 // of OwnQuota: files stored at most; 0: no limit
}

// MountQuota tells whose quota counts what is stored in a mount.
type MountQuota string

// The quotas a mount can have.
const (
	SharedQuota MountQuota = "shared" // the account's
	OwnQuota    MountQuota = "own"    // one of the mount, the same for all who see that place
)

// ParseMountQuota reads the quota of a mount.
func ParseMountQuota(s string) (MountQuota, error) {
	switch quota := MountQuota(s); quota {
	case SharedQuota, OwnQuota:
		return quota, nil
	}
	return "", fmt.Errorf("unknown quota %q: use shared or own", s)
}

// ParseMountPath reads where a mount is seen, "/shared" or "/office/scans/".
func ParseMountPath(s string) (string, error) {
	clean := path.Clean(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("path %q holds control characters or is not UTF-8", s)
	case !strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("path %q does not begin with /", s)
	case clean == "/":
		return "", errors.New("a mount cannot take the place of /")
	case clean != strings.TrimSuffix(s, "/"):
		return "", fmt.Errorf("path %q holds // or . or .. as a name", s)
	}
	return clean, nil
}

// SortMounts sorts mounts by path. Two of the same path, or one within another, are an
// error that names both.
func SortMounts(mounts []Mount) error {
	slices.SortFunc(mounts, func(a, b Mount) int { return strings.Compare(a.Path, b.Path) })
	seen := make(map[string]bool, len(mounts))
	for _, m := range mounts {
		if seen[m.Path] {
			return fmt.Errorf("two mounts at %s", m.Path)
		}
		for parent := path.Dir(m.Path); parent != "/" && parent != "."; parent = path.Dir(parent) {
			if seen[parent] { // "/a" sorts before "/a/b"
				return fmt.Errorf("the mount %s lies within the mount %s", m.Path, parent)
			}
		}
		seen[m.Path] = true
	}
	return nil
}
