package server

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// A data connection on which nothing moves is probed, so that firewalls on the way keep
// it, and a peer that has vanished is noticed: after keepAliveIdle of silence, every
// keepAliveEvery, keepAliveProbes times. Seconds.
const (
	keepAliveIdle   = 15
	keepAliveEvery  = 15
	keepAliveProbes = 4
)

// keepAlive turns TCP keep-alive on. A listener hands it down to what it accepts, which
// saves every transfer the system calls.
func keepAlive(conn syscall.RawConn) error {
	var err error
	controlErr := conn.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveIdle),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveEvery),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveProbes))
	})
	return errors.Join(controlErr, err)
}
