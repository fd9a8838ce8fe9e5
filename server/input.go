package server

import (
	"errors"
	"io"
	"time"
)

// input is a command line on its way from the reader to the command loop.
type input struct {
	line string
	hold bool // the reader waits until the command is done
}

// linesAhead is how many command lines are read while they cannot be executed.
const linesAhead = 16

// readLines is the reader: it passes on command lines until the client is gone.
func (s *session) readLines() {
	defer s.lastWords()
	defer close(s.lines)
	for {
		line, err := s.in.next()
		if errors.Is(err, errLineTooLong) {
			line, err = tooLongLine, nil
		}
		switch {
		case errors.Is(err, errForeign), err == nil && !s.isLoggedIn() && foreign(line):
			s.dropForeign()
			return
		case err != nil:
			s.lost(err != io.EOF)
			return
		case !s.handOver(s.note(line)):
			return
		}
	}
}

func (s *session) isLoggedIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account != nil
}

// note does what a line must do at once, before its turn comes. Nothing is read ahead
// before the login, for a stranger's lines would take memory, and behind a command that
// may end in a TLS handshake.
func (s *session) note(line string) input {
	verb := parseCommand(line).verb
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
	switch {
	case verb == "QUIT":
		s.quit = true
	case verb == "ABOR" && s.running != nil:
		s.running.cancel(errAborted)
	}
	return input{line: line, hold: s.account == nil || verb == "REIN" || verb == "AUTH"}
}

// handOver gives a line to the command loop; false if the session has ended.
func (s *session) handOver(in input) bool {
	select {
	case s.lines <- in:
	default:
		if !s.handOverLate(in) {
			return false
		}
	}
	if !in.hold {
		return true
	}
	select {
	case <-s.goOn:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// lossCheck is how often the reader looks whether the client is still there while it cannot
// read.
const lossCheck = 50 * time.Millisecond

func (s *session) handOverLate(in input) bool {
	check := time.NewTicker(lossCheck)
	defer check.Stop()
	for {
		select {
		case s.lines <- in:
			return true
		case <-s.ctx.Done():
			return false
		case <-check.C:
			if state := stateOf(s.raw); state != open {
				s.lost(state == broken)
			}
		}
	}
}

// lost notes that the client sends no more. If it has just closed its side, what it said
// before still counts, but a transfer in progress only behind QUIT (RFC 959, 4.1.1). It
// may be called again.
func (s *session) lost(broken bool) {
	s.mu.Lock()
	if !s.isGone {
		s.isGone = true
		close(s.gone)
	}
	cut := broken || s.running != nil && !s.quit
	s.mu.Unlock()
	if cut {
		s.cut()
	}
}

// lastWordsTimeout is how long commands may take that a client has left behind without
// QUIT.
const lastWordsTimeout = 10 * time.Second

// lastWords bounds the time in which is executed what a client has left behind.
func (s *session) lastWords() {
	s.mu.Lock()
	quit := s.quit
	s.mu.Unlock()
	if !quit {
		time.AfterFunc(lastWordsTimeout, s.cut)
	}
}

// nextLine waits for a command line. io.EOF ends the session: the client is gone, was
// silent too long, or the server drains.
func (s *session) nextLine() (string, error) {
	s.letReaderGoOn()
	s.touch() // a command that took long was not idle
	for s.ctx.Err() == nil {
		until, farewell := s.patience()
		if farewell != "" {
			s.reply("%s", farewell)
			break
		}
		in, ok := s.awaitLine(until)
		if !ok {
			break
		}
		if in != nil {
			s.held = in.hold
			return in.line, nil
		}
	}
	return "", io.EOF
}

func (s *session) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
}

func (s *session) letReaderGoOn() {
	if !s.held {
		return
	}
	s.held = false
	select {
	case s.goOn <- struct{}{}:
	case <-s.ctx.Done():
	}
}

// awaitLine waits for a line, but no longer than until the session's state has changed, or
// the time has come. No line will come any more: false.
func (s *session) awaitLine(until time.Time) (in *input, ok bool) {
	var timeout <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case in, ok := <-s.lines:
		return &in, ok
	case <-s.wake:
	case <-timeout:
	}
	return nil, true
}

// patience is until when the session waits for the next line, zero: for ever; or the reply
// to end the session with, if it is time for that.
func (s *session) patience() (until time.Time, farewell string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.running != nil:
		return time.Time{}, ""
	case s.farewell != "":
		return time.Time{}, s.farewell
	}
	if s.server.IdleTimeout > 0 {
		until, farewell = s.active.Add(s.server.IdleTimeout), "421 Idle too long; connect again"
	}
	if s.server.LoginTimeout > 0 && s.account == nil {
		login := s.began.Add(s.server.LoginTimeout)
		if until.IsZero() || login.Before(until) {
			until, farewell = login, "421 Login took too long; connect again"
		}
	}
	if until.IsZero() || time.Until(until) > 0 {
		return until, ""
	}
	return until, farewell
}

// waitTransfer waits until no transfer is in progress; false if the session has ended.
func (s *session) waitTransfer() bool {
	s.transfers.Wait()
	return s.ctx.Err() == nil
}
