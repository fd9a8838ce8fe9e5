package spdtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// MariaDBServer is a private MariaDB with its data in a temporary directory.
type MariaDBServer struct {
	DSN  string // of an empty database, as in SPD's configuration
	Addr string // "127.0.0.1:port"; the same after a restart

	t         testing.TB
	dir       string
	process   *Process
	databases atomic.Int64
}

// mariadbInit makes the account of the tests; each line is a statement.
const mariadbInit = `CREATE USER IF NOT EXISTS 'spd'@'127.0.0.1' IDENTIFIED BY 'spdpass';
GRANT ALL ON *.* TO 'spd'@'127.0.0.1' WITH GRANT OPTION;
`

// MariaDB starts a MariaDB server, which takes less than a second; the very first start in
// a checkout takes a few, to make the template in .tools. It ends in t.Cleanup.
func MariaDB(t testing.TB) *MariaDBServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "spd-mariadb-") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &MariaDBServer{Addr: FreeAddr(t), t: t, dir: dir}
	mariadbRun(t, "cp", "-a", mariadbTemplate(t), s.path("data"))
	if err := os.WriteFile(s.path("init.sql"), []byte(mariadbInit), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Kill) // runs before the gentle stop, which the data is not worth
	s.DSN = s.NewDatabase()
	return s
}

// NewDatabase makes an empty database and returns its DSN. The database's own character
// set is latin1, as on a server that nobody has set up with care.
func (s *MariaDBServer) NewDatabase() string {
	s.t.Helper()
	name := fmt.Sprintf("spd%d", s.databases.Add(1))
	mariadbRun(s.t, "mariadb", "--no-defaults", "-uroot", "-S", s.path("sock"), "-e",
		"CREATE DATABASE "+name+" CHARACTER SET latin1")
	return "mysql://spd:spdpass@" + s.Addr + "/" + name
}

// Start starts the server again after Stop or Kill, on the same port, with its data.
func (s *MariaDBServer) Start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(mariadbTool(s.t, "mariadbd"), append(mariadbOptions(),
		"--datadir="+s.path("data"), "--socket="+s.path("sock"), "--pid-file="+s.path("pid"),
		"--port="+port, "--bind-address=127.0.0.1", "--skip-name-resolve", "--init-file="+s.path("init.sql"),
		"--max-connections=500", "--max-connect-errors=1000000")...)
	s.process = StartProcess(s.t, cmd, s.ready)
}

// Stop ends the server gently.
func (s *MariaDBServer) Stop() { s.process.Stop() }

// Kill ends the server at once, paused or not.
func (s *MariaDBServer) Kill() { s.process.Kill() }

// Pause makes the server hang: connections are accepted, nothing is answered.
func (s *MariaDBServer) Pause() {
	s.t.Helper()
	s.process.Signal(syscall.SIGSTOP)
	Await(s.t, "all threads of MariaDB have stopped", func() error { return stopped(s.process.Pid()) })
}

// stopped tells whether every thread of a process has been stopped (proc(5), state T).
func stopped(pid int) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return err
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "T") {
			return fmt.Errorf("%s is in state %.1s", file, state)
		}
	}
	return nil
}

// Resume ends a Pause.
func (s *MariaDBServer) Resume() { s.process.Signal(syscall.SIGCONT) }

// ready waits for the first byte of a greeting, which comes after the init file has run.
func (s *MariaDBServer) ready(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // only read from
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline) // fails only on a closed connection
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

func (s *MariaDBServer) path(name string) string { return filepath.Join(s.dir, name) }

// mariadbOptions trade safety against power loss for speed; a kill loses nothing.
func mariadbOptions() []string {
	options := []string{
		"--no-defaults", "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M",
		"--innodb-data-file-path=ibdata1:12M:autoextend", "--innodb-flush-log-at-trx-commit=2",
		"--innodb-doublewrite=0", "--innodb-flush-method=nosync", "--skip-log-bin", "--performance-schema=OFF",
	}
	if os.Getuid() == 0 {
		options = append(options, "--user=root")
	}
	return options
}

// mariadbTemplate returns a fresh data directory to copy. It is made once for a checkout;
// test binaries that need it at the same time wait for the one that makes it.
func mariadbTemplate(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(moduleRoot(t), ".tools", "mariadb-template")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }() // gives the lock back
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	fresh := dir + ".new" // what a killed test left half done is thrown away
	if err := os.RemoveAll(fresh); err != nil {
		t.Fatal(err)
	}
	mariadbRun(t, "mariadb-install-db", append(mariadbOptions(),
		"--datadir="+fresh, "--auth-root-authentication-method=normal", "--skip-test-db")...)
	if err := os.Rename(fresh, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mariadbRun(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(mariadbTool(t, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// mariadbTool finds a program in $PATH or where Debian keeps its servers.
func mariadbTool(t testing.TB, name string) string {
	t.Helper()
	for _, candidate := range []string{name, filepath.Join("/usr/sbin", name)} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing: install mariadb-server", name)
	return ""
}
