package integration

import (
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
	"github.com/spdscheme/spdserver/store"
)

// The checks are in testdata/ftplib_client.py.
func TestFtplib(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true})
	for _, check := range []string{
		"both_ways", "active", "machine_listings", "names", "resumed", "abort_of_download", "abort_of_upload",
		"abort_without_transfer", "folders_and_names", "unique_names",
	} {
		t.Run(check, func(t *testing.T) { ftplib(t, s, check) })
		if check == "abort_of_download" || check == "abort_of_upload" || check == "abort_without_transfer" {
			continue // Python's ssl cannot send urgent data
		}
		t.Run(check+" over TLS", func(t *testing.T) { ftplib(t, s, check, s.CertFile) })
	}
	t.Run("clear_again", func(t *testing.T) { ftplib(t, s, "clear_again", s.CertFile) })
}

// ftplib runs a check in a home that is empty.
func ftplib(t *testing.T, s *spdtest.SPD, check string, ca ...string) {
	t.Helper()
	wipe(t, bucketOf(t, s))
	host, port := hostPort(t, s)
	r := run(t, nil, "python3", append([]string{"testdata/ftplib_client.py", check, host, port}, ca...)...)
	if r.code != 0 {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// wipe empties a bucket.
func wipe(t *testing.T, bucket store.Store) {
	t.Helper()
	for o, err := range bucket.List(t.Context(), "", store.ListOptions{}) {
		if err == nil {
			err = bucket.Delete(t.Context(), o.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
