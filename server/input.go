package server

import (
	"errors"
	"io"
	"os"
	"time"
)

// nextLine waits for a command line. io.EOF ends the session: the client is gone, was
// silent too long, or the server drains.
func (s *session) nextLine() (string, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.touch() // a command that took long was not idle
	for s.ctx.Err() == nil {
		if farewell := s.patience(); farewell != "" {
			s.reply("%s", farewell)
			break
		}
		if line, ok := s.waiting.take(); ok {
			s.moreSent = !s.waiting.empty() || s.in.ahead()
			return line, nil
		}
		line, err := s.readLine()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue // patience knows why
		case errors.Is(err, errForeign), err == nil && s.account == nil && foreign(line):
			s.dropForeign()
		case err == nil:
			s.note(parseCommand(line).verb)
			s.moreSent = s.in.ahead()
			return line, nil
		}
		break
	}
	return "", io.EOF
}

// readLine reads a line. The caller holds reading, and has set a deadline.
func (s *session) readLine() (string, error) {
	line, err := s.in.next()
	if errors.Is(err, errLineTooLong) {
		return tooLongLine, nil
	}
	return line, err
}

// note does what a line must do as soon as it has been read. ABOR ends the transfer in
// progress, and those that begin before its own turn comes.
func (s *session) note(verb string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
	switch verb {
	case "QUIT":
		s.quit = true
	case "ABOR":
		s.aborts++
		if s.running != nil {
			s.running.cancel(errAborted)
		}
	}
}

// isDue says that a line which was noted is executed now.
func (s *session) isDue(verb string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if verb == "ABOR" && s.aborts > 0 {
		s.aborts--
	}
}

func (s *session) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
}

// patience makes reading end when the session has been silent for too long, or is told to
// end. It is the reply to end the session with, if it is time for that.
func (s *session) patience() (farewell string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.farewell != "" {
		return s.farewell
	}
	var until time.Time
	if s.server.IdleTimeout > 0 {
		until, farewell = s.active.Add(s.server.IdleTimeout), "421 Idle too long; connect again"
	}
	if s.server.LoginTimeout > 0 && s.account == nil {
		login := s.began.Add(s.server.LoginTimeout)
		if until.IsZero() || login.Before(until) {
			until, farewell = login, "421 Login took too long; connect again"
		}
	}
	now := time.Now()
	if !until.IsZero() && !now.Before(until) {
		return farewell
	}
	// A deadline that comes a little early costs less than a new one for each command.
	early := s.wakes.After(now) && (until.IsZero() || s.wakes.Before(until))
	if !early && !s.wakes.Equal(until) {
		s.wakeAt(until)
	}
	return ""
}

// wakeAt makes reading the control connection end at a time; zero: never. The caller holds
// mu.
func (s *session) wakeAt(t time.Time) {
	s.wakes = t
	_ = s.conn.SetReadDeadline(t) // of a connection that is closed; reading tells
}

// endSoon ends the session with a reply as soon as it is idle.
func (s *session) endSoon(reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.farewell = reply
	s.wakeAt(longAgo())
}

// longAgo is a deadline that ends reading at once.
func longAgo() time.Time { return time.Unix(1, 0) }

// maxWaiting is how many bytes of memory command lines may take that wait for their turn.
const maxWaiting = 256 << 10

// eachWaiting is what a line takes besides its text.
const eachWaiting = 16

// waitingLines are command lines that were read while another was executed.
type waitingLines struct {
	lines []string
	bytes int
	held  bool // nothing is read behind the last one
}

// add appends a line.
func (w *waitingLines) add(line, verb string) {
	w.lines = append(w.lines, line)
	w.bytes += len(line) + eachWaiting
	// A TLS handshake may come behind these, and must not be taken for text.
	w.held = verb == "REIN" || verb == "AUTH"
}

// take returns the first line, if there is one.
func (w *waitingLines) take() (line string, ok bool) {
	if len(w.lines) == 0 {
		return "", false
	}
	line = w.lines[0]
	w.lines = w.lines[1:]
	w.bytes -= len(line) + eachWaiting
	if len(w.lines) == 0 {
		*w = waitingLines{}
	}
	return line, true
}

func (w *waitingLines) empty() bool { return len(w.lines) == 0 }

func (w *waitingLines) full() bool { return w.held || w.bytes > maxWaiting }
