package server

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
)

// replyConn is a control connection of which only the replies matter.
type replyConn struct {
	net.Conn // nil: nothing else is called
	out      bytes.Buffer
}

func (c *replyConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *replyConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzSizes: REST and ALLO take numbers from 0 to 2^63-1, in digits, and refuse anything
// else in one line.
func FuzzSizes(f *testing.F) {
	for _, arg := range []string{
		"0", "5", "-1", "+5", "-0", "007", "5 R 10", "5 R", "5 R x", "5 X 6", "5 R 6 7", " 5", "5 ", "1e3", "0x10", "1_000", "", "five", "٣", "5\x00", "5\r", "\xff5",
		"2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551616", strings.Repeat("9", 500),
	} {
		f.Add(arg)
	}
	allo := regexp.MustCompile(`^([0-9]+)( [Rr] ([0-9]+))?$`)
	f.Fuzz(func(t *testing.T, arg string) {
		if strings.ContainsAny(arg, "\r\n") {
			return // no line has these
		}
		conn := &replyConn{}
		s := &session{conn: conn, account: &auth.User{}, settings: settings{rest: 42}}
		s.doRest(command{"REST", arg})
		n, ok := number(arg)
		reply := conn.out.String()
		switch {
		case !ok && (s.rest != 42 || !regexp.MustCompile(`^501 [^\r\n]+\r\n$`).MatchString(reply)),
			ok && (s.rest != n || reply != fmt.Sprintf("350 The next transfer begins at byte %d\r\n", n)):
			t.Errorf("REST %q: rest %d, reply %q", arg, s.rest, reply)
		}
		words, want, wantOK := allo.FindStringSubmatch(arg), int64(0), false
		if words != nil {
			want, wantOK = number(words[1])
			if _, ok := number(words[3]); words[2] != "" && !ok {
				wantOK = false
			}
		}
		if got, ok := parseAllo(arg); ok != wantOK || ok && got != want {
			t.Errorf("ALLO %q: %d, %v; want %d, %v", arg, got, ok, want, wantOK)
		}
	})
}

// number reads a number as people do.
func number(text string) (int64, bool) {
	if !regexp.MustCompile(`^[0-9]+$`).MatchString(text) {
		return 0, false
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Cmp(big.NewInt(math.MaxInt64)) > 0 {
		return 0, false
	}
	return n.Int64(), true
}
