package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxStoredName is the longest name an account can be made with, in bytes.
const MaxStoredName = 190

// ParseStatus reads a status.
func ParseStatus(s string) (Status, error) {
	switch status := Status(s); status {
	case Active, Suspended:
		return status, nil
	}
	return "", fmt.Errorf("unknown status %q: use active or suspended", s)
}

// ParseCIDRs reads networks separated by commas, "10.0.0.0/8, 2001:db8::1"; a bare
// address is a network of one.
func ParseCIDRs(s string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		p, err := parseCIDR(word)
		if err != nil {
			return nil, fmt.Errorf("%q is no network like 10.0.0.0/8 and no address", word)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func parseCIDR(word string) (netip.Prefix, error) {
	if !strings.Contains(word, "/") {
		addr, err := netip.ParseAddr(word)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, errors.Join(err, errors.New("no plain address"))
		}
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(word)
	if err == nil && p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("IPv4 mapped into IPv6")
	}
	return p.Masked(), err
}

// FormatCIDRs writes networks so that ParseCIDRs reads them again.
func FormatCIDRs(prefixes []netip.Prefix) string {
	words := make([]string, len(prefixes))
	for i, p := range prefixes {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// ParsePrefix reads an account's place in its bucket. A prefix that is not empty gets its
// "/" at the end. One that no path could lead into is an error.
func ParsePrefix(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	prefix := strings.TrimSuffix(s, "/") + "/"
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("prefix %q holds control characters or is not UTF-8", s)
	case strings.HasPrefix(prefix, "/"):
		return "", fmt.Errorf("prefix %q begins with /", s)
	}
	for element := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if element == "" || element == "." || element == ".." {
			return "", fmt.Errorf("prefix %q holds // or . or .. as a name", s)
		}
	}
	return prefix, nil
}

// CheckName tells whether an account may be made with this name. It also becomes part of
// paths and log lines: printable UTF-8 without "/", up to MaxStoredName bytes.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > MaxStoredName:
		return fmt.Errorf("the name is longer than %d bytes", MaxStoredName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("name %q holds characters that cannot be printed", name)
	case strings.Contains(name, "/") || name == "." || name == "..":
		return fmt.Errorf("name %q is a path", name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("name %q begins or ends with a space", name)
	}
	return nil
}
