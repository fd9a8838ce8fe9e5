package server

import (
	"time"

	"golang.org/x/sys/unix"
)

// alive tells whether the client still holds the control connection. It is asked when a
// data connection has ended, before the file is published: a client that was killed in
// mid-upload ends its data as one that is done, and only the control connection tells.
//
// A process that is killed closes its connections in any order, and packets overtake each
// other. So the client is given until a moment after its data ended to turn out dead; most
// of that passes while the store is asked other things. A transfer that took long is worth
// a longer moment: most that are killed are, and it makes little difference to the others.
//
// A client that has said QUIT may close its side, and wait for the replies. One that was
// killed then looks the same, until it is sent something.
func (s *session) alive(ended time.Time) error {
	s.listenUntil(ended.Add(s.graceNow(ended)))
	state := stateOf(s.raw)
	if state == halfClosed {
		s.listenUntil(time.Now().Add(maxGrace)) // its last word may be QUIT
	}
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

// listenUntil hears what the client says, until a time or until it has gone.
func (s *session) listenUntil(until time.Time) {
	if s.reading.TryLock() {
		defer s.reading.Unlock()
		s.readAhead(nil, until)
		return
	}
	timer := time.NewTimer(time.Until(until)) // the watch hears it
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.gone:
	}
}

// graceNow is how long the client is given to turn out dead.
func (s *session) graceNow(ended time.Time) time.Duration {
	if s.grace == 0 {
		s.grace = grace(s.raw)
	}
	t := s.current()
	if t == nil {
		return s.grace
	}
	return max(s.grace, min(ended.Sub(t.began)/shareOfTransfer, maxGrace))
}

// The two ends of a killed client's connections are this far apart, at most: on the way
// through a network, a part of its round-trip time.
const (
	minGrace = 2 * time.Millisecond
	maxGrace = 50 * time.Millisecond

	shareOfTransfer = 8 // of the time that the data took to come
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
