package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
)

// What an administrator changes takes hold of sessions that are open: other rights from the
// next command on, an end if the account may not be used any more.

// SessionInfo is a session of a user who is logged in.
type SessionInfo struct {
	ID     string
	User   string
	Remote netip.AddrPort
	TLS    bool
	Since  time.Time // of the login
	Verb   string    // of the last command that the driver was asked for, or of the transfer in progress
	Path   string    // UTF-8
	Bytes  int64     // moved over data connections since the login
}

// Sessions lists the sessions of users.
func (s *Server) Sessions() []SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := make([]SessionInfo, 0, len(s.sessions))
	for sess := range s.sessions {
		if info, ok := sess.info(); ok && sess.user != "" {
			infos = append(infos, info)
		}
	}
	return infos
}

// Refresh tells how an account is now. nil and an error: it cannot be used; nil and nil: it
// is gone. Its sessions go on with it, or end with 421 if it may not be used like that, or
// if they were let in with a password that is another one now.
func (s *Server) Refresh(name string, a *auth.Account, err error) {
	for _, sess := range s.matching(func(o *session) bool { return o.user == name }) {
		sess.refresh(a, err)
	}
}

// Kick ends a session with 421 and a reason; false: there is none of that id.
func (s *Server) Kick(id, reason string) bool {
	found := s.matching(func(o *session) bool { return o.id == id })
	for _, sess := range found {
		sess.endNow(reason, errKicked)
	}
	return len(found) > 0
}

func (s *Server) matching(match func(*session) bool) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*session
	for sess := range s.sessions {
		if match(sess) {
			found = append(found, sess)
		}
	}
	return found
}

var (
	errKicked          = errors.New("ended by an administrator")
	errGoneAccount     = errors.New("account deleted")
	errPasswordChanged = errors.New("password changed")
)

// activity is what a session did last, and how much it has moved.
type activity struct {
	since time.Time // of the login
	verb  string
	path  string
	bytes int64
}

// noteActivity is told of every operation that has ended.
func (s *session) noteActivity(op driver.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did.verb, s.did.path = op.Verb, op.Path
	s.did.bytes += op.Bytes
}

// tellHook tells an embedder's hook about the connection.
func (s *session) tellHook(hook func(SessionInfo)) {
	if hook == nil {
		return
	}
	s.mu.Lock()
	info := SessionInfo{ID: s.id, Remote: s.remote(), TLS: s.secure, Since: s.began, Bytes: s.did.bytes}
	if s.account != nil {
		info.User = s.account.Name
	}
	s.mu.Unlock()
	hook(info)
}

// info is false of a session without a user.
func (s *session) info() (SessionInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account == nil {
		return SessionInfo{}, false
	}
	info := SessionInfo{
		ID: s.id, User: s.account.Name, Remote: s.remote(), TLS: s.secure,
		Since: s.did.since, Verb: s.did.verb, Path: s.did.path, Bytes: s.did.bytes,
	}
	if t := s.running; t != nil {
		info.Verb, info.Path = t.command.verb, strings.ToValidUTF8(t.command.arg, "\uFFFD")
		if conn := t.connection(); conn != nil {
			received, sent := bytesMoved(conn)
			info.Bytes += int64(received + sent) //nolint:gosec // no connection moves 8 EiB
		}
	}
	return info, true
}

// origin is what a login, and a session that goes on, is judged by beside its account.
func (s *session) origin() auth.Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return auth.Connection{From: s.ip, TLS: s.secure, ClientCN: s.clientCN}
}

// refresh is Server.Refresh for one session.
func (s *session) refresh(a *auth.Account, err error) {
	s.mu.Lock()
	user := s.account
	s.mu.Unlock()
	switch {
	case user == nil: // it has just logged out
		return
	case err != nil:
		s.endNow("This account cannot be used now", err)
		return
	case a == nil:
		s.endNow("This account has been deleted", errGoneAccount)
		return
	case user.Proof.Changed(a):
		s.endNow("The password of this account has changed; log in again", errPasswordChanged)
		return
	}
	if reason := a.Admit(s.origin(), s.server.Now()); reason != nil {
		s.endNow("This account may not be used any more", reason)
		return
	}
	s.replaceUser(user, a.As(user.Proof))
}

