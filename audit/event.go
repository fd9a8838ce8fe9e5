// Package audit records what clients did: who, from where, what, with which outcome.
//
// Events go to any number of sinks, each with a queue of its own, so that a slow or dead
// one slows neither transfers nor the other sinks. What a queue cannot hold is dropped and
// counted.
package audit

import "time"

// Action is what a client did.
type Action string

// The actions that are recorded.
const (
	Login       Action = "login"
	LoginFailed Action = "login-failed"
	Logout      Action = "logout"
	Upload      Action = "upload"
	Download    Action = "download"
	Delete      Action = "delete"
	Rename      Action = "rename"
	Mkdir       Action = "mkdir"
	Rmdir       Action = "rmdir"
	Ban         Action = "ban"   // what the server did to an address or an account
	Unban       Action = "unban" // its end
	Kick        Action = "kick"  // what an administrator did to a session
)

// Event is one thing a client did, or tried to do. It never holds a password.
type Event struct {
	ID       string        // unique among all nodes; given by Log
	Time     time.Time     // when it ended
	Node     string        // the node's name
	Session  string        // the session's id, as in the log
	User     string        // as the client gave it; "" before USER
	Remote   string        // the client's address and port
	TLS      bool          // the control connection is encrypted
	Action   Action        //
	Path     string        // absolute, as the user sees it, UTF-8; "" if there is none
	Target   string        // of a rename: the new path
	ASCII    bool          // of a transfer: its line ends were converted
	Bytes    int64         // that went over the data connection
	Duration time.Duration // of the transfer, or of the session for Logout
	Err      string        // why it failed, fit for users; "" if it succeeded
	Reason   string        // of Ban, Unban and Kick
	Transfer string        // id of the transfer, unique among all nodes; "": it is not followed
	Running  bool          // the transfer goes on, Bytes is how far it is; see Log.Progress
}
