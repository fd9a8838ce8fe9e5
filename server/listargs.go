package server

import "strings"

// listOptions are those of ls that LIST and NLST know. No RFC has them, but clients send
// them.
type listOptions struct {
	recursive bool // -R
	itself    bool // -d: a directory as an entry, not what is in it
	names     bool // -1: nothing but names
	byTime    bool // -t: newest first
	bySize    bool // -S: largest first
	reverse   bool // -r
}

// sorts tells whether all entries must be known before the first can be sent.
func (o listOptions) sorts() bool { return o.byTime || o.bySize || o.reverse }

// parseListArgs takes options, several letters in a word or several words, from the
// argument of LIST or NLST. The letters that change nothing here, such as -l and -a, are
// ignored, and so are unknown ones. "--" ends the options; a word such as "-a.txt" is no
// option.
func parseListArgs(arg string) (o listOptions, path string) {
	for {
		word, rest, _ := strings.Cut(arg, " ")
		if word == "--" {
			return o, rest
		}
		if !isOptions(word) {
			return o, arg
		}
		for _, letter := range word[1:] {
			o.set(letter)
		}
		arg = rest
	}
}

func isOptions(word string) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	for _, c := range []byte(word[1:]) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func (o *listOptions) set(letter rune) {
	switch letter {
	case 'R':
		o.recursive = true
	case 'd':
		o.itself = true
	case '1':
		o.names = true
	case 'l':
		o.names = false
	case 't':
		o.byTime, o.bySize = true, false
	case 'S':
		o.bySize, o.byTime = true, false
	case 'r':
		o.reverse = true
	}
}
