package audit

import (
	"io"
	"net"
	"time"
)

// link is a connection that notices when the other side hangs up. Without that, TCP takes
// what is written next, and loses it.
type link struct {
	net.Conn
	stream bool
	gone   chan struct{} // closed when the other side has hung up; of datagrams: never
}

func newLink(conn net.Conn) *link {
	l := &link{Conn: conn, stream: true, gone: make(chan struct{})}
	switch conn.RemoteAddr().Network() {
	case "udp", "unixgram":
		l.stream = false
		return l
	}
	go func() { // until close
		defer close(l.gone)
		_, _ = io.Copy(io.Discard, conn) // receivers say nothing; only the end matters
	}()
	return l
}

// hungUp tells whether the other side has ended the connection.
func (l *link) hungUp() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// interrupt ends writing at once.
func (l *link) interrupt() { _ = l.SetWriteDeadline(time.Unix(1, 0)) } // fails only when closed

// close closes the connection and waits for the goroutine.
func (l *link) close() {
	_ = l.Close() // every message was written, or given up
	if l.stream {
		<-l.gone
	}
}
