package config

import (
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
)

// Secret is text that must not be seen. Whatever prints it, prints "[redacted]": every
// verb of fmt, JSON, YAML, slog. (fmt cannot call methods through an unexported field:
// keep a Secret in exported ones, or Reveal it only where it is used.)
type Secret string

var (
	_ fmt.Formatter            = Secret("")
	_ slog.LogValuer           = Secret("")
	_ encoding.TextMarshaler   = Secret("")
	_ encoding.TextUnmarshaler = (*Secret)(nil)
)

const redacted = "[redacted]"

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// Format prints "[redacted]" for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) } // fmt drops errors too

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]"; encoding/json and YAML use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// Size is a number of bytes. Its text form is "8MiB" (1024-based), "10GB" (1000-based)
// or plain bytes.
type Size int64

var (
	_ encoding.TextMarshaler   = Size(0)
	_ encoding.TextUnmarshaler = (*Size)(nil)
)

// The 1024-based units.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

type unit struct {
	name  string
	bytes Size
}

// units lists larger units first, and of two suffixes the longer: "B" is last.
func units() []unit {
	return []unit{
		{"TiB", TiB}, {"TB", 1e12}, {"GiB", GiB}, {"GB", 1e9},
		{"MiB", MiB}, {"MB", 1e6}, {"KiB", KiB}, {"KB", 1e3}, {"B", 1},
	}
}

// ParseSize reads "8MiB", "10GB", "512" and the like: a whole number and a unit of which
// the case does not matter.
func ParseSize(s string) (Size, error) {
	number, factor := strings.TrimSpace(s), Size(1)
	for _, u := range units() {
		if cut := len(number) - len(u.name); cut > 0 && strings.EqualFold(number[cut:], u.name) {
			number, factor = strings.TrimSpace(number[:cut]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(factor) {
		return 0, fmt.Errorf("%q is no size: write a whole number and a unit, as in 8MiB, 512KiB or 10GB", s)
	}
	return Size(n) * factor, nil
}

// String writes s in the largest unit that divides it; ParseSize reads it again.
func (s Size) String() string {
	for _, u := range units() {
		if s >= u.bytes && s%u.bytes == 0 && u.bytes > 1 {
			return fmt.Sprintf("%d%s", s/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText returns String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseSize.
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}

// PortRange is a range of TCP ports, both ends included. The zero PortRange means any
// free port.
type PortRange struct{ First, Last int }

var (
	_ encoding.TextMarshaler   = PortRange{}
	_ encoding.TextUnmarshaler = (*PortRange)(nil)
)

// ParsePortRange reads "50000-50999", "50000" (one port), and "0" or "" (any free port).
func ParsePortRange(s string) (PortRange, error) {
	first, last, ranged := strings.Cut(strings.TrimSpace(s), "-")
	if !ranged && (first == "" || first == "0") {
		return PortRange{}, nil
	}
	if !ranged {
		last = first
	}
	a, errA := parsePort(first)
	b, errB := parsePort(last)
	if errA != nil || errB != nil || a > b {
		return PortRange{}, fmt.Errorf("%q is no range of ports: write the first and the last, as in 50000-50999, or 0 for any free port", s)
	}
	return PortRange{First: a, Last: b}, nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return int(n), err
}

// Any tells whether r means any free port.
func (r PortRange) Any() bool { return r == PortRange{} }

// Contains tells whether port is in r; an r that means any free port contains none.
func (r PortRange) Contains(port int) bool { return r.First <= port && port <= r.Last && port > 0 }

// String writes r so that ParsePortRange reads it again.
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// MarshalText returns String.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParsePortRange.
func (r *PortRange) UnmarshalText(text []byte) (err error) {
	*r, err = ParsePortRange(string(text))
	return err
}
