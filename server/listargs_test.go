package server

import (
	"strings"
	"testing"
)

func TestParseListArgs(t *testing.T) {
	type options = listOptions
	for _, c := range []struct {
		arg  string
		want options
		path string
	}{
		{"", options{}, ""},
		{"dir", options{}, "dir"},
		{"dir -la", options{}, "dir -la"},
		{"-la", options{}, ""},
		{"-a dir", options{}, "dir"},
		{"-a -l dir", options{}, "dir"},
		{"-l  lead", options{}, " lead"},
		{"-A", options{}, ""},
		{"-1", options{names: true}, ""},
		{"-1l", options{}, ""},
		{"-R x", options{recursive: true}, "x"},
		{"-d x", options{itself: true}, "x"},
		{"-ltr", options{byTime: true, reverse: true}, ""},
		{"-tS", options{bySize: true}, ""},
		{"-St", options{byTime: true}, ""},
		{"-lr -1 a b", options{reverse: true, names: true}, "a b"},
		{"-Z -FhngoC9 x", options{}, "x"},
		{"--", options{}, ""},
		{"-- -l", options{}, "-l"},
		{"-l -- -t", options{}, "-t"},
		{"-", options{}, "-"},
		{"-a.txt", options{}, "-a.txt"},
		{"-\xe9", options{}, "-\xe9"},
		{"--all", options{}, "--all"},
		{"./-l", options{}, "./-l"},
		{"[-l]", options{}, "[-l]"},
	} {
		if got, path := parseListArgs(c.arg); got != c.want || path != c.path {
			t.Errorf("%q: %+v, %q; want %+v, %q", c.arg, got, path, c.want, c.path)
		}
	}
}

func FuzzListArgs(f *testing.F) {
	for _, seed := range []string{"", "-la x", "-ltr -- -x", "- -", "-\xff", "--", "*.txt", "-R /a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		options, path := parseListArgs(arg)
		if !strings.HasSuffix(arg, path) {
			t.Errorf("path %q of %q", path, arg)
		}
		if !strings.HasPrefix(arg, "-") && (path != arg || options != listOptions{}) {
			t.Errorf("options %+v, path %q of %q", options, path, arg)
		}
	})
}
