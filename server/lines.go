package server

import (
	"bufio"
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
	telnetSE   = 240
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
// them (RFC 959, 4.1.3; RFC 854). It is used by one goroutine.
type lineReader struct {
	in      *bufio.Reader
	buf     []byte // of the line being read
	tooLong bool   // the line being read is
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, 512)}
}

// next returns the next line, without CRLF or LF. What follows the last line end is never
// returned: half a command must not be executed. After an error that passes, such as a
// deadline, it goes on where it was.
func (l *lineReader) next() (string, error) {
	for {
		b, literal, err := l.readByte()
		if err != nil {
			return "", err
		}
		if b == '\n' && !literal {
			break
		}
		if b == tlsHandshake && len(l.buf) == 0 {
			return "", errForeign
		}
		if len(l.buf) > maxLine {
			l.tooLong = true
			continue
		}
		l.buf = append(l.buf, b)
	}
	defer func() { l.buf, l.tooLong = l.buf[:0], false }()
	if l.tooLong {
		return "", errLineTooLong
	}
	line := strings.TrimSuffix(string(l.buf), "\r")
	return strings.ReplaceAll(line, "\r\x00", "\r"), nil // RFC 854: CR NUL is a bare CR
}

// readByte returns the next byte of text. literal: it was escaped.
func (l *lineReader) readByte() (b byte, literal bool, err error) {
	for {
		b, err = l.in.ReadByte()
		if err != nil || b != telnetIAC {
			return b, false, err
		}
		command, err := l.in.ReadByte()
		switch {
		case err != nil:
			_ = l.in.UnreadByte() // the IAC; it was just read
			return 0, false, err
		case command == telnetIAC:
			return telnetIAC, true, nil
		case command < telnetSE || l.inArgument(): // a client that does not double 0xFF in names
			return telnetIAC, true, l.in.UnreadByte()
		}
		if err := l.skipCommand(command); err != nil {
			return 0, false, err
		}
	}
}

// inArgument tells whether the verb has ended. Telnet commands come before it, but a name
// may well hold what looks like one: in Windows-1251, 0xFF is a letter.
func (l *lineReader) inArgument() bool { return bytes.IndexByte(l.buf, ' ') > 0 }

// skipCommand reads what belongs to a Telnet command. None is answered: FTP uses none.
func (l *lineReader) skipCommand(command byte) error {
	switch {
	case command == telnetSB:
		return l.skipSubnegotiation()
	case command >= telnetWill && command <= telnetDont:
		_, err := l.in.ReadByte()
		return err
	}
	return nil
}

func (l *lineReader) skipSubnegotiation() error {
	for last := byte(0); ; {
		b, err := l.in.ReadByte()
		if err != nil {
			return err
		}
		if last == telnetIAC && b == telnetSE {
			return nil
		}
		last = b
	}
}
