package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// A file of 1 GiB, which is nowhere but in the store: neither in memory nor in a temporary
// file.
func TestOneGiB(t *testing.T) {
	t.Parallel()
	const size = 1 << 30
	s := start(t, spdtest.Options{})

	sent := sha256.New()
	content := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sent)
	begun := time.Now()
	up := command(t, "curl", "-sS", "-u", "alice:secret", "-T", "-", s.URL()+"/large")
	up.Stdin = content
	if out, err := up.CombinedOutput(); err != nil {
		t.Fatalf("upload: %v\n%s", err, out)
	}
	t.Logf("up: %v", time.Since(begun).Round(10*time.Millisecond))

	got := sha256.New()
	begun = time.Now()
	down := command(t, "curl", "-sS", "-u", "alice:secret", s.URL()+"/large")
	stdout, err := down.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := down.Start(); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(got, stdout)
	if err := errors.Join(err, down.Wait()); err != nil {
		t.Fatalf("download: %v", err)
	}
	t.Logf("down: %v", time.Since(begun).Round(10*time.Millisecond))
	if n != size || hex.EncodeToString(got.Sum(nil)) != hex.EncodeToString(sent.Sum(nil)) {
		t.Errorf("got %d bytes with another hash", n)
	}
	curl(t, "-Q", "DELE large", s.URL()+"/")
}
