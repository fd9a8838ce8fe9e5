package server

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLine is the longest command line in bytes, without its end. Paths of 1,024 bytes,
// telnet-doubled, fit many times.
const maxLine = 8 << 10

// errLineTooLong: a line was longer than maxLine; it has been read to its end and dropped.
var errLineTooLong = errors.New("command line too long")

// Telnet commands (RFC 854).
const (
	telnetSE   = 240 // the first one
	telnetSB   = 250
	telnetWill = 251
	telnetDont = 254
	telnetIAC  = 255
)

// inlineUrgent makes urgent data, as which clients send ABOR or parts of it, come in their
// place. By default TCP hands them out apart, and the line would lack a byte.
func inlineUrgent(conn any) {
	_ = withFD(conn, func(fd int) { // without it, only such an ABOR is not understood
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	})
}

// lineReader cuts what a client sends into command lines and takes the Telnet out of
// them (RFC 959, 4.1.3; RFC 854). It is used by one goroutine at a time.
type lineReader struct {
	from    io.Reader
	in      []byte // received, and not looked at yet
	room    []byte // that in is a part of
	buf     []byte // of the line being read
	tooLong bool   // the line being read is
	telnet  telnetState
}

// telnetState is where in a Telnet command the next byte is.
type telnetState int

const (
	inText           telnetState = iota
	inCommand                    // behind IAC
	inOption                     // behind WILL, WONT, DO or DONT
	inSubnegotiation             // behind SB
	atItsEnd                     // behind IAC in it
)

// received is how many bytes are received at a time: the longest usual command line.
const received = 256

// usualLine is for how long a line the memory is kept, in bytes.
const usualLine = 256

func newLineReader(r io.Reader) *lineReader { return &lineReader{from: r} }

// next returns the next line, without CRLF or LF. What follows the last line end is never
// returned: half a command must not be executed. After an error that passes, such as a
// deadline, it goes on where it was, in the middle of a line or of a Telnet command.
func (l *lineReader) next() (string, error) {
	for {
		for i, b := range l.in {
			switch {
			case len(l.buf) == 0 && b == tlsHandshake && l.telnet == inText:
				return "", errForeign
			case l.take(b):
				l.in = l.in[i+1:]
				return l.line()
			}
		}
		l.in = nil
		if err := l.receive(); err != nil {
			return "", err
		}
	}
}

// ahead tells whether the client had sent more when the last line came.
func (l *lineReader) ahead() bool { return len(l.in) > 0 }

func (l *lineReader) receive() error {
	if l.room == nil {
		l.room = make([]byte, received)
	}
	n, err := l.from.Read(l.room)
	l.in = l.room[:n]
	if n > 0 {
		return nil // the error comes again
	}
	return err
}

// line is what has been taken.
func (l *lineReader) line() (string, error) {
	line, tooLong := strings.TrimSuffix(string(l.buf), "\r"), l.tooLong
	l.buf, l.tooLong = l.buf[:0], false
	if cap(l.buf) > usualLine {
		l.buf = nil
	}
	if tooLong {
		return "", errLineTooLong
	}
	return strings.ReplaceAll(line, "\r\x00", "\r"), nil // RFC 854: CR NUL is a bare CR
}

// take takes the next byte; true if it ends the line. No Telnet command is answered: FTP
// uses none.
func (l *lineReader) take(b byte) (ends bool) {
	switch l.telnet {
	case inCommand:
		return l.takeCommand(b)
	case inOption:
		l.telnet = inText
	case inSubnegotiation:
		if b == telnetIAC {
			l.telnet = atItsEnd
		}
	case atItsEnd:
		l.telnet = inSubnegotiation
		if b == telnetSE {
			l.telnet = inText
		}
	case inText:
		if b == telnetIAC {
			l.telnet = inCommand
			return false
		}
		return l.takeText(b)
	}
	return false
}

// takeCommand takes the byte behind IAC.
func (l *lineReader) takeCommand(b byte) (ends bool) {
	l.telnet = inText
	switch {
	case b == telnetIAC:
		return l.takeText(telnetIAC)
	case b < telnetSE || l.inArgument(): // a client that does not double 0xFF in names
		l.takeText(telnetIAC)
		return l.takeText(b)
	case b == telnetSB:
		l.telnet = inSubnegotiation
	case b >= telnetWill && b <= telnetDont:
		l.telnet = inOption
	}
	return false
}

func (l *lineReader) takeText(b byte) (ends bool) {
	switch {
	case b == '\n':
		return true
	case len(l.buf) > maxLine:
		l.tooLong = true
	default:
		l.buf = append(l.buf, b)
	}
	return false
}

// inArgument tells whether the verb has ended. Telnet commands come before it, but a name
// may well hold what looks like one: in Windows-1251, 0xFF is a letter.
func (l *lineReader) inArgument() bool { return bytes.IndexByte(l.buf, ' ') > 0 }
