package server

import "strings"

// doOpts sets an option of another command (RFC 2389, 4).
func (s *session) doOpts(c command) {
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
}

// optsUTF8 fixes the charset of file names (RFC 2640, and the draft that clients follow).
func (s *session) optsUTF8(value string) {
	switch value {
	case "", "ON", "NLST":
		s.utf8 = utf8On
		s.tellUTF8()
		s.reply("200 File names are in UTF-8")
	case "OFF":
		s.utf8 = utf8Off
		s.tellUTF8()
		s.reply("200 File names are in whatever charset they come in")
	default:
		s.reply("501 Use OPTS UTF8 ON or OPTS UTF8 OFF")
	}
}

// utf8Option is what OPTS UTF8 has said.
type utf8Option int

const (
	utf8Unsaid utf8Option = iota
	utf8On
	utf8Off
)

// tellCharset tells the driver what the client has said of its charset before the login.
func (s *session) tellCharset() {
	if s.language != "" {
		s.files.Names.Language(s.language)
	}
	s.files.Names.Client(s.client)
	s.tellUTF8()
}

func (s *session) tellUTF8() {
	switch {
	case s.files == nil || s.utf8 == utf8Unsaid:
	case s.utf8 == utf8Off:
		s.files.Names.NotUTF8()
	default:
		if err := s.files.Names.Fix("UTF-8"); err != nil {
			s.log.Warn("charset not fixed", "err", err)
		}
	}
}
