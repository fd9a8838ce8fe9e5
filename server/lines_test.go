package server

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func readLines(t *testing.T, input string) []string {
	t.Helper()
	in := newLineReader(iotest.OneByteReader(strings.NewReader(input)))
	var lines []string
	for {
		line, err := in.next()
		switch {
		case errors.Is(err, errLineTooLong):
			lines = append(lines, "TOO LONG")
		case errors.Is(err, io.EOF):
			return lines
		case err != nil:
			t.Fatal(err)
		default:
			lines = append(lines, line)
		}
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, test := range []struct{ name, input, want string }{
		{"CRLF", "NOOP\r\nPWD\r\n", "NOOP|PWD"},
		{"bare LF", "NOOP\nPWD\n", "NOOP|PWD"},
		{"half a command is not one", "NOOP\r\nDELE /data/fi", "NOOP"},
		{"empty lines", "\r\n\r\n", "|"},
		{"spaces are kept", "STOR  a b \r\n", "STOR  a b "},
		{"CR inside a name", "DELE a\rb\r\n", "DELE a\rb"},
		{"CR NUL is a CR", "DELE a\r\x00b\r\n", "DELE a\rb"},
		{"longest line", long + "\r\n", long},
		{"too long, then a good one", long + "xxx\r\nNOOP\r\n", "TOO LONG|NOOP"},
		{"70 kB", strings.Repeat("A", 70_000) + "\r\nNOOP\r\n", "TOO LONG|NOOP"},
		{"doubled 0xFF", "DELE \xff\xff\r\n", "DELE \xff"},
		{"single 0xFF in a name", "DELE \xffa\r\n", "DELE \xffa"},
		{"Telnet's NOP in a name", "DELE \xff\xf1a\r\n", "DELE \xff\xf1a"},
		{"IP and IAC in a name", "DELE \xff\xf4\xff\xff\r\n", "DELE \xff\xf4\xff"},
		{"WILL in a name", "DELE \xff\xfb1\r\n", "DELE \xff\xfb1"},
		{"SB in a name", "DELE \xff\xfa\xff\xf0\r\nNOOP\r\n", "DELE \xff\xfa\xff\xf0|NOOP"},
		{"0xFF at the end of a name", "DELE a\xff\r\n", "DELE a\xff"},
		{"DO, WILL, NOP", "\xff\xfd\x06NO\xff\xfb\x01OP\xff\xf1\r\n", "NOOP"},
		{"IP and data mark before ABOR", "\xff\xf4\xff\xf2ABOR\r\n", "ABOR"},
		{"subnegotiation", "\xff\xfa\x18\x00anything\n\xff\xf0NOOP\r\n", "NOOP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(readLines(t, test.input), "|"); got != test.want {
				t.Errorf("got %.100q, want %.100q", got, test.want)
			}
		})
	}
}

// Every byte may follow 0xFF in a name, doubled or not.
func TestNamesWith0xFF(t *testing.T) {
	for b := range 256 {
		if b == '\n' || b == '\r' || b == 0xff {
			continue
		}
		want := "DELE a\xff" + string([]byte{byte(b)}) + "z"
		for _, input := range []string{want, strings.Replace(want, "\xff", "\xff\xff", 1)} {
			if got := readLines(t, input+"\r\n"); len(got) != 1 || got[0] != want {
				t.Errorf("%q: got %q, want %q", input, got, want)
			}
		}
	}
}

// Reading ends by deadlines, in the middle of lines and of Telnet commands, and goes on there.
func TestLinesWithPauses(t *testing.T) {
	for _, input := range []string{
		"NOOP\r\nPWD\r\n", "\xff\xfd\x06NO\xff\xfb\x01OP\xff\xf1\r\n", "\xff\xfa\x18\x00a\nb\xff\xf0NOOP\r\n",
		"DELE \xff\xff\r\n", "DELE a\xff\r\n", "\xff\xf4\xff\xf2ABOR\r\n",
	} {
		want := readLines(t, input)
		in := newLineReader(&pausing{from: strings.NewReader(input)})
		var got []string
		for {
			line, err := in.next()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if err != nil {
				break
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", input, got, want)
		}
	}
}

// pausing has a deadline pass before each byte.
type pausing struct {
	from   io.Reader
	paused bool
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.paused = !p.paused; p.paused {
		return 0, os.ErrDeadlineExceeded
	}
	return p.from.Read(b[:1])
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("USER x\r\n\xff\xf4\xff\xf2ABOR\r\nDELE \xff\xffa"))
	f.Add([]byte("\xff\xfa\x18\xff\xf0\n\r\x00\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		whole := linesFrom(t, bytes.NewReader(data))
		if pieces := linesFrom(t, iotest.OneByteReader(bytes.NewReader(data))); !slices.Equal(whole, pieces) {
			t.Errorf("%q in one packet, %q in many", whole, pieces)
		}
		ends := bytes.Count(data, []byte("\n"))
		if len(whole) > ends && !slices.Contains(whole, errForeign.Error()) {
			t.Errorf("%d lines of %d line ends", len(whole), ends)
		}
	})
}

// linesFrom reads until nothing comes. What is no line is put down as its error.
func linesFrom(t *testing.T, from io.Reader) (lines []string) {
	t.Helper()
	in := newLineReader(from)
	for {
		line, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return lines
		case errors.Is(err, errForeign): // the session ends here
			return append(lines, err.Error())
		case err != nil:
			line = err.Error()
		case len(line) > maxLine+1 || strings.Contains(line, "\n"):
			t.Errorf("this is no line: %q", line)
		}
		lines = append(lines, line)
	}
}

func TestParseAddresses(t *testing.T) {
	for _, test := range []struct{ verb, arg, want string }{
		{"PORT", "127,0,0,1,195,80", "127.0.0.1:50000"},
		{"PORT", "127,0,0,1,195", "address not understood"},
		{"PORT", "127,0,0,1,195,256", "address not understood"},
		{"PORT", "127,0,0,1,195,-1", "address not understood"},
		{"PORT", "", "address not understood"},
		{"EPRT", "|1|127.0.0.1|50000|", "127.0.0.1:50000"},
		{"EPRT", "!2!::1!50000!", "unknown network protocol"},
		{"EPRT", "|1|::1|50000|", "address not understood"},
		{"EPRT", "|3|127.0.0.1|50000|", "unknown network protocol"},
		{"EPRT", "|1|127.0.0.1|65536|", "address not understood"},
		{"EPRT", "|1|127.0.0.1|50000", "address not understood"},
		{"EPRT", "", "address not understood"},
	} {
		addr, err := parsePort(test.arg)
		if test.verb == "EPRT" {
			addr, err = parseEprt(test.arg, "1")
		}
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = addr.String()
		}
		if got != test.want {
			t.Errorf("%s %s: got %s, want %s", test.verb, test.arg, got, test.want)
		}
	}
}
