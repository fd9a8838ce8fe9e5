package auth

// Proof is what a user was let in with: which password, and how it was stored then. It
// shows nothing of it when it is printed or logged.
type Proof struct {
	column PasswordColumn
	stored string
}

// Column tells which password it was; "" of an account that nobody logged in to.
func (p Proof) Column() PasswordColumn { return p.column }

// Equal tells whether both are of the same password, stored alike.
func (p Proof) Equal(other Proof) bool { return p == other }

// String is for logs.
func (p Proof) String() string { return string(p.column) }

// GoString is for %#v.
func (p Proof) GoString() string { return "auth.Proof{" + string(p.column) + "}" }

// Changed tells whether the account's password is now another one than the user was let in
// with: see PasswordChanged.
func (p Proof) Changed(now *Account) bool {
	return p.column != "" && PasswordChanged(p.stored, now.storedIn(p.column))
}

// As is the account as the user of a session that was let in with that proof: with the
// read-only password he gets no more than the ReadOnly permissions, anywhere.
func (a *Account) As(p Proof) *User {
	user := a.User
	user.Proof = p
	if p.column != ReadOnlyPass {
		return &user
	}
	user.Permissions &= ReadOnly
	user.Paths = make([]PathRule, len(a.Paths))
	for i, rule := range a.Paths {
		if rule.Permissions != nil {
			rule.Permissions = new(*rule.Permissions & ReadOnly)
		}
		user.Paths[i] = rule
	}
	return &user
}

// Prove returns the proof of an account's password as it is stored now.
func (a *Account) Prove(column PasswordColumn) Proof {
	return Proof{column: column, stored: a.storedIn(column)}
}

func (a *Account) storedIn(column PasswordColumn) string {
	switch column {
	case MainPassword:
		return a.Password
	case ReadOnlyPass:
		return a.ReadOnlyPassword
	}
	return ""
}

// PasswordChanged tells whether a stored password was given another value by somebody,
// which is no upgrade at a login: an old one that was due for an upgrade and a new one that
// needs none count as the same password. So an administrator who replaces an imported hash
// by a new one himself ends no session.
func PasswordChanged(old, now string) bool {
	if old == now {
		return false
	}
	before, err := readStored(old)
	if err != nil || !before.weak() {
		return true
	}
	after, err := readStored(now)
	return err != nil || after.weak()
}
