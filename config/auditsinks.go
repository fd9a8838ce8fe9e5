package config

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of AuditSink.
const (
	AuditStdout  = "stdout"
	AuditFile    = "file"
	AuditXferlog = "xferlog"
	AuditSyslog  = "syslog"
	AuditSQL     = "sql"
)

// AuditSinks are where the audit trail goes, besides audit.file.
type AuditSinks []AuditSink

// AuditSink is one of them. Fields that its kind does not have are zero.
type AuditSink struct {
	Kind string
	Path string // of a file, or of a unix socket; absolute

	RotateSize Size          // a file is moved aside before it grows beyond; 0: never
	RotateAge  time.Duration // a file has lines of one such interval (24h: of a day, UTC); 0: any
	RotateKeep int           // files moved aside that are kept; 0: all

	Transport     string // of syslog: "udp", "tcp", "tls" or "unix"
	Address       string // of syslog: host:port
	Format        string // of syslog: "rfc5424" or "rfc3164"
	Framing       string // of syslog by TCP: "octets" or "lf"
	CA, Cert, Key string // of syslog by TLS: PEM files; "": the system's authorities, no certificate

	Keep time.Duration // of SQL: how old a row gets; 0: any age

	text string // as it was written
}

var (
	_ encoding.TextMarshaler   = AuditSinks{}
	_ encoding.TextUnmarshaler = (*AuditSinks)(nil)
)

// sinkShapes says what there is, for those who wrote something else.
const sinkShapes = "write stdout, sql, file:///path, xferlog:///path, syslog+udp://host:port, syslog+tcp://host:port, " +
	"syslog+tls://host:port or syslog+unix:///path"

// ParseAuditSinks reads a list of URLs, parted by commas. The error holds one for each
// problem.
func ParseAuditSinks(s string) (AuditSinks, error) {
	var sinks AuditSinks
	var problems []error
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	for entry := range strings.SplitSeq(s, ",") {
		sink, errs := parseAuditSink(strings.TrimSpace(entry))
		if len(errs) == 0 && slices.ContainsFunc(sinks, sink.same) {
			errs = []error{fmt.Errorf("%q is there twice: keep one", sink.text)}
		}
		problems = append(problems, errs...)
		sinks = append(sinks, sink)
	}
	return sinks, errors.Join(problems...)
}

// parseAuditSink reads one URL.
func parseAuditSink(text string) (AuditSink, []error) {
	sink := AuditSink{text: text}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Fragment != "" {
		return sink, []error{fmt.Errorf("%q is no sink: %s", text, sinkShapes)}
	}
	if err := sink.target(u); err != nil {
		return sink, []error{err}
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return sink, []error{fmt.Errorf("%q: behind the ? write name=value, parted by &", text)}
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := sink.set(name, values[name]); err != nil {
			problems = append(problems, fmt.Errorf("%q: %w", text, err))
		}
	}
	if (sink.Cert == "") != (sink.Key == "") {
		problems = append(problems, fmt.Errorf("%q: cert and key need each other", text))
	}
	return sink, problems
}

// target takes what stands before the "?", and the defaults of the kind.
func (s *AuditSink) target(u *url.URL) error {
	s.Path = u.Path
	port, needsHost := "", false
	switch u.Scheme {
	case "": // a word
		s.Kind, s.Path = u.Path, ""
	case AuditFile, AuditXferlog:
		s.Kind = u.Scheme
	case "syslog+unix":
		s.Kind, s.Transport, s.Format = AuditSyslog, "unix", "rfc3164"
	case "syslog+udp", "syslog+tcp", "syslog+tls":
		s.Kind, s.Transport, s.Format = AuditSyslog, strings.TrimPrefix(u.Scheme, "syslog+"), "rfc5424"
		port, needsHost = "514", true
	}
	switch s.Transport {
	case "tcp":
		s.Framing = "octets"
	case "tls":
		port = "6514" // RFC 5425, 4.1
	}
	switch {
	case s.Kind == AuditSQL && u.Host == "":
		s.Keep = 90 * 24 * time.Hour
	case s.Kind == AuditStdout && u.Host == "":
	case needsHost && u.Hostname() != "" && strings.Trim(u.Path, "/") == "":
		s.Path, s.Address = "", net.JoinHostPort(u.Hostname(), port)
		if u.Port() != "" {
			s.Address = u.Host
		}
	case s.Kind == "", needsHost, u.Host != "", len(s.Path) < 2, u.Scheme == "":
		return fmt.Errorf("%q is no sink: %s", s.text, sinkShapes)
	}
	return nil
}

