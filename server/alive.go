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
// of that passes while the store is asked other things. A transfer that took long, or moved
// much, is worth a longer moment: those are the ones that are killed, and to them it makes
// little difference. What clients write at once is not cut short by their death.
//
// A client that has said QUIT may close its side, and wait for the replies. One that was
// killed then looks the same, until it is sent something.
func (s *session) alive(ended time.Time, received int64) error {
	s.listenUntil(ended.Add(s.graceNow(ended, received)))
	state := stateOf(s.raw) // on a busy machine, reading may end by its deadline before it notices
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
func (s *session) graceNow(ended time.Time, received int64) time.Duration {
	if s.grace == 0 {
		s.grace = grace(s.raw)
	}
	least := s.grace
	switch {
	case received > manyWrites:
		least += manyGrace
	case received > oneWrite:
		least += muchGrace
	}
	t := s.current()
	if t == nil {
		return least
	}
	return max(least, min(ended.Sub(t.began)/shareOfTransfer, maxGrace))
}

// The two ends of a killed client's connections are this far apart, at most: on the way
// through a network, a part of its round-trip time.
const (
	minGrace  = 2 * time.Millisecond
	muchGrace = 10 * time.Millisecond // more, after more than oneWrite
	manyGrace = 30 * time.Millisecond // more, after more than manyWrites
	maxGrace  = 50 * time.Millisecond

	oneWrite   = 64 << 10 // bytes that clients send at once
	manyWrites = 1 << 20  // bytes that take so long to store that a wait beside it does not count

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
