package server

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// serve accepts connections until the server drains. Only a listener that somebody else
// has closed ends it before: what else accept(2) may say passes, such as that the process
// has no file descriptor left, or is the fault of one connection.
func (s *Server) serve(l net.Listener, implicit bool) error {
	if !s.track(l) {
		_ = l.Close() // never served
		return ErrClosed
	}
	defer s.running.Done()
	var backoff backoff
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			backoff = 0
			s.arrive(conn, implicit)
		case !s.serving(l):
			return ErrClosed
		case errors.Is(err, net.ErrClosed):
			s.untrack(l)
			return fmt.Errorf("accept: %w", err)
		default:
			if backoff == 0 {
				s.Log.Error("no connections can be accepted now", "err", err)
			}
			s.pause(backoff.next())
		}
	}
}

// How long to wait after a failure of accept, and after the next ones at most.
const (
	minBackoff = 5 * time.Millisecond
	maxBackoff = time.Second
)

// backoff is how long the last wait was.
type backoff time.Duration

func (b *backoff) next() time.Duration {
	*b = max(min(*b*2, backoff(maxBackoff)), backoff(minBackoff))
	return time.Duration(*b)
}

// pause waits, but no longer than until the server drains.
func (s *Server) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.drained:
	}
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.listeners[l] = true
	s.running.Add(1)
	return true
}

// serving tells whether l is to be listened to; Drain has closed it if not.
func (s *Server) serving(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listeners[l]
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// arrive takes a connection. Of a trusted balancer it waits for the client's address first.
func (s *Server) arrive(conn net.Conn, implicit bool) {
	if s.isBalancer(addrOf(conn.RemoteAddr())) {
		s.awaitHeader(conn, implicit)
		return
	}
	s.receive(conn, implicit)
}

// receive admits a connection or refuses it with 421 (RFC 959).
func (s *Server) receive(conn net.Conn, implicit bool) {
	visit, err := s.Gate.Enter(addrOf(conn.RemoteAddr()))
	if err != nil {
		s.turnAway(conn, implicit, err)
		return
	}
	sess := newSession(s, conn, implicit)
	sess.visit, sess.in = visit, newLineReader(sess.early(conn))
	if err := s.admit(sess); err != nil {
		visit.Leave()
		s.metrics.refused.Inc()
		s.Log.Info("connection refused", "remote", conn.RemoteAddr().String(), "err", err)
		sess.refuse("421 " + err.Error())
	}
}
