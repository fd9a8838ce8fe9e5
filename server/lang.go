package server

import "strings"

// doLang chooses the language of replies, of which there is one: English (RFC 2640, 4).
func (s *session) doLang(c command) {
	primary, _, _ := strings.Cut(c.arg, "-")
	switch {
	case c.arg == "" || strings.EqualFold(primary, "en") && isLanguage(c.arg):
		s.reply("200 Replies are in English")
	case !isLanguage(c.arg):
		s.reply("501 LANG needs a language tag, such as EN")
	default:
		s.noteLanguage(c.arg)
		s.reply("504 Only LANG EN is supported")
	}
}

// noteLanguage keeps what a client would rather have read: its file names are probably in a
// charset of that language. English, which is all that FEAT offers, says nothing of them.
func (s *session) noteLanguage(tag string) {
	if strings.EqualFold(tag, s.language) {
		return
	}
	s.language = tag
	if s.files != nil {
		s.files.Names.Language(tag)
	}
}

// isLanguage tells whether a text has the form of a language tag (RFC 1766, 2).
func isLanguage(tag string) bool {
	for part := range strings.SplitSeq(tag, "-") {
		if len(part) < 1 || len(part) > 8 || strings.ContainsFunc(part, isNoWord) {
			return false
		}
	}
	return true
}

func isNoWord(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
}
