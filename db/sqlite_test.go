package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
)

// editFile names a file, which makes this program, run again, an administrator's: it edits
// the file. editMode is SQLite's locking_mode: NORMAL, or EXCLUSIVE to have the file for
// itself.
const (
	editFile = "SPD_TEST_EDIT_FILE"
	editMode = "SPD_TEST_EDIT_MODE"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(editFile); file != "" {
		if err := edit(context.Background(), file, os.Getenv(editMode)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// edit knows nothing of SPD: it opens the file, changes a row and closes it, again and
// again, and minds if its last change, or SPD's, is lost.
func edit(ctx context.Context, file, mode string) error {
	for _, change := range [][2]string{{"active", "suspended"}, {"suspended", "active"}, {"active", "suspended"}} {
		handle, err := sql.Open("sqlite", "file://"+file+"?_pragma=busy_timeout(100)&_pragma=locking_mode("+mode+")")
		if err != nil {
			return err
		}
		handle.SetMaxOpenConns(1)
		result, err := handle.ExecContext(ctx, "UPDATE users SET status = ? WHERE status = ?", change[1], change[0])
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return errors.Join(fmt.Errorf("%d accounts are %s", n, change[0]), err)
		}
		if err := handle.Close(); err != nil {
			return err
		}
	}
	return nil
}

// editElsewhere edits the file in another process.
func editElsewhere(t *testing.T, file, mode string) error {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), editFile+"="+file, editMode+"="+mode)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// An administrator edits the file with another program while SPD runs: SPD must see the
// change, and not lose its own. A program that believes itself alone, because SPD holds no
// locks, would remove the log that SPD writes to; and SPD would lose its locks if it closed
// the file anywhere else, as when it opens the database a second time.
func TestSQLiteFileEditedByAnotherProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spd.db")
	d := open(t, "sqlite://"+file)
	check(t, d.Migrate(t.Context()))
	account := auth.Account{Password: "{plain}secret", Status: auth.Active}
	account.Name, account.Bucket, account.Permissions = "alice", "spd", auth.ReadWrite
	check(t, d.CreateUser(t.Context(), account))

	for range 2 {
		open(t, "sqlite://"+file)
		if err := editElsewhere(t, file, "EXCLUSIVE"); err == nil || !strings.Contains(err.Error(), "locked") {
			t.Errorf("another program has the file for itself: %v", err)
		}
		check(t, editElsewhere(t, file, "NORMAL"))
		found, err := d.Find(t.Context(), "alice")
		check(t, err)
		if found.Status != auth.Suspended {
			t.Error("the change is not seen")
		}
		active := auth.Active
		check(t, d.UpdateUser(t.Context(), "alice", db.Change{Status: &active}))
	}
	check(t, editElsewhere(t, file, "NORMAL"))
}
