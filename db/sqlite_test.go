package db_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/db"
)

// editor is an administrator's program, which knows nothing of SPD: it opens the file,
// changes a row and closes it.
const editor = `
import sqlite3, sys
for old, new in (("active", "suspended"), ("suspended", "active"), ("active", "suspended")):
    db = sqlite3.connect(sys.argv[1])
    changed = db.execute("UPDATE users SET status = ? WHERE status = ?", (new, old)).rowcount
    db.commit()
    db.close()
    assert changed == 1, "the last change is not seen"
`

// An administrator edits the file with another program while SPD runs: SPD must see the
// change, and not lose its own.
func TestSQLiteFileEditedByAnotherProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spd.db")
	d, err := db.Open(t.Context(), "sqlite://"+file, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	check(t, d.Ping(t.Context())) // as a server does
	check(t, d.Migrate(t.Context()))
	account := auth.Account{Password: "{plain}secret", Status: auth.Active}
	account.Name, account.Bucket, account.Permissions = "alice", "spd", auth.ReadWrite
	check(t, d.CreateUser(t.Context(), account))

	for range 2 {
		out, err := exec.CommandContext(t.Context(), "python3", "-c", editor, file).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		found, err := d.Find(t.Context(), "alice")
		check(t, err)
		if found.Status != auth.Suspended {
			t.Error("the change is not seen")
		}
		active := auth.Active
		check(t, d.UpdateUser(t.Context(), "alice", db.UserChange{Status: &active}))
	}
}
