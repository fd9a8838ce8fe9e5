package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/driver"
)

// loginTimeout bounds the check of a password, waiting for others included.
const loginTimeout = 30 * time.Second

// doUser takes the name (RFC 959).
func (s *session) doUser(c command) {
	switch {
	case s.account != nil:
		s.reply("503 Already logged in")
	case s.server.TLSRequired && !s.isSecure():
		s.reply("530 This server requires TLS; use AUTH TLS first")
	case c.arg == "":
		s.reply("501 USER needs a name")
	default:
		s.name = c.arg
		s.reply("331 Password required")
	}
}

// doPass checks the password.
func (s *session) doPass(c command) {
	switch {
	case s.account != nil:
		s.reply("503 Already logged in")
		return
	case s.name == "":
		s.reply("503 Send USER first")
		return
	}
	account, err := s.login(c.arg)
	if err != nil {
		s.refuseLogin(err)
		return
	}
	if err := s.admitUser(account); err != nil {
		s.reportLogin(err)
		s.farewellNow(refusalOf(err))
		return
	}
	s.setAccount(account)
	s.visit.LoggedIn()
	s.said.forget()
	s.reportLogin(nil)
	s.enter(account)
}

// enter gives a user who has logged in the files.
func (s *session) enter(account *auth.User) {
	files, err := s.openFiles(account, nil)
	if err != nil {
		s.log.Error("no file system for a user", "user", account.Name, "err", err)
		s.farewellNow("421 Login is not possible now; try again later")
		return
	}
	s.files = files
	s.tellCharset()
	s.reply("230 Logged in")
}

// doQuit ends the session (RFC 959, 4.1.1).
func (s *session) doQuit(command) {
	s.reply("221 Goodbye")
	s.ended = true
}

// The limits of sessions that Admit and the server know.
var (
	// ErrManyOfUser: the account has as many as it may have.
	ErrManyOfUser = errors.New("too many sessions of the account")
	// ErrManyFromAddress: the client's address has.
	ErrManyFromAddress = errors.New("too many sessions from the address")
)

// admitUser counts the session as one of its user's, here and everywhere.
func (s *session) admitUser(user *auth.User) error {
	if !s.server.admitUser(s, user) {
		return ErrManyOfUser
	}
	err := s.admitEverywhere(user)
	if err != nil {
		s.server.dismissUser(s)
	}
	return err
}

func refusalOf(err error) string {
	switch {
	case errors.Is(err, ErrManyOfUser):
		return "421 Too many sessions of this account; try again later"
	case errors.Is(err, ErrManyFromAddress):
		return "421 Too many sessions from your address; try again later"
	}
	return "421 Login is not possible now; try again later"
}

func (s *session) login(password string) (*auth.User, error) {
	ctx, cancel := context.WithTimeout(s.ctx, loginTimeout)
	defer cancel()
	return s.server.Login(ctx, s.name, password, s.origin())
}

// refuseLogin answers a login that failed. The last attempt ends the session.
func (s *session) refuseLogin(err error) {
	s.reportLogin(err)
	if !errors.Is(err, auth.ErrDenied) {
		s.farewellNow("421 Login is not possible now; try again later")
		return
	}
	s.name = ""
	if s.failures++; s.server.LoginAttempts > 0 && s.failures > s.server.LoginAttempts {
		s.farewellNow("421 Login incorrect; too many attempts")
		return
	}
	s.reply("530 Login incorrect")
}

// farewellNow ends the session before the next command, with a reply.
func (s *session) farewellNow(reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.farewell = reply
}

func (s *session) setAccount(user *auth.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account, s.fresh, s.did = user, nil, activity{since: time.Now()}
}

func (s *session) isSecure() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secure
}

// doAuth begins TLS (RFC 4217, 4).
func (s *session) doAuth(c command) {
	switch mechanism := strings.ToUpper(c.arg); {
	case mechanism == "":
		s.reply("501 AUTH needs a mechanism; use AUTH TLS")
	case mechanism != "TLS" && mechanism != "TLS-C" && mechanism != "SSL":
		s.reply("504 Only AUTH TLS is supported")
	case s.server.TLS == nil:
		s.reply("502 TLS is not configured on this server")
	case s.isSecure():
		s.reply("503 TLS is already in use")
	case s.account != nil:
		s.reply("503 AUTH TLS comes before USER")
	default:
		s.reply("234 Begin the TLS handshake")
		_ = s.startTLS() // a failure has ended the session
	}
}

// doPbsz is a formality: TLS has no buffers to protect (RFC 4217, 8). The size is one of
// 32 bits (RFC 2228, 3).
func (s *session) doPbsz(c command) {
	_, ok := parseNumber(c.arg, 32)
	switch {
	case !s.isSecure():
		s.reply("503 PBSZ comes after AUTH TLS")
	case !ok:
		s.reply("501 PBSZ needs a size; use PBSZ 0")
	default:
		s.pbsz = true
		s.reply("200 PBSZ=0")
	}
}

// doProt chooses whether data connections are protected (RFC 4217, 9). PBSZ comes first
// (RFC 2228, 3), but for implicit TLS, which knew neither AUTH nor PBSZ.
func (s *session) doProt(c command) {
	level := strings.ToUpper(c.arg)
	switch {
	case !s.isSecure():
		s.reply("503 PROT comes after AUTH TLS")
	case !s.pbsz && !s.implicit:
		s.reply("503 PROT comes after PBSZ 0")
	case level == "":
		s.reply("501 PROT needs a level; use PROT P")
	case level == "S" || level == "E":
		s.reply("536 Only PROT C and PROT P are supported")
	case level != "C" && level != "P":
		s.reply("504 Only PROT C and PROT P are supported")
	case level == "C" && s.server.TLSRequired:
		s.reply("534 This server requires PROT P")
	default:
		s.private = level == "P"
		s.reply("200 Data connections will be %s", map[bool]string{true: "private", false: "clear"}[s.private])
	}
}

// reportLogin logs and counts a login, or one that was refused.
func (s *session) reportLogin(err error) {
	result := "ok"
	if err != nil {
		result = "refused"
		if !errors.Is(err, auth.ErrDenied) {
			result = "error"
		}
	}
	s.server.metrics.logins.WithLabelValues(result).Inc()
	s.server.counts.login(err)
	op := driver.Operation{Verb: "PASS", Started: s.began, Duration: time.Since(s.began), Err: err}
	if err != nil {
		op.Told = "login refused"
	}
	s.logOperation(op)
}
