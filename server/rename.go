package server

// doRnfr notes what is to be renamed (RFC 959, 4.1.3). It is forgotten when another command
// than RNTO comes; see forget.
func (s *session) doRnfr(c command) {
	if _, err := s.files.Stat(c.arg); err != nil {
		s.replyError(err)
		return
	}
	s.renameFrom = c.arg
	s.reply("350 Now send RNTO with the new name")
}

func (s *session) doRnto(c command) {
	from := s.renameFrom
	s.renameFrom = ""
	if from == "" {
		s.reply("503 Send RNFR first")
		return
	}
	s.done(s.files.Rename(from, c.arg), "250 Renamed")
}
