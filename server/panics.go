package server

import "runtime/debug"

// recovered, when deferred, ends a session in which something has gone wrong that should
// never do, and no other.
func (s *session) recovered() {
	p := recover()
	if p == nil {
		return
	}
	s.log.Error("internal error", "panic", p, "stack", string(debug.Stack()))
	s.reply("421 Internal error; connect again")
	s.cut(errOver)
}