// replaceUser has the next command executed for the user as he is now.
func (s *session) replaceUser(old, now *auth.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account != old { // he has logged out meanwhile
		return
	}
	s.fresh = nil
	if !sameUser(*old, *now) {
		s.fresh = now
	}
}

// sameUser compares what matters to a session. The charset that it turned out to speak is
// for the next one.
func sameUser(a, b auth.User) bool {
	a.Proof, a.CharsetSeen = b.Proof, b.CharsetSeen
	return reflect.DeepEqual(a, b)
}

// adopt takes over what has changed about the user. A transfer in progress goes on as it has
// begun, so that what comes beside it waits.
func (s *session) adopt() {
	user := s.takeFresh()
	if user == nil {
		return
	}
	known := s.files
	if user.Charset != s.account.Charset {
		known = nil
	}
	files, err := s.openFiles(user, known)
	if err != nil {
		s.endNow("This account cannot be used now", err)
		return
	}
	s.log.Info("account changed", "user", user.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account, s.files = user, files
}

func (s *session) takeFresh() *auth.User {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account == nil || s.running != nil || s.files == nil {
		return nil
	}
	user := s.fresh
	s.fresh = nil
	return user
}

// openFiles makes the user's file system. It goes on with what the one before knows of his
// charset, if that is not nil.
func (s *session) openFiles(user *auth.User, before *driver.Driver) (*driver.Driver, error) {
	deps := driver.Deps{
		Client: s,
		Log:    s.log.With("user", user.Name),
		Alive:  s.alive,
		Report: s.report,
	}
	if before != nil {
		deps.Names = before.Names
	}
	return s.server.Driver(s.ctx, deps, user)
}

// A session that is to end gets so long to interrupt its transfer in good order and say
// goodbye; then it is told all the same, and then its connection is cut.
const (
	endPatience = 2 * time.Second
	cutPatience = endPatience + time.Second
)

var errEnded = errors.New("session ended by the server")

// endNow interrupts what a session does, and ends it with 421. It may be called again.
func (s *session) endNow(text string, reason error) {
	if !s.beginEnd(reason) {
		return
	}
	farewell := "421 " + text
	s.endSoon(farewell)
	if t := s.current(); t != nil {
		t.cancel(errEnded)
	}
	late := time.AfterFunc(endPatience, func() {
		s.reply("%s", farewell)
		s.close()
	})
	later := time.AfterFunc(cutPatience, func() { s.cut(errEnded) }) // ends a reply that nobody reads, too
	context.AfterFunc(s.ctx, func() {
		late.Stop()
		later.Stop()
	})
}

// beginEnd is false if the session is being ended already.
func (s *session) beginEnd(reason error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return false
	}
	s.ending = true
	s.reportKick(reason)
	return true
}

// reportKick writes to log and audit trail that a session is ended. The caller holds mu.
func (s *session) reportKick(reason error) {
	user := ""
	if s.account != nil {
		user = s.account.Name
	}
	s.log.Info("session ended", "user", user, "reason", reason)
	s.server.Audit.Log(context.WithoutCancel(s.ctx), audit.Event{
		Time: time.Now(), Node: s.server.Node, Session: s.id, User: user, Remote: s.raw.RemoteAddr().String(),
		TLS: s.secure, Action: audit.Kick, Reason: reason.Error(),
	})
}

// admitEverywhere asks whether the account, and the client's address, may have one more
// session, where that is counted over all nodes.
func (s *session) admitEverywhere(user *auth.User) error {
	if s.server.Admit == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, admitTimeout)
	defer cancel()
	info := SessionInfo{
		ID: s.id, User: user.Name, Remote: s.remote(), TLS: s.isSecure(), Since: time.Now(),
	}
	return s.server.Admit(ctx, info, user)
}

const admitTimeout = 10 * time.Second

// remote is the client's address and port.
func (s *session) remote() netip.AddrPort {
	tcp, ok := s.raw.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPortFrom(s.ip, 0)
	}
	return netip.AddrPortFrom(s.ip, tcp.AddrPort().Port())
}
