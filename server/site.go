package server

import "strings"

// doSite executes what is particular to this server (RFC 959, 4.1.3).
func (s *session) doSite(c command) {
	if c.arg == "" {
		s.reply("501 SITE needs a command; try SITE HELP")
		return
	}
	if verb, behind, _ := strings.Cut(strings.ToUpper(c.arg), " "); verb == "HELP" {
		s.siteHelp(behind)
		return
	}
	text, err := s.files.Site(c.arg)
	s.done(err, "200 "+text)
}
