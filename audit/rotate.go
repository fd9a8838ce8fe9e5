package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Rotation is when a file is moved aside and a new one is begun. The zero Rotation is
// never.
type Rotation struct {
	Size int64         // bytes that a file has at most, unless one line is longer; 0: any number
	Age  time.Duration // a file has lines of one such interval, counted from 0001-01-01 UTC (24h: a day); 0: any
	Keep int           // files moved aside that are kept; 0: all
}

// rotatedLayout ends the names of files moved aside. They sort by time.
const rotatedLayout = "20060102T150405.000000Z"

// rotated is a file with a Rotation.
type rotated struct {
	path     string
	rotation Rotation
	file     *os.File
	info     os.FileInfo // of file
	last     time.Time   // of the last write
}

// Write appends line, to a new file if the present one has had its time.
func (f *rotated) Write(line []byte) (int, error) {
	now := time.Now()
	if f.due(int64(len(line)), now) {
		if err := f.rotate(now); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(line)
	if err != nil {
		return n, fmt.Errorf("write the audit file: %w", err)
	}
	f.last = now
	return n, nil
}

// due tells whether more bytes belong into a new file.
func (f *rotated) due(more int64, now time.Time) bool {
	if f.rotation == (Rotation{}) {
		return false
	}
	info, err := f.file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	bySize := f.rotation.Size > 0 && info.Size()+more > f.rotation.Size
	byAge := f.rotation.Age > 0 && now.Truncate(f.rotation.Age).After(f.last.Truncate(f.rotation.Age))
	return bySize || byAge
}

// rotate moves the file aside, begins a new one, and removes the oldest.
func (f *rotated) rotate(now time.Time) error {
	aside := f.path + "." + now.UTC().Format(rotatedLayout)
	if err := os.Rename(f.path, aside); err != nil {
		return fmt.Errorf("rotate the audit file: %w", err)
	}
	if err := f.open(); err != nil {
		return err
	}
	return f.prune()
}

// prune removes all files moved aside but the newest.
func (f *rotated) prune() error {
	if f.rotation.Keep <= 0 {
		return nil
	}
	dir, name := filepath.Split(f.path)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return fmt.Errorf("look for old audit files: %w", err)
	}
	var aside []string
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), name+".")
		if _, err := time.Parse(rotatedLayout, stamp); ok && err == nil {
			aside = append(aside, e.Name())
		}
	}
	slices.Sort(aside)
	for _, old := range aside[:max(0, len(aside)-f.rotation.Keep)] {
		if err := os.Remove(filepath.Join(dir, old)); err != nil {
			return fmt.Errorf("remove an old audit file: %w", err)
		}
	}
	return nil
}
