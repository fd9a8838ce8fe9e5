package driver

import (
	"fmt"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/encoding"
)

// Site is every SITE command but HELP, which is the session's. It returns the text of the
// reply, or a Reply.
func (d *Driver) Site(param string) (text string, err error) {
	verb, args, _ := strings.Cut(param, " ")
	verb = strings.ToUpper(verb)
	text, err = d.site(verb, args)
	return text, d.reply("SITE "+verb, err)
}

func (d *Driver) site(verb, args string) (string, error) {
	switch verb {
	case "CHARSET":
		return d.siteCharset(args)
	case "UTIME":
		return "Time set", d.siteUtime(args)
	case "CHMOD", "CHOWN", "CHGRP", "UMASK", "SYMLINK":
		return "", errNoModes
	}
	return "", errNoCommand
}

// siteCharset shows or sets the charset of the session's file names; "auto" leaves it to
// the names again.
func (d *Driver) siteCharset(charset string) (string, error) {
	switch {
	case strings.EqualFold(charset, "auto"):
		d.Names.Auto()
	case charset != "":
		if err := d.Names.Fix(charset); err != nil {
			return "", syntax("unknown charset; known are auto %s", strings.Join(encoding.Names(), " "))
		}
	}
	switch name, confidence := d.Names.Charset(); confidence {
	case 1:
		return "File names are in " + name, nil
	case 0:
		return "File names are taken for " + name + " until one tells more", nil
	default:
		return fmt.Sprintf("File names seem to be in %s (%.1f %% sure)", name, 100*confidence), nil
	}
}

// siteUtime reads both forms that clients send: "YYYYMMDDhhmm[ss] path", and
// "path atime mtime ctime UTC" with times of 14 digits.
func (d *Driver) siteUtime(args string) error {
	first, rest, _ := strings.Cut(args, " ")
	if t, ok := parseTime(first); ok && rest != "" {
		return d.SetTime(rest, t)
	}
	words := strings.Split(args, " ")
	if n := len(words); n >= 5 && strings.EqualFold(words[n-1], "UTC") {
		if t, ok := parseTime(words[n-3]); ok {
			return d.SetTime(strings.Join(words[:n-4], " "), t)
		}
	}
	return syntax("use SITE UTIME YYYYMMDDhhmmss path")
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{"20060102150405", "200601021504"} {
		if t, err := time.Parse(layout, s); err == nil && len(s) == len(layout) && !t.IsZero() {
			return t, true
		}
	}
	return time.Time{}, false
}
