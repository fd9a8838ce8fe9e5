// Package integration drives the real program with real clients: lftp and curl against
// spdserver, with MinIO and MariaDB behind it.
package integration

import (
	"os"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

// servers are shared by all tests; each has a bucket and a database of its own.
var servers spdtest.Servers

func TestMain(m *testing.M) {
	os.Exit(spdtest.Main(m, func(s spdtest.Servers) { servers = s }))
}

// start starts a node on the shared servers, with the account alice, password "secret".
func start(t *testing.T, o spdtest.Options) *spdtest.SPD {
	t.Helper()
	o.Servers = servers
	s := spdtest.Start(t, o)
	s.AddUser("alice", "secret")
	return s
}
