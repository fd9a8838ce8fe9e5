package audit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// syslogTimeout bounds connecting, and the writing of one message.
const syslogTimeout = 10 * time.Second

// Transport is how syslog messages travel.
type Transport string

// The transports.
const (
	UDP  Transport = "udp"  // RFC 5426: a datagram each
	TCP  Transport = "tcp"  // RFC 6587
	TLS  Transport = "tls"  // RFC 5425
	Unix Transport = "unix" // a socket of the machine's own daemon, such as /dev/log
)

// Framing is how a stream tells messages apart (RFC 6587, 3.4).
type Framing int

// The framings.
const (
	OctetCounting Framing = iota // the length before each
	LineFeeds                    // a line feed after each
)

// SyslogOptions are what NewSyslog needs.
type SyslogOptions struct {
	Transport Transport
	Address   string      // host:port, or a path
	Format    Format      // RFC5424 or RFC3164
	Framing   Framing     // of streams; TLS knows OctetCounting only
	TLS       *tls.Config // of TLS
}

// Syslog is a Sink that sends messages to a syslog daemon. It connects when there is
// something to send, and again when the connection is lost. Syslog has no receipts: what
// was on its way then may be lost.
type Syslog struct {
	o     SyslogOptions
	link  *link // nil: not connected
	line  []byte
	frame []byte
}

var _ Sink = (*Syslog)(nil)

// NewSyslog returns a sink that is not connected yet.
func NewSyslog(o SyslogOptions) *Syslog { return &Syslog{o: o} }

// String returns "syslog", transport and address.
func (s *Syslog) String() string { return fmt.Sprintf("syslog %s %s", s.o.Transport, s.o.Address) }

// Write sends a message for each event.
func (s *Syslog) Write(ctx context.Context, events []Event) (int, error) {
	if err := s.connect(ctx); err != nil {
		return 0, err
	}
	unblock := context.AfterFunc(ctx, s.link.interrupt)
	defer unblock()
	for i, e := range events {
		if err := s.send(ctx, e); err != nil {
			// What was sent of the message cannot be told: the next one needs a new stream.
			s.disconnect()
			return i, fmt.Errorf("send to %s: %w", s, err)
		}
	}
	return len(events), nil
}

// connect connects unless there is a connection that works.
func (s *Syslog) connect(ctx context.Context) error {
	if s.link != nil && !s.link.hungUp() {
		return nil
	}
	s.disconnect()
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s, err)
	}
	s.link = newLink(conn)
	return nil
}

func (s *Syslog) dial(ctx context.Context) (net.Conn, error) {
	var plain net.Dialer
	switch s.o.Transport {
	case TLS:
		d := tls.Dialer{NetDialer: &plain, Config: s.o.TLS}
		return d.DialContext(ctx, "tcp", s.o.Address)
	case Unix:
		conn, err := plain.DialContext(ctx, "unixgram", s.o.Address)
		if errors.Is(err, syscall.EPROTOTYPE) { // it is a stream
			return plain.DialContext(ctx, "unix", s.o.Address)
		}
		return conn, err
	default:
		return plain.DialContext(ctx, string(s.o.Transport), s.o.Address)
	}
}

// send sends one message, framed if the connection is a stream.
func (s *Syslog) send(ctx context.Context, e Event) error {
	s.line = s.o.Format(s.line[:0], e)
	message := s.line
	switch {
	case len(message) == 0:
		return nil
	case !s.link.stream:
	case s.o.Framing == LineFeeds && s.o.Transport != TLS:
		message = append(message, '\n')
	default:
		s.frame = append(strconv.AppendInt(s.frame[:0], int64(len(message)), 10), ' ')
		s.frame = append(s.frame, message...)
		message = s.frame
	}
	if err := s.link.SetWriteDeadline(time.Now().Add(syslogTimeout)); err != nil {
		return err
	}
	if ctx.Err() != nil { // or the deadline would undo the interruption
		return ctx.Err()
	}
	_, err := s.link.Write(message)
	return err
}

func (s *Syslog) disconnect() {
	if s.link != nil {
		s.link.close()
		s.link = nil
	}
}

// Close ends the connection.
func (s *Syslog) Close() error {
	s.disconnect()
	return nil
}
