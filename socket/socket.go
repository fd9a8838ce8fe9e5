// Package socket moves bytes between connections, memory and pipes by system calls that the
// scheduler is not told of.
//
// Go's runtime takes a system call that lasts longer than 20 microseconds for one that waits:
// it wakes another thread for the goroutines behind it, and looks again 20 microseconds later.
// To copy 512 KiB lasts longer and waits for nothing, since the connections do not block. A
// tenth of the CPU of large transfers goes away with that mistake. For pieces of less than
// Worth bytes a connection's own methods are as good.
package socket

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Worth is from which size in bytes on a piece is worth it.
const Worth = 64 << 10

// Read reads up to len(p) bytes as soon as there are any, as read(2) does; at the end of the
// data it returns io.EOF. p must not be empty. The connection's read deadline holds.
func Read(conn syscall.RawConn, p []byte) (int, error) {
	n, err := when(conn.Read, "read", func(fd uintptr) (uintptr, syscall.Errno) {
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))) // #nosec G103 -- as package syscall does
		return n, errno
	})
	runtime.KeepAlive(p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write writes all of p, as net.Conn does. The connection's write deadline holds.
func Write(conn syscall.RawConn, p []byte) (int, error) {
	total := 0
	for total < len(p) {
		rest := p[total:]
		n, err := when(conn.Write, "write", func(fd uintptr) (uintptr, syscall.Errno) {
			n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(rest))), uintptr(len(rest))) // #nosec G103 -- as package syscall does
			return n, errno
		})
		runtime.KeepAlive(rest)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// Lend puts up to len(p) bytes into a pipe that is empty, without copying them (vmsplice(2)):
// until they have been read, from wherever they are spliced to, p must not change. p must not be
// empty.
func Lend(pipe int, p []byte) (int, error) {
	v := unix.Iovec{Base: &p[0]}
	v.SetLen(len(p))
	n, _, errno := syscall.RawSyscall6(unix.SYS_VMSPLICE, uintptr(pipe), uintptr(unsafe.Pointer(&v)), 1, unix.SPLICE_F_NONBLOCK, 0, 0) // #nosec G103 -- as package unix does
	if errno != 0 {
		return 0, os.NewSyscallError("vmsplice", errno)
	}
	return int(n), nil
}

// SpliceFrom moves up to n bytes from a connection into a pipe that is empty, without copying
// them (splice(2)), as soon as there are any. At the end of the data it returns io.EOF. The
// connection's read deadline holds.
func SpliceFrom(conn syscall.RawConn, pipe, n int) (int, error) {
	moved, err := when(conn.Read, "splice", func(fd uintptr) (uintptr, syscall.Errno) {
		return splice(fd, uintptr(pipe), n)
	})
	if moved == 0 && err == nil {
		err = io.EOF
	}
	return moved, err
}

// SpliceTo moves up to n bytes from a pipe, which holds as many, to a connection. The
// connection's write deadline holds.
func SpliceTo(conn syscall.RawConn, pipe, n int) (int, error) {
	return when(conn.Write, "splice", func(fd uintptr) (uintptr, syscall.Errno) {
		return splice(uintptr(pipe), fd, n)
	})
}

func splice(from, to uintptr, n int) (uintptr, syscall.Errno) {
	moved, _, errno := syscall.RawSyscall6(unix.SYS_SPLICE, from, 0, to, 0, uintptr(n), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return moved, errno
}

// when makes a system call as soon as the connection is ready for it.
func when(ready func(func(fd uintptr) bool) error, name string, call func(fd uintptr) (uintptr, syscall.Errno)) (int, error) {
	var n uintptr
	var errno syscall.Errno
	err := ready(func(fd uintptr) bool {
		for {
			if n, errno = call(fd); errno != syscall.EINTR {
				return errno != syscall.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		return 0, os.NewSyscallError(name, errno)
	}
	return int(n), nil
}

// Of returns how to make system calls on a connection; a TCP one, for instance.
func Of(conn any) (syscall.RawConn, error) {
	if c, ok := conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errNotSocket
}

var errNotSocket = errors.New("connection is no socket")
