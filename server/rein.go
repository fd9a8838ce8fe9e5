package server

import "time"

// doRein ends the login, and takes the session back to where it began (RFC 959, 4.1.1). TLS
// stays: going on in clear would help nobody.
func (s *session) doRein(command) {
	if s.account != nil {
		s.reportLogout()
		s.server.dismissUser(s)
		s.dir = "/"
		s.signOff()
	}
	s.setDataPort(nil)
	s.name, s.files, s.settings = "", nil, s.defaults()
	s.reply("220 Ready for a new user")
}

// signOff takes the account away, and begins to wait for the next one.
func (s *session) signOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account, s.fresh, s.began = nil, nil, time.Now()
}
