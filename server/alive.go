package server

import (
	"context"
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
// of the connection may be there already while the reader has not seen it yet.
//
// A client that has said QUIT may close its side, and wait for the replies. One that was
// killed then looks the same, until it is sent something.
func (s *session) alive(ended time.Time) error {
	s.awaitEnd(ended)
	state := stateOf(s.raw)
	s.mu.Lock()
	ends, quit := s.isGone || state == halfClosed, s.quit
	s.mu.Unlock()
	switch {
	case state == broken, ends && !quit:
		return errClientGone
	case ends && !s.stays:
		if s.stays = acknowledges(s.ctx, s.raw); !s.stays {
			return errClientGone
		}
	}
	return nil
}

// awaitEnd waits for the control connection to end, if it is going to.
func (s *session) awaitEnd(ended time.Time) {
	if s.grace == 0 {
		s.grace = grace(s.raw)
	}
	timer := time.NewTimer(time.Until(ended.Add(s.grace)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.gone:
	}
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

// tcpState is what the peer of a TCP connection has done to it.
type tcpState int

const (
	open       tcpState = iota
	halfClosed          // the peer sends no more
	broken              // the peer does not even take anything any more
)

func stateOf(conn any) tcpState {
	state := open
	err := withFD(conn, func(fd int) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}} //nolint:gosec // fds are small
		_, err := unix.Poll(poll, 0)
		switch events := poll[0].Revents; {
		case err != nil || events&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0:
			state = broken
		case events&unix.POLLRDHUP != 0:
			state = halfClosed
		}
	})
	if err != nil {
		return broken // by ourselves
	}
	return state
}

// acknowledgeTimeout is how long a client's system may take to acknowledge a byte.
const acknowledgeTimeout = 3 * time.Second

// acknowledges tells whether a peer that sends no more still takes something. It is sent a
// byte: if nobody holds its end of the connection any more, its system answers with a reset.
// The byte is urgent data, which the peer's reads leave out (RFC 6093).
func acknowledges(ctx context.Context, conn any) bool {
	err := withFD(conn, func(fd int) {
		_ = unix.Send(fd, []byte{'\r'}, unix.MSG_OOB) // if it cannot be sent, the state tells
	})
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, acknowledgeTimeout)
	defer cancel()
	check := time.NewTicker(time.Millisecond)
	defer check.Stop()
	for {
		taken := unacknowledged(conn) == 0
		if stateOf(conn) == broken {
			return false
		}
		if taken {
			return true
		}
		select {
		case <-check.C:
		case <-ctx.Done():
			return false
		}
	}
}

// unacknowledged is how many bytes of a TCP connection are on their way, or -1.
func unacknowledged(conn any) int {
	n := -1
	_ = withFD(conn, func(fd int) { // then it is not known
		if queued, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ); err == nil {
			n = queued
		}
	})
	return n
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
