// Package figures measures how often names are read right.
//
// It reads sets of names as ../../testdata/names has them.
package figures

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Names are names with their right readings.
type Names struct {
	Singles    []Name // each by itself
	Collisions []Name // the same; they are valid UTF-8, but mean something else
	Sessions   []Session
}

// Name is what a client sends, and what it means.
type Name struct {
	Encoding, Lang string
	Text, Wire     string
}

// Session is the names of one client, in order.
type Session struct {
	Encoding   string
	Text, Wire []string
}

// Load reads a directory with dev.jsonl, dev-collisions.jsonl and dev-sessions.jsonl, each
// as it is or packed as .gz. An error tells which file is missing or wrong.
func Load(dir string) (*Names, error) {
	n := &Names{}
	err := errors.Join(
		eachLine(filepath.Join(dir, "dev.jsonl"), func(line []byte) error { return addName(&n.Singles, line) }),
		eachLine(filepath.Join(dir, "dev-collisions.jsonl"), func(line []byte) error { return addName(&n.Collisions, line) }),
		eachLine(filepath.Join(dir, "dev-sessions.jsonl"), n.addSession),
	)
	return n, err
}

func addName(all *[]Name, line []byte) error {
	var row struct{ Encoding, Lang, UTF8, Hex string }
	if err := json.Unmarshal(line, &row); err != nil {
		return err
	}
	wire, err := hex.DecodeString(row.Hex)
	*all = append(*all, Name{row.Encoding, row.Lang, row.UTF8, string(wire)})
	return err
}

func (n *Names) addSession(line []byte) error {
	var row struct {
		Encoding  string
		UTF8, Hex []string
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return err
	}
	if len(row.UTF8) != len(row.Hex) {
		return fmt.Errorf("%d texts of %d names", len(row.UTF8), len(row.Hex))
	}
	s := Session{Encoding: row.Encoding, Text: row.UTF8}
	for _, h := range row.Hex {
		wire, err := hex.DecodeString(h)
		if err != nil {
			return err
		}
		s.Wire = append(s.Wire, string(wire))
	}
	n.Sessions = append(n.Sessions, s)
	return nil
}

// eachLine calls add with the lines of path, or of path.gz if there is no path.
func eachLine(path string, add func([]byte) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		path += ".gz"
		f, err = os.Open(path)
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		if err := add(lines.Bytes()); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
