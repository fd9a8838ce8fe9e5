package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

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
		for errors.Is(err, unix.EINTR) { // Go interrupts its threads by signals
			_, err = unix.Poll(poll, 0)
		}
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

// maxDiscarded is how many bytes discardInput drops.
const maxDiscarded = 64 << 10

// discardInput drops what has been received, and does not wait for more.
func discardInput(conn any) {
	_ = withFD(conn, func(fd int) { // then there is nothing to be dropped
		var scratch [4 << 10]byte
		for range maxDiscarded / len(scratch) {
			if n, _, err := unix.Recvfrom(fd, scratch[:], unix.MSG_DONTWAIT); n <= 0 || err != nil {
				return
			}
		}
	})
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

// bytesMoved is how many bytes a connection has received and sent, those of TLS included.
// What the peer has not acknowledged is not sent yet.
func bytesMoved(conn net.Conn) (received, sent uint64) {
	_ = withFD(tcpBelow(conn), func(fd int) { // then it is not known
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			received, sent = info.Bytes_received, max(info.Bytes_acked, 1)-1 // its SYN counts, too
		}
	})
	return received, sent
}

// tcpBelow is the TCP connection of a data connection.
func tcpBelow(conn net.Conn) net.Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if watched, ok := conn.(*watchedConn); ok {
		conn = watched.Conn
	}
	return conn
}
