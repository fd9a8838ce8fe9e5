package server

import "testing"

// An ABOR that is read before its transfer has begun, for it took a while to find the file,
// ends the transfer all the same; one that was answered ends no later one.
func TestAbortIsReadBeforeTransferBegins(t *testing.T) {
	s, _ := loggedInSessions(t)()
	defer s.cancel(nil)
	aborted := func() bool {
		t := &transfer{}
		s.beginTransfer(t)
		defer s.endTransfer(t)
		return t.aborted()
	}
	s.note("ABOR")
	if !aborted() {
		t.Error("the transfer goes on")
	}
	s.dispatch("ABOR")
	if aborted() {
		t.Error("the next transfer was aborted, too")
	}
}
