package server

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// While a session's goroutine executes a command nobody reads the control connection. Most
// commands do not take long enough for that to matter. For those that do, a watch reads
// ahead, in a goroutine of its own, until the command is done.

// moment is how long a command may take before its session is watched, and half of that
// which it takes at most until it is.
const moment = 8 * time.Millisecond

// lookout starts the watches. One timer serves all sessions, for most commands are over
// before it fires: each would wake the process for nothing.
type lookout struct {
	mu      sync.Mutex
	busy    map[*watch]time.Time // since when; not watched yet
	timer   *time.Timer          // nil until the first command
	ticking bool
}

// begin is called when a session begins to execute a command.
func (l *lookout) begin(w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy == nil {
		l.busy = make(map[*watch]time.Time)
	}
	l.busy[w] = time.Now()
	if !l.ticking {
		l.tickLater()
	}
}

// end is called when the command is done. It tells whether a watch was started.
func (l *lookout) end(w *watch) (started bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, not := l.busy[w]
	delete(l.busy, w)
	return !not
}

// tickLater sets the timer. The caller holds mu.
func (l *lookout) tickLater() {
	l.ticking = true
	if l.timer == nil {
		l.timer = time.AfterFunc(moment, l.tick)
	} else {
		l.timer.Reset(moment)
	}
}

// tick starts a watch for each command that has taken longer than a moment.
func (l *lookout) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ticking = false
	now := time.Now()
	for w, since := range l.busy {
		if now.Sub(since) >= moment {
			delete(l.busy, w)
			w.start()
		}
	}
	if len(l.busy) > 0 {
		l.tickLater()
	}
}

// watch reads the control connection of one session ahead: it answers what can be answered
// at once, lets ABOR end the command, notices that the client has gone, and keeps the
// other lines for when the command is done.
type watch struct {
	session    *session
	stop, done chan struct{} // of the goroutine
}

func (w *watch) start() {
	w.stop, w.done = make(chan struct{}), make(chan struct{})
	go w.run() // whoever has begun the command waits for it
}

func (w *watch) run() {
	defer close(w.done)
	s := w.session
	defer s.recovered()
	s.reading.Lock()
	defer s.reading.Unlock()
	s.readAhead(w.stop, time.Time{})
}

// end takes reading back from the watch.
func (w *watch) end() {
	s := w.session
	close(w.stop)
	s.mu.Lock()
	s.wakeAt(longAgo())
	s.mu.Unlock()
	<-w.done
}

// readAhead reads lines until it is stopped, a time has come (zero: never), or there will
// be no more. The caller holds reading.
func (s *session) readAhead(stop <-chan struct{}, until time.Time) {
	for !s.waiting.full() {
		if !s.mayReadAhead(stop, until) {
			return
		}
		line, err := s.readLine()
		switch {
		case err == nil:
			s.meanwhile(line)
		case errors.Is(err, os.ErrDeadlineExceeded): // mayReadAhead knows why
		case errors.Is(err, errForeign):
			s.dropForeign()
			return
		default:
			s.lost(err != io.EOF)
			return
		}
	}
	s.lookForLoss(stop, until)
}

// mayReadAhead sets the time at which reading is to end; false if that is now.
func (s *session) mayReadAhead(stop <-chan struct{}, until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-stop:
		return false
	default:
	}
	if !until.IsZero() && !time.Now().Before(until) {
		return false
	}
	if !s.wakes.Equal(until) {
		s.wakeAt(until)
	}
	return true
}

// meanwhile takes a line that has come during a command. Lines keep their order, but for
// those that ask about a transfer or only want to hear something.
func (s *session) meanwhile(line string) {
	c := parseCommand(line)
	s.note(c.verb)
	t := s.current()
	switch {
	case t == nil || t.inOrder || !s.waiting.empty():
		s.waiting.add(line, c.verb)
	case c.verb == "NOOP":
		s.reply("200 OK")
	case c.verb == "STAT" && c.arg == "":
		s.doStat(c)
	default:
		s.waiting.add(line, c.verb)
	}
}

// lossCheck is how often is looked whether the client is still there while nothing can be
// read.
const lossCheck = 50 * time.Millisecond

func (s *session) lookForLoss(stop <-chan struct{}, until time.Time) {
	check := time.NewTicker(lossCheck)
	defer check.Stop()
	for until.IsZero() || time.Now().Before(until) {
		select {
		case <-stop:
			return
		case <-s.ctx.Done():
			return
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
	first := !s.isGone
	if first {
		s.isGone = true
		close(s.gone)
	}
	cut := broken || s.running != nil && !s.quit
	hurry := first && !cut && !s.quit
	s.mu.Unlock()
	switch {
	case cut:
		s.cut(errClientGone)
	case hurry:
		time.AfterFunc(lastWordsTimeout, func() { s.cut(errClientGone) })
	}
}

// lastWordsTimeout is how long commands may take that a client has left behind without
// QUIT.
const lastWordsTimeout = 10 * time.Second
