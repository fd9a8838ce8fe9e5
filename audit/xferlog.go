package audit

import (
	"fmt"
	"net"
	"time"
)

// Xferlog returns the Format of wu-ftpd's transfer log, xferlog(5), which most analysers
// of FTP servers read. It has uploads and downloads only, and no attempt that failed
// before a byte was moved. Times are those of zone; nil: the system's.
func Xferlog(zone *time.Location) Format {
	if zone == nil {
		zone = time.Local
	}
	return func(line []byte, e Event) []byte { return appendXferlog(line, e, zone) }
}

func appendXferlog(line []byte, e Event, zone *time.Location) []byte {
	direction := "i"
	switch {
	case e.Action != Upload && e.Action != Download, e.Err != "" && e.Bytes == 0:
		return line
	case e.Action == Download:
		direction = "o"
	}
	kind, completion := "b", "c"
	if e.ASCII {
		kind = "a"
	}
	if e.Err != "" {
		completion = "i"
	}
	// A transfer takes at least a second. Accounts are "real" (r), nothing is done to the
	// file on the way (_), and no ident service was asked (0 and *).
	return fmt.Appendf(line, "%s %d %s %d %s %s _ %s r %s ftp 0 * %s",
		e.Time.In(zone).Format(time.ANSIC), max(1, int64(e.Duration/time.Second)), xferlogHost(e.Remote),
		e.Bytes, xferlogText(e.Path), kind, direction, xferlogText(e.User), completion)
}

// xferlogHost is the address without the port.
func xferlogHost(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	return xferlogText(host)
}

// xferlogText replaces what would look like the end of a field: each space and control
// character, as C has them in its "C" locale. Bytes from 0x80 on stay.
func xferlogText(s string) string {
	if s == "" {
		return "_"
	}
	b := []byte(s)
	for i, c := range b {
		if c <= ' ' || c == 0x7f {
			b[i] = '_'
		}
	}
	return string(b)
}
