//go:build gui

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// A node dies in mid-upload. FileZilla connects again by itself, is led to another node, and
// goes on where the first had come to.
func fileZillaUploadFailsOver(t *testing.T, screen *screen) {
	first, second, balancer := behindBalancer(t)
	bucket := bucketOf(t, first)
	whole := noise(9, 48<<20)
	local := t.TempDir()
	write(t, filepath.Join(local, "huge.dat"), []byte(whole))

	f := screen.fileZillaAt(t, balancer.Addr, first.CertFile, local, throttled("outbound"))
	f.transferAll(localList)
	spdtest.Await(t, "some of it is stored", func() error { return spdtest.Equal(durable(t, bucket, "alice/huge.dat") > 0, true) })
	balancer.Turn(second.Addr())
	first.Kill()
	spdtest.Await(t, "all of it is", func() error { return storeHas(t, bucket, "alice/", map[string]string{"huge.dat": whole}) })
	f.goesOn(second, "up", len(whole))
}

// The same in mid-download.
func fileZillaDownloadFailsOver(t *testing.T, screen *screen) {
	first, second, balancer := behindBalancer(t)
	whole := noise(8, 48<<20)
	plant(t, bucketOf(t, first), "alice/huge.dat", whole)
	local := t.TempDir()
	file := filepath.Join(local, "huge.dat")

	f := screen.fileZillaAt(t, balancer.Addr, first.CertFile, local, throttled("inbound"))
	f.transferAll(remoteList)
	spdtest.Await(t, "some of it is here", func() error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		return spdtest.Equal(info.Size() > 8<<20, true)
	})
	balancer.Turn(second.Addr())
	first.Kill()
	spdtest.Await(t, "all of it is", func() error { return sameSizes(local, map[string]string{"huge.dat": whole}) })
	if read(t, file) != whole {
		t.Error("the file differs")
	}
	f.goesOn(second, "down", len(whole))
}

// behindBalancer starts two nodes, and what leads clients to the first until it is turned.
func behindBalancer(t *testing.T) (first, second *spdtest.SPD, balancer *spdtest.Proxy) {
	t.Helper()
	first = start(t, spdtest.Options{TLS: true})
	second = join(t, first, "second", map[string]string{"tls.cert": first.CertFile, "tls.key": first.KeyFile})
	return first, second, spdtest.NewProxy(t, first.Addr())
}

// goesOn fails if a file was transferred from its beginning again, and to or from another node.
func (f *fileZilla) goesOn(second *spdtest.SPD, direction string, whole int) {
	f.t.Helper()
	if !regexp.MustCompile(`Command: REST [1-9]`).MatchString(f.messages()) {
		f.t.Error("FileZilla has begun again")
	}
	if n := int(metric(f.t, second.Admin(), `spd_transfer_bytes_total{direction="`+direction+`"}`)); n == 0 || n >= whole {
		f.t.Errorf("%d bytes of %d went by the second node", n, whole)
	}
}
