package server

// longestClient is how much of a program's name is kept, in bytes.
const longestClient = 64

// doClnt notes the name of the client's program: it says a little of how file names come.
func (s *session) doClnt(c command) {
	s.client = c.arg[:min(len(c.arg), longestClient)]
	if s.files != nil {
		s.files.Names.Client(s.client)
	}
	s.reply("200 Noted")
}
