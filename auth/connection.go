package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Connection is what is known of a client's connection when it logs in.
type Connection struct {
	From     netip.Addr
	TLS      bool   // the control connection is encrypted
	ClientCN string // common name of the client's certificate, if it was verified
}

// Admit tells why the account may not be used over a connection at a time: suspended,
// expired, outside its hours, or not from there or like that. nil means it may. The reason
// is for the log, not for the client. Live sessions can be asked about again with it; that
// a password has expired counts for logins only.
func (a *Account) Admit(conn Connection, now time.Time) error {
	switch {
	case a.Status != Active:
		return fmt.Errorf("account is %s", a.Status)
	case expired(a.ExpiresAt, now):
		return fmt.Errorf("account expired at %s", a.ExpiresAt.UTC().Format(time.RFC3339))
	case !a.AllowedHours.Allow(now):
		return errors.New("outside allowed_hours")
	case !allowed(a.AllowedCIDRs, conn.From):
		return errors.New("address not in allowed_cidrs")
	case a.TLSRequired && !conn.TLS:
		return errors.New("tls_required, and the connection is not encrypted")
	case a.ClientCN != "" && a.ClientCN != conn.ClientCN:
		return errors.New("no client certificate of client_cn")
	}
	return nil
}

// admitLogin is Admit for a login.
func (a *Account) admitLogin(conn Connection, now time.Time) error {
	if expired(a.PasswordExpiresAt, now) {
		return fmt.Errorf("password expired at %s", a.PasswordExpiresAt.UTC().Format(time.RFC3339))
	}
	return a.Admit(conn, now)
}

func expired(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

func allowed(prefixes []netip.Prefix, from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(from) {
			return true
		}
	}
	return len(prefixes) == 0
}
