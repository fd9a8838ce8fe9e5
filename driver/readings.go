package driver

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/spdscheme/spdserver/encoding"
)

// decode turns the components of an absolute path from the client's bytes into text. Bytes
// that may mean several names mean the one that exists; only then the store is asked.
func (d *Driver) decode(components []string) error {
	known := d.entered(components)
	above := name{path: "/", key: d.user().Prefix} // what the next component is in
	exists := true                                 // as far as known
	for i, wire := range components {
		if i >= known {
			text, found, err := d.mean(above, wire, exists)
			if err != nil {
				return err
			}
			components[i], exists = text, found
		}
		if err := checkComponent(components[i]); err != nil {
			return err
		}
		above = above.child(components[i])
	}
	return nil
}

// mean finds what a component means in a directory. A name that does not exist, whatever
// it means, is what it means most likely. found is false if it is known not to exist.
func (d *Driver) mean(above name, wire string, exists bool) (text string, found bool, err error) {
	if shown, ok := d.unescaped(wire); ok && exists && d.exists(above, shown) == nil {
		return shown, true, nil
	}
	readings := d.Names.Readings(wire)
	text = readings[0].Text
	if text == wire || readings[0].Confidence == 1 { // the same in all charsets, or the charset is set
		return text, exists, nil
	}
	id := above.dir() + "\x00" + wire
	before, met := d.meant.get(id)
	defer func() {
		if err == nil {
			d.meant.add(id, text)
		}
	}()
	texts := textsOf(readings)
	if met && !slices.Contains(texts, before) {
		texts = append(texts, before) // the session's charset has turned out to be another
	}
	if len(texts) == 1 || met && before == text || !exists {
		return text, exists, nil
	}
	for _, other := range texts {
		switch err := d.exists(above, other); {
		case err == nil:
			d.Names.Confirm(wire, other)
			text = other // for meant, too
			return text, true, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", false, err
		}
	}
	return text, false, nil
}

// unescaped is what a name means if it is one that the session has been shown in its
// charset, with escapes for what that lacks. Such a mixture must not be judged: it is in
// no language.
func (d *Driver) unescaped(wire string) (text string, ok bool) {
	if !strings.Contains(wire, "=u") && !strings.Contains(wire, "=U") {
		return "", false
	}
	charset, confidence := d.Names.Charset()
	codec, err := encoding.Lookup(charset)
	if err != nil || confidence == 1 { // decoded so anyway
		return "", false
	}
	text = codec.Decode(wire)
	return text, text != wire
}

func textsOf(readings []encoding.Reading) []string {
	texts := make([]string, len(readings))
	for i, r := range readings {
		texts[i] = r.Text
	}
	return texts
}

// exists looks for a name in a directory. None: ErrNotExist.
func (d *Driver) exists(above name, base string) error {
	if checkComponent(base) != nil {
		return fs.ErrNotExist
	}
	n := above.child(base)
	if _, ok := d.files.get(n.key); ok {
		return nil
	}
	if _, ok := d.knownDir(n); ok {
		return nil
	}
	_, err := d.probe(d.ctx, n)
	return err
}

// place is a directory in the client's bytes, and what they mean.
type place struct{ wire, text []string }

// enter notes the working directory. It stays what it is when the session's charset turns
// out to be another.
func (d *Driver) enter(wire string, n name) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.here = place{}
	if !n.home() && path.IsAbs(wire) {
		d.here = place{strings.Split(path.Clean(wire)[1:], "/"), strings.Split(n.path[1:], "/")}
	}
}

// entered replaces what a path has in common with the working directory's, and returns how
// many components that is.
func (d *Driver) entered(components []string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range min(len(components), len(d.here.wire)) {
		if components[i] != d.here.wire[i] {
			return i
		}
		components[i] = d.here.text[i]
	}
	return min(len(components), len(d.here.wire))
}

// Shown is an absolute path of the client's, in the bytes that the client would use now.
func (d *Driver) Shown(wire string) string {
	components := strings.Split(wire, "/")
	known := d.entered(components[1:])
	for i := 1; i <= known; i++ {
		components[i] = d.Names.Encode(components[i])
	}
	return strings.Join(components, "/")
}
