package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// wakeAt is how many bytes wait for a client before it is woken, unless it is the end.
const wakeAt = 256 << 10

// discard reads a data connection to its end and returns how many bytes there were. Over
// plain TCP the kernel drops them uncopied: clients share this machine with what is measured.
func discard(conn net.Conn, buf []byte) (int64, error) {
	if t, ok := conn.(*tls.Conn); ok {
		return drain(t, buf)
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var lowErr error
	err = raw.Control(func(fd uintptr) {
		lowErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, wakeAt)
	})
	if err := errors.Join(err, lowErr); err != nil {
		return 0, fmt.Errorf("set SO_RCVLOWAT: %w", err)
	}
	var total int64
	for {
		n, err := drop(raw, buf)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		total += int64(n)
	}
}

// drop is one read that copies nothing: see MSG_TRUNC in tcp(7).
func drop(raw interface {
	Read(func(uintptr) bool) error
}, buf []byte) (n int, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), buf, unix.MSG_TRUNC)
		return err != unix.EAGAIN
	})
	switch {
	case waitErr != nil:
		return 0, waitErr
	case err != nil:
		return 0, os.NewSyscallError("recvfrom", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
