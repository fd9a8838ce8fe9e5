package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// sqlite is a database file.
type sqlite struct{ path string }

var _ source = sqlite{}

// parseSQLite reads what follows "sqlite://".
func parseSQLite(rest string) (source, error) {
	if rest == "" || rest == ":memory:" {
		return nil, errors.New("database dsn: no file name: use sqlite:///path")
	}
	path, err := filepath.Abs(rest)
	if err != nil {
		return nil, fmt.Errorf("database dsn: %w", err)
	}
	return sqlite{path}, nil
}

// open makes the file if it is not there, readable for its owner only: it holds password
// hashes. There is one connection, as SQLite has one writer at a time, and answers in
// microseconds.
func (s sqlite) open(timeout time.Duration, _ int) (*sql.DB, error) {
	// A file that is there is left alone: closing any descriptor of it would drop the locks
	// that this process holds on it through another (POSIX, fcntl).
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	params := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()),
		"journal_mode(WAL)",
		"synchronous(FULL)", // what was answered survives power loss
		"foreign_keys(1)",
	}}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: s.path, RawQuery: params.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// lock takes a lock on a file beside the database; the kernel frees it when the process
// ends, however it ends.
func (s sqlite) lock(ctx context.Context, _ *sql.DB) (func() error, error) {
	file, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (sqlite) dialect() dialect { return sqliteDialect() }