// options are what may stand behind the "?", and where it goes.
func (s *AuditSink) options() map[string]any {
	switch {
	case s.Kind == AuditFile || s.Kind == AuditXferlog:
		return map[string]any{"rotate_size": &s.RotateSize, "rotate_age": &s.RotateAge, "keep": &s.RotateKeep}
	case s.Kind == AuditSQL:
		return map[string]any{"keep": &s.Keep}
	case s.Transport == "tcp":
		return map[string]any{"format": &s.Format, "framing": &s.Framing}
	case s.Transport == "tls":
		return map[string]any{"format": &s.Format, "ca": &s.CA, "cert": &s.Cert, "key": &s.Key}
	case s.Kind == AuditSyslog:
		return map[string]any{"format": &s.Format}
	}
	return nil
}

// set takes one option.
func (s *AuditSink) set(name string, values []string) error {
	options := s.options()
	field, ok := options[name]
	switch {
	case !ok && len(options) == 0:
		return fmt.Errorf("no option %s: there are none", name)
	case !ok:
		return fmt.Errorf("no option %s: there are %s", name, strings.Join(slices.Sorted(maps.Keys(options)), ", "))
	case len(values) > 1:
		return fmt.Errorf("%s is there twice: keep one", name)
	}
	text := values[0]
	if _, ok := field.(*time.Duration); ok {
		text = daysToHours(text)
	}
	if err := (setting{name, reflect.ValueOf(field).Elem()}).set(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case name == "format" && s.Format != "rfc5424" && s.Format != "rfc3164":
		return fmt.Errorf("format: %q is not known: write rfc5424 or rfc3164", s.Format)
	case name == "framing" && s.Framing != "octets" && s.Framing != "lf":
		return fmt.Errorf("framing: %q is not known: write octets or lf", s.Framing)
	case s.RotateAge < 0 || s.RotateKeep < 0 || s.Keep < 0:
		return fmt.Errorf("%s is below 0", name)
	}
	return nil
}

// daysToHours lets ages be written in days: 90d.
func daysToHours(text string) string {
	days, ok := strings.CutSuffix(text, "d")
	n, err := strconv.ParseUint(days, 10, 16)
	if !ok || err != nil {
		return text
	}
	return strconv.FormatUint(24*n, 10) + "h"
}

// same tells whether both write to the same place.
func (s AuditSink) same(o AuditSink) bool {
	if s.Path != "" || o.Path != "" {
		return s.Path == o.Path
	}
	return s.Kind == o.Kind && s.Transport == o.Transport && s.Address == o.Address
}

// String returns the sink as it was written.
func (s AuditSink) String() string { return s.text }

// String writes the sinks so that ParseAuditSinks reads them again.
func (a AuditSinks) String() string {
	texts := make([]string, len(a))
	for i, s := range a {
		texts[i] = s.text
	}
	return strings.Join(texts, ", ")
}

// MarshalText returns String.
func (a AuditSinks) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAuditSinks.
func (a *AuditSinks) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAuditSinks(string(text))
	return err
}

// audit finds two sinks in one place.
func (ck *checker) audit(a Audit) {
	file := AuditSink{Path: a.File}
	if a.File == "-" {
		file = AuditSink{Kind: AuditStdout}
	}
	for _, s := range a.Sinks {
		ck.require(a.File == "" || !s.same(file), "audit.sinks", "%q is audit.file, too: keep one", s)
	}
}
