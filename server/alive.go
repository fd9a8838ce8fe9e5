package server

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var errClientGone = errors.New("control connection closed")

// alive tells whether the client still holds the control connection. It is asked when a
// data connection has ended, before the file is published: a client that was killed in
// mid-upload ends its data as one that is done, and only the control connection tells.
//
// A process that is killed closes its connections in any order, and packets overtake each
// other. So the client is given until a moment after its data ended to turn out dead; most
// of that passes while the store is asked other things. The kernel is asked, too: the end
// of the connection may be there already while run has not read it yet.
func (s *session) alive(ended time.Time) error {
	s.mu.Lock()
	quit := s.quit
	s.mu.Unlock()
	if quit {
		return nil
	}
	if s.grace == 0 {
		s.grace = grace(s.raw)
	}
	timer := time.NewTimer(time.Until(ended.Add(s.grace)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.gone:
		return errClientGone
	}
	if hungUp(s.raw) {
		return errClientGone
	}
	return nil
}

// The two ends of a killed client's connections are this far apart, at most: on the way
// through a network, a part of its round-trip time.
const (
	minGrace = 2 * time.Millisecond
	maxGrace = 50 * time.Millisecond
)

// grace is how long to wait for the end of a control connection after that of its data.
func grace(conn any) time.Duration {
	wait := minGrace
	_ = withFD(conn, func(fd int) { // else the minimum must do
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			wait += time.Duration(info.Rtt) * time.Microsecond / 4
		}
	})
	return min(wait, maxGrace)
}

// hungUp tells whether the peer of a TCP connection has closed its side.
func hungUp(conn any) bool {
	hup := false
	err := withFD(conn, func(fd int) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}} //nolint:gosec // fds are small
		n, err := unix.Poll(poll, 0)
		hup = err == nil && n > 0
	})
	return hup || err != nil
}

// withFD calls f with a connection's file descriptor.
func withFD(conn any, f func(fd int)) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}
