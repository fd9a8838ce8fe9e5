package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// What a plain download sends goes from the store's connection to the client's inside the
// kernel: the program reads hardly anything. Where it must look at the bytes, it reads them.
func TestPlainDownloadsAreSpliced(t *testing.T) {
	t.Parallel()
	const size, hardly = 20 << 20, 1 << 20
	s := start(t, spdtest.Options{TLS: true})
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	data = bytes.ReplaceAll(data, []byte("\n"), []byte("_"))
	client := spdtest.LoginFTP(t, s.Addr(), "alice", "secret")
	client.Put("226", "STOR large", data)

	for _, c := range []struct {
		name, mode string
		spliced    bool
	}{
		{"plain", "TYPE I", true}, {"again", "TYPE I", true}, {"as text", "TYPE A", false}, {"and back", "TYPE I", true},
	} {
		client.Do("200", "%s", c.mode)
		before := bytesRead(t, s.Pid())
		if got := client.Get("RETR large"); got != string(data) {
			t.Errorf("%s: got %d bytes, or others", c.name, len(got))
		}
		read := bytesRead(t, s.Pid()) - before
		if c.spliced && read > hardly || !c.spliced && read < size {
			t.Errorf("%s: the program has read %d of %d bytes", c.name, read, size)
		}
	}

	client.Do("350", "REST %d", size/3)
	before := bytesRead(t, s.Pid())
	if got := client.Get("RETR large"); got != string(data[size/3:]) {
		t.Errorf("resumed: got %d bytes, or others", len(got))
	}
	if read := bytesRead(t, s.Pid()) - before; read > hardly {
		t.Errorf("resumed: the program has read %d bytes", read)
	}

	before = bytesRead(t, s.Pid())
	got := curl(t, "--cacert", s.CertFile, "-u", "alice:secret", s.ImplicitURL()+"/large")
	if got != string(data) {
		t.Errorf("under TLS: got %d bytes, or others", len(got))
	}
	if read := bytesRead(t, s.Pid()) - before; read < size {
		t.Errorf("under TLS: the program has read %d bytes", read)
	}
}

// bytesRead is how many bytes a process has read, from files and connections, so far. What
// it has spliced does not count.
func bytesRead(t *testing.T, pid int) int64 {
	t.Helper()
	read, _ := bytesMoved(t, pid)
	return read
}

// bytesWritten is bytesRead of what a process has written.
func bytesWritten(t *testing.T, pid int) int64 {
	t.Helper()
	_, written := bytesMoved(t, pid)
	return written
}

func bytesMoved(t *testing.T, pid int) (read, written int64) {
	t.Helper()
	counts, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanf(strings.NewReader(string(counts)), "rchar: %d\nwchar: %d\n", &read, &written); err != nil {
		t.Fatalf("%s: %v", counts, err)
	}
	return read, written
}
