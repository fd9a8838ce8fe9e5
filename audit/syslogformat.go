package audit

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Source is what syslog messages say about the program that sends them.
type Source struct {
	Host string // name of the machine; "": not told, as the daemon on it knows
	App  string // name of the program
	Proc string // process id
}

// syslogFTP is the facility "ftp" (RFC 5424, table 1).
const syslogFTP = 11

// The severities (RFC 5424, table 2).
const (
	severityWarning = 4
	severityNotice  = 5
	severityInfo    = 6
)

// priority is the PRI of e: facility and severity in one number.
func priority(e Event) int {
	severity := severityInfo
	switch {
	case e.Action == LoginFailed || e.Action == Ban:
		severity = severityWarning
	case e.Err != "":
		severity = severityNotice
	}
	return syslogFTP*8 + severity
}

// RFC5424 returns the Format of RFC 5424. MSGID is the action, and MSG as of syslogText.
func RFC5424(s Source) Format {
	header := fmt.Sprintf("%s %s %s", header5424(s.Host, 255), header5424(s.App, 48), header5424(s.Proc, 128))
	return func(line []byte, e Event) []byte {
		// Six digits of a second at most (RFC 5424, 6.2.3).
		line = fmt.Appendf(line, "<%d>1 %s %s %s - ", priority(e),
			e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), header, header5424(string(e.Action), 32))
		return syslogText(line, e)
	}
}

// header5424 is a field of the header: "-" or printable ASCII without spaces (RFC 5424, 6).
func header5424(s string, limit int) string {
	s = printable(s, limit)
	if s == "" {
		return "-"
	}
	return s
}

// printable drops all but the visible ASCII of s, and what is beyond limit.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), limit)]
}

// RFC3164 returns the Format of RFC 3164, the older one. Its times are those of zone; nil:
// the system's.
func RFC3164(s Source, zone *time.Location) Format {
	if zone == nil {
		zone = time.Local
	}
	var host string
	if s.Host != "" {
		host = printable(s.Host, 255) + " "
	}
	// Program and process id; the name is cut at 32 (RFC 3164, 4.1.3).
	tag := printable(s.App, 32) + "[" + printable(s.Proc, 16) + "]:"
	return func(line []byte, e Event) []byte {
		line = fmt.Appendf(line, "<%d>%s %s%s ", priority(e), e.Time.In(zone).Format(time.Stamp), host, tag)
		return syslogText(line, e)
	}
}

// syslogNameLimit is how many bytes of a name are sent: what a key of S3 can have. Longer
// names are those of refused commands.
const syslogNameLimit = 1024

// syslogText is the message proper: "@cee:", by which receivers know that there is JSON,
// and the JSON, in ASCII. So no receiver needs to guess a charset or to escape anything.
func syslogText(line []byte, e Event) []byte {
	e.User, e.Path, e.Target, e.Reason = cut(e.User), cut(e.Path), cut(e.Target), cut(e.Reason)
	return appendASCII(append(line, "@cee: "...), JSON(nil, e))
}

// cut shortens s to syslogNameLimit bytes, whole characters.
func cut(s string) string {
	if len(s) <= syslogNameLimit {
		return s
	}
	end := syslogNameLimit
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// appendASCII writes the characters of a JSON text that are not ASCII as \uXXXX, those
// beyond U+FFFF as two of them (RFC 8259, 7).
func appendASCII(line, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r < utf8.RuneSelf && r != 0x7f:
			line = append(line, text[0])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			line = fmt.Appendf(line, `\u%04x\u%04x`, high, low)
		default:
			line = fmt.Appendf(line, `\u%04x`, r)
		}
		text = text[size:]
	}
	return line
}
