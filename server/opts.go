package server

import "strings"

// doOpts sets an option of another command (RFC 2389, 4).
func (s *session) doOpts(c command) string {
	option, value, _ := strings.Cut(c.arg, " ")
	switch strings.ToUpper(option) {
	case "UTF8", "UTF-8":
		s.optsUTF8(strings.ToUpper(value))
	case "MLST":
		s.optsMLST(value)
	case "HASH":
		s.optsHash(value)
	case "":
		s.reply("501 OPTS needs the name of a command")
	default:
		s.reply("501 No options of %s are known", shown(option))
	}
	return ""
}

// optsUTF8 fixes the charset of file names (RFC 2640, and the draft that clients follow).
func (s *session) optsUTF8(value string) {
	switch value {
	case "", "ON", "NLST":
		s.utf8 = true
		s.fixCharset()
		s.reply("200 File names are in UTF-8")
	case "OFF":
		s.utf8 = false
		s.reply("200 File names are in whatever charset they come in")
	default:
		s.reply("501 Use OPTS UTF8 ON or OPTS UTF8 OFF")
	}
}

// fixCharset tells the driver what OPTS UTF8 ON has said, which may come before the login.
func (s *session) fixCharset() {
	if !s.utf8 || s.files == nil {
		return
	}
	if err := s.files.Names.Fix("UTF-8"); err != nil {
		s.log.Warn("charset not fixed", "err", err)
	}
}
