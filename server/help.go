package server

import (
	"fmt"
	"slices"
	"strings"
)

// usage is a command as HELP explains it.
type usage struct{ verb, parameters string }

// usages are the commands that work, by their kind.
func usages() []usage {
	return []usage{
		{"USER", "<name>"}, {"PASS", "<password>"}, {"REIN", ""}, {"QUIT", ""}, {"HOST", "<name>"},
		{"AUTH", "TLS"}, {"PBSZ", "0"}, {"PROT", "C|P"}, {"CCC", ""},
		{"FEAT", ""}, {"OPTS", "UTF8|HASH|MLST [<value>]"}, {"HELP", "[<command>]"}, {"LANG", "[EN]"}, {"CLNT", "<name>"},
		{"SYST", ""}, {"STAT", "[<path>]"}, {"NOOP", ""}, {"SITE", "<command>"},
		{"TYPE", "I|A"}, {"MODE", "S"}, {"STRU", "F"}, {"REST", "<bytes>"}, {"ALLO", "<bytes>"},
		{"PASV", ""}, {"EPSV", "[1|2|ALL]"}, {"PORT", "<h1,h2,h3,h4,p1,p2>"}, {"EPRT", "<|family|address|port|>"},
		{"RETR", "<file>"}, {"STOR", "<file>"}, {"APPE", "<file>"}, {"STOU", "[<name>]"}, {"ABOR", ""},
		{"LIST", "[<options>] [<path>]"}, {"NLST", "[<options>] [<path>]"}, {"MLSD", "[<directory>]"}, {"MLST", "[<path>]"},
		{"PWD", ""}, {"XPWD", ""}, {"CWD", "<directory>"}, {"XCWD", "<directory>"}, {"CDUP", ""}, {"XCUP", ""},
		{"MKD", "<directory>"}, {"XMKD", "<directory>"}, {"RMD", "<directory>"}, {"XRMD", "<directory>"},
		{"DELE", "<file>"}, {"RNFR", "<path>"}, {"RNTO", "<path>"},
		{"SIZE", "<file>"}, {"MDTM", "[<YYYYMMDDhhmmss>] <path>"}, {"MFMT", "<YYYYMMDDhhmmss> <path>"},
		{"MFF", "Modify=<YYYYMMDDhhmmss>; <path>"}, {"AVBL", "[<directory>]"},
		{"HASH", "<file>"}, {"XCRC", rangeUsage}, {"MD5", rangeUsage}, {"XMD5", rangeUsage}, {"XSHA", rangeUsage},
		{"XSHA1", rangeUsage}, {"XSHA256", rangeUsage}, {"XSHA512", rangeUsage},
	}
}

const rangeUsage = "<file> [<start> [<end>]]"

// siteUsages are the commands behind SITE.
func siteUsages() []usage {
	return []usage{{"CHARSET", "[<name>|auto]"}, {"HELP", "[<command>]"}, {"UTIME", "<YYYYMMDDhhmmss> <path>"}}
}

// doHelp lists the commands, or explains one (RFC 959, 4.1.3).
func (s *session) doHelp(c command) {
	verb, behind, _ := strings.Cut(strings.ToUpper(c.arg), " ")
	if verb == "SITE" {
		s.siteHelp(behind)
		return
	}
	known := slices.DeleteFunc(usages(), func(u usage) bool {
		_, works := s.handler(u.verb)
		return !works
	})
	if verb == "" {
		s.reply("214-These commands work:\r\n%s214 HELP <command> tells more", columns(known))
		return
	}
	s.explain(known, "", verb)
}

// explain tells about one command of a list.
func (s *session) explain(list []usage, before, verb string) {
	i := slices.IndexFunc(list, func(u usage) bool { return u.verb == verb })
	if i < 0 {
		s.reply("502 Unknown command %s%s", before, shown(verb))
	} else {
		s.reply("214 Syntax: %s", strings.TrimSpace(before+verb+" "+list[i].parameters))
	}
}

func (s *session) siteHelp(verb string) {
	if verb != "" {
		s.explain(siteUsages(), "SITE ", verb)
		return
	}
	var lines strings.Builder
	for _, u := range siteUsages() {
		fmt.Fprintf(&lines, " %s\r\n", strings.TrimSpace(u.verb+" "+u.parameters))
	}
	s.reply("214-These SITE commands work:\r\n%s214 End", lines.String())
}

// columns are the verbs as lines of a reply.
func columns(list []usage) string {
	const perLine = 8
	var lines strings.Builder
	for row := range slices.Chunk(list, perLine) {
		for _, u := range row {
			fmt.Fprintf(&lines, " %-8s", u.verb)
		}
		lines.WriteString("\r\n")
	}
	return lines.String()
}
