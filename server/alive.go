package server

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

var errClientGone = errors.New("control connection closed")

// alive tells whether the client still holds the control connection. It is asked when a
// data connection has ended, before the file is published: a client that was killed in
// mid-upload ends its data as one that is done, and only the control connection tells.
//
// The kernel is asked, too: the end of the connection may be there already while run has
// not read it yet.
func (s *session) alive() error {
	s.mu.Lock()
	gone, quit := s.gone, s.quit
	s.mu.Unlock()
	if quit {
		return nil
	}
	if gone || hungUp(s.raw) {
		return errClientGone
	}
	return nil
}

// hungUp tells whether the peer of a TCP connection has closed its side.
func hungUp(conn any) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	hup := false
	err = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}} //nolint:gosec // fds are small
		n, pollErr := unix.Poll(poll, 0)
		hup = pollErr == nil && n > 0
	})
	return hup || err != nil
}
