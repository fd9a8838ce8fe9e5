// Package driver shows one user's part of an object store as a file system.
//
// A Driver has a method for each command that asks for files. Paths arrive as the client's
// bytes and are decoded here; errors leave as a Reply, the FTP code and text that the client
// gets.
package driver

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/encoding"
	"github.com/spdscheme/spdserver/moves"
	"github.com/spdscheme/spdserver/quota"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
	"github.com/spdscheme/spdserver/upload"
)

// Client is what a Driver wants to know of the FTP session it serves.
type Client interface {
	// Path is the working directory, in the client's bytes.
	Path() string
	// Verb is the verb that is being executed.
	Verb() string
}

// Deps is what a Driver works with. All but Client and Names are shared by all sessions.
type Deps struct {
	Client  Client
	Names   *encoding.Detector
	Store   store.Store      // the user's bucket
	Stores  store.Opener     // other buckets, for the user's mounts
	Copies  *mounted.Buffers // for copies between buckets
	Uploads *upload.Manager
	Budget  *buffer.Budget
	Times   store.Times
	Moves   *moves.Manager // notes renames of directories; nil: nobody does
	Quota   *quota.Ledger
	Made    *MadeDirs    // one for all sessions of the node; may be nil
	Hashes  *HashCache   // the same
	Log     *slog.Logger // says which session and user

	PartSize      int64         // bytes of an upload's first parts
	PartsInFlight int           // parts of one upload sent to the store at a time
	DataTimeout   time.Duration // silence on a data connection that ends a transfer

	// Alive is asked before an upload is published, and told when its data ended and how
	// many bytes they were: an error means that the client has gone, so that the file may
	// be cut short. It may be nil.
	Alive func(ended time.Time, received int64) error
	// Report, if not nil, is told of every operation when it has ended.
	Report func(Operation)
}

// Operation is something a client did to a file, for logs, metrics and the audit trail.
type Operation struct {
	Verb     string // FTP command, or the SITE command behind "SITE "
	Path     string // UTF-8, as the user sees it
	Target   string // of a rename
	Bytes    int64  // moved over the data connection
	Started  time.Time
	Duration time.Duration
	Err      error  // not translated
	Told     string // what the client reads about Err
}

// Driver is one session's view of its user's files. It is called by one goroutine at
// a time, that of the session.
type Driver struct {
	Deps
	ctx     context.Context              // ends with the session; of commands without a transfer
	patient context.Context              // the same, with the patience of transfers
	mounts  *mounted.Store               // Store, or nil if the account has no mounts
	mountAt map[string]int               // the account's mounts by what their keys begin with
	account atomic.Pointer[auth.User]    // never changed in place; see Refresh
	up      atomic.Pointer[rate.Limiter] // nil: no limit
	down    atomic.Pointer[rate.Limiter]
	dirs    *seenDirs
	windows *windows
	files   *seenFiles
	timed   *recent[struct{}] // keys whose times the session has kept; see replaceTime
	meant   *recent[string]   // what names mean; see decode

	transfers sync.WaitGroup

	unfinished unfinished

	mu        sync.Mutex
	allocated int64  // bytes that ALLO announced for the next upload; 0: none
	renaming  *entry // what RNFR found
	here      place  // where CWD has led
}

// controlPatience is how long a command without a transfer waits for a store that is away:
// clients give up when they hear nothing for 15 or 20 seconds. A request that is not answered
// and comes after some that failed can take as long again.
const controlPatience = 7 * time.Second

// New returns the Driver of a user's session. ctx ends with the session.
func New(ctx context.Context, deps Deps, user *auth.User) *Driver {
	d := &Driver{
		Deps:    deps,
		ctx:     store.WithPatience(ctx, controlPatience),
		patient: ctx,
		dirs:    newRecent[seenDir](),
		windows: newWindows(),
		files:   newRecent[store.Object](),
		timed:   newRecent[struct{}](),
		meant:   newRecent[string](),
	}
	account := *user
	d.account.Store(&account)
	d.mount()
	d.up.Store(newLimiter(user.UploadRate))
	d.down.Store(newLimiter(user.DownloadRate))
	return d
}

// do runs one operation on a path in the client's bytes, reports it, and translates its
// error.
func (d *Driver) do(verb, wire string, f func(*Operation, name) error) error {
	op := Operation{Verb: verb, Started: time.Now()}
	n, err := d.resolve(wire)
	op.Path = pathOf(n, wire)
	if err == nil {
		err = f(&op, n)
	}
	return d.end(op, err)
}

// pathOf is a path for reports: as it was resolved, or what the client wrote.
func pathOf(n name, wire string) string {
	if n.path == "" {
		return strings.ToValidUTF8(wire, "\uFFFD")
	}
	return n.path
}

// end reports an operation and translates its error.
func (d *Driver) end(op Operation, err error) error {
	op.Duration = time.Since(op.Started)
	op.Err = err
	told := d.reply(op.Verb, err)
	if reply, ok := errors.AsType[*Reply](told); ok {
		op.Told = reply.Text
	}
	if d.Report != nil {
		d.Report(op)
	}
	return told
}

// Wait returns when all transfers have ended; they do soon after the session's context has.
func (d *Driver) Wait() { d.transfers.Wait() }
