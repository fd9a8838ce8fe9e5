package spdtest

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// Servers are what the tests of a package share, so that each is started once.
type Servers struct {
	S3       Endpoint
	Database *MariaDBServer
}

// Main runs the tests of a package with one MinIO and one MariaDB for all of them, which
// it hands to use before the first test. It returns the exit code, for TestMain.
func Main(m *testing.M, use func(Servers)) int {
	t := &mainTB{}
	defer t.cleanUp()
	use(Servers{S3: MinIO(t), Database: MariaDB(t)})
	return m.Run()
}

// mainTB stands for a test where there is none: in TestMain. What fails, ends the program.
type mainTB struct {
	testing.TB // nil: only what is below may be called
	cleanups   []func()
}

var _ testing.TB = (*mainTB)(nil)

func (t *mainTB) Helper()          {}
func (t *mainTB) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *mainTB) Error(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (t *mainTB) Fatal(args ...any)                 { t.fail(fmt.Sprintln(args...)) }
func (t *mainTB) Fatalf(format string, args ...any) { t.fail(fmt.Sprintf(format+"\n", args...)) }

// TempDir is removed at the end.
func (t *mainTB) TempDir() string {
	dir, err := os.MkdirTemp("", "spdtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (t *mainTB) fail(text string) {
	fmt.Fprint(os.Stderr, text)
	t.cleanUp()
	os.Exit(1)
}

func (t *mainTB) cleanUp() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}
