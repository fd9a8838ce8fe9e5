package db_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
	"github.com/spdscheme/spdserver/internal/spdtest"
)

func TestBadDSN(t *testing.T) {
	for _, dsn := range []string{
		"", "spd", "postgres://spd:hunter2@host/spd", "mysql://spd:hunter2@host", "mysql://spd:hunter2@host/",
		"mysql://spd:hunter2@host/?tls=true", "mysql://spd:hunter2@host/spd?parseTime=hunter", "spd:hunter2@tcp(host)/spd",
		"mysql://spd:hunter2/hunter2@ho/st:port", "mysql://spd:hunter2@host/spd?timeout=x", "sqlite://", "sqlite://:memory:",
		"sqlite:///no/such/directory/spd.db",
	} {
		d, err := db.Open(t.Context(), dsn, db.Options{})
		if err == nil {
			_ = d.Close()
			if !strings.Contains(dsn, "ho/st") { // the name of the database may hold a colon
				t.Errorf("Open(%q) has no error", dsn)
			}
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) shows the password: %v", dsn, err)
		}
	}
}

// Passwords with any characters, percent-encoded or not.
func TestPasswordInDSN(t *testing.T) {
	server := spdtest.MariaDB(t)
	admin := openSQL(t, server.DSN)
	addr := strings.SplitN(server.DSN, "@", 2)[1]
	for i, c := range []struct{ pass, inDSN string }{
		{"p@ss:w/o?r#d", "p@ss:w/o?r#d"}, {"p@ss:w/o", "p%40ss%3Aw%2Fo"}, {"100%", "100%"}, {"", ""}, {"密码", "密码"},
	} {
		user := "u" + string(rune('a'+i))
		for _, query := range []string{
			"CREATE USER '" + user + "'@'127.0.0.1' IDENTIFIED BY '" + c.pass + "'",
			"GRANT ALL ON *.* TO '" + user + "'@'127.0.0.1'",
		} {
			_, err := admin.ExecContext(t.Context(), query)
			check(t, err)
		}
		if err := open(t, "mysql://"+user+":"+c.inDSN+"@"+addr).Ping(t.Context()); err != nil {
			t.Errorf("password %q as %q: %v", c.pass, c.inDSN, err)
		}
	}
	err := open(t, "mysql://spd:hunter2@"+addr).Ping(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestSQLiteIsPrivate(t *testing.T) {
	d := openTest(t, sqliteDSN(t), true)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(strings.TrimPrefix(d.dsn, "sqlite://")), "*"))
	check(t, err)
	if len(files) < 2 { // the database, its log, the lock
		t.Errorf("files: %q", files)
	}
	for _, file := range files {
		if mode := fileMode(t, file); mode != 0o600 {
			t.Errorf("%s has mode %o", file, mode)
		}
	}
}

// What was stored is there for another process, and the other way round.
func TestTwoHandles(t *testing.T) {
	onEach(t, func(t *testing.T, d *testDB) {
		other := open(t, d.dsn)
		check(t, d.CreateUser(t.Context(), newAccount("alice")))
		if _, err := other.Find(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
		check(t, other.DeleteUser(t.Context(), "alice"))
		if _, err := d.Find(t.Context(), "alice"); !errors.Is(err, auth.ErrNotFound) {
			t.Error(err)
		}
	})
}

// syncBuffer is a log that a test reads while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A database that is away and comes back is waited for, and serves the same handle again.
func TestOutage(t *testing.T) {
	server := spdtest.MariaDB(t)
	var log syncBuffer
	d, err := db.Open(t.Context(), server.DSN, db.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	check(t, err)
	defer func() { check(t, d.Close()) }()
	check(t, d.Wait(t.Context()))
	check(t, d.Migrate(t.Context()))
	check(t, d.CreateUser(t.Context(), newAccount("alice")))

	server.Kill()
	if _, err := d.Find(t.Context(), "alice"); err == nil || errors.Is(err, auth.ErrNotFound) {
		t.Errorf("Find while the server is away: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- d.Wait(t.Context()) }()
	for !strings.Contains(log.String(), "waiting for database") {
		time.Sleep(time.Millisecond)
	}
	server.Start()
	check(t, <-waited)
	if _, err := d.Find(t.Context(), "alice"); err != nil {
		t.Errorf("after a kill and a restart: %v", err)
	}
	if strings.Contains(log.String(), "spdpass") {
		t.Error("the password is in the log")
	}
}

// A server that hangs does not hang us.
func TestHangingServer(t *testing.T) {
	server := spdtest.MariaDB(t)
	d, err := db.Open(t.Context(), server.DSN, db.Options{Timeout: 200 * time.Millisecond})
	check(t, err)
	defer func() { check(t, d.Close()) }()
	check(t, d.Ping(t.Context()))
	server.Pause()
	_, err = d.Find(t.Context(), "alice")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Find: %v, want DeadlineExceeded", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := d.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait: %v", err)
	}
	server.Resume()
	check(t, d.Wait(t.Context()))
}
