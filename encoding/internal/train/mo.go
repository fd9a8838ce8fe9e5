package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
)

// readCatalogue returns the translated strings of a catalogue of GNU gettext (.mo), plural
// forms one by one. https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
func readCatalogue(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(data) < 20 || binary.LittleEndian.Uint32(data) != 0x950412de {
		return nil, fmt.Errorf("%s is no little-endian catalogue", path)
	}
	word := func(at uint32) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	count, originals, table := word(8), word(12), word(16)
	if uint64(table)+8*uint64(count) > uint64(len(data)) {
		return nil, errors.New(path + " is cut off")
	}
	var all []string
	for i := range count {
		if word(originals+8*i) == 0 {
			continue // the header
		}
		size, at := word(table+8*i), word(table+8*i+4)
		if uint64(at)+uint64(size) > uint64(len(data)) {
			return nil, errors.New(path + " is cut off")
		}
		all = append(all, strings.Split(string(data[at:at+size]), "\x00")...)
	}
	return all, nil
}
