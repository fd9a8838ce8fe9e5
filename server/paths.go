package server

import (
	"path"
	"strings"
)

// The commands on a file or directory that need no data connection (RFC 959, 4.1.3).

// doPwd shows the working directory. The client may use the path as it is.
func (s *session) doPwd(command) {
	s.replyAsIs("257 " + quoted(s.files.Shown(s.Path())) + " is the current directory")
}

// quoted is a path in a 257 reply (RFC 959, Appendix II). It has no line ends: no such name
// can be made.
func quoted(path string) string { return `"` + strings.ReplaceAll(path, `"`, `""`) + `"` }

// absolute is a path of the client's, seen from the working directory.
func (s *session) absolute(wire string) string {
	if path.IsAbs(wire) {
		return path.Clean(wire)
	}
	return path.Join(s.Path(), wire)
}

func (s *session) doCwd(c command) { s.changeTo(s.absolute(c.arg)) }

func (s *session) doCdup(command) { s.changeTo(path.Dir(s.Path())) }

func (s *session) changeTo(dir string) {
	info, err := s.files.Stat(dir)
	switch {
	case err != nil:
		s.replyError(err)
	case !info.IsDir():
		s.reply("550 Not a directory")
	default:
		s.dir = dir
		s.reply("250 Directory changed")
	}
}

// doMkd makes a directory. The reply begins with its path, where clients look for it.
func (s *session) doMkd(c command) {
	if err := s.files.Mkdir(c.arg); err != nil {
		s.replyError(err)
		return
	}
	s.replyAsIs("257 " + quoted(s.absolute(c.arg)) + " created")
}

func (s *session) doRmd(c command) {
	s.done(s.files.RemoveDir(c.arg), "250 Directory removed")
}

func (s *session) doDele(c command) {
	s.done(s.files.Remove(c.arg), "250 File deleted")
}

// done replies to a command that has ended.
func (s *session) done(err error, reply string) {
	if err != nil {
		s.replyError(err)
	} else {
		s.reply("%s", reply)
	}
}

// doSize tells how many bytes RETR would send (RFC 3659, 4). In TYPE A nobody knows without
// reading the file.
func (s *session) doSize(c command) {
	if s.ascii {
		s.reply("550 SIZE is not known in TYPE A; use TYPE I first")
		return
	}
	info, err := s.files.Stat(c.arg)
	switch {
	case err != nil:
		s.replyError(err)
	case info.IsDir():
		s.reply("550 Is a directory")
	default:
		s.reply("213 %d", info.Size())
	}
}

// doAvbl tells how large a file may be uploaded to a directory
// (draft-peterson-streamlined-ftp-command-extensions).
func (s *session) doAvbl(c command) {
	info, err := s.files.Stat(c.arg)
	switch {
	case err != nil:
		s.replyError(err)
		return
	case !info.IsDir():
		s.reply("550 Not a directory")
		return
	}
	left, err := s.files.AvailableSpace()
	if err != nil {
		s.replyError(err)
	} else {
		s.reply("213 %d", left)
	}
}
