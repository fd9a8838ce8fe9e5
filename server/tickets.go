package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
)

// SessionReuse says what data connections do with the TLS session of their control
// connection.
type SessionReuse int

const (
	// ReusePrefer lets clients resume it, which saves them a full handshake.
	ReusePrefer SessionReuse = iota
	// ReuseRequire refuses data connections that do not: only who holds the control
	// connection has the session's secret, so nobody else can take the data's place.
	ReuseRequire
	// ReuseOff gives out no tickets: every handshake is a full one.
	ReuseOff
)

// tickets ties the TLS sessions of data connections to that of their control connection.
// Every ticket given to a client carries its session's mark, and a data connection is
// resumed by tickets with that mark alone. It works for TLS 1.2 and 1.3.
type tickets struct {
	base    *tls.Config // has the keys, which may change at any time
	reuse   SessionReuse
	mark    []byte
	control *tls.Conn
	earlier [][]byte // marks of the ticket that the control connection came with
}

// newTickets returns the tickets of one session; its id makes the mark.
func newTickets(base *tls.Config, reuse SessionReuse, id string) *tickets {
	return &tickets{base: base, reuse: reuse, mark: []byte("spd session " + id)}
}

// controlConn is TLS on the control connection. A client may go on with the TLS session of
// an earlier one, of any node that has the same keys.
func (t *tickets) controlConn(conn net.Conn) *tls.Conn {
	t.control = tls.Server(conn, t.config(func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		state, err := t.base.DecryptTicket(ticket, cs)
		if state != nil {
			t.earlier = state.Extra
		}
		return state, err
	}))
	return t.control
}

// dataConn is TLS on a data connection.
func (t *tickets) dataConn(conn net.Conn) *tls.Conn {
	return tls.Server(conn, t.config(func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		state, err := t.base.DecryptTicket(ticket, cs)
		if state == nil || err != nil || !t.ours(state) {
			return nil, err // a full handshake
		}
		return state, nil
	}))
}

func (t *tickets) config(unwrap func([]byte, tls.ConnectionState) (*tls.SessionState, error)) *tls.Config {
	config := t.base.Clone()
	if t.reuse == ReuseOff {
		config.SessionTicketsDisabled = true
		return config
	}
	config.UnwrapSession = unwrap
	config.WrapSession = func(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
		state.Extra = append(state.Extra, t.mark)
		return t.base.EncryptTicket(cs, state)
	}
	return config
}

// ours tells whether a ticket was given out by this session, or is of the one that the
// control connection has resumed.
func (t *tickets) ours(state *tls.SessionState) bool {
	marks := [][]byte{t.mark}
	if t.control.ConnectionState().DidResume {
		marks = append(marks, t.earlier...)
	}
	for _, extra := range state.Extra {
		for _, mark := range marks {
			if bytes.Equal(extra, mark) {
				return true
			}
		}
	}
	return false
}

var errNotResumed = errors.New("the data connection does not resume the control connection's TLS session")

// check tells whether a data connection is good enough, after its handshake.
func (t *tickets) check(data *tls.Conn) error {
	if t.reuse == ReuseRequire && !data.ConnectionState().DidResume {
		return errNotResumed
	}
	return nil
}
