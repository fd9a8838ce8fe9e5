package server_test

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"

	"github.com/spdscheme/spdserver/server"
)

// countedListener counts what its connections write.
type countedListener struct {
	net.Listener
	writes *atomic.Int64
}

// Accept implements net.Listener.
func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{conn.(*net.TCPConn), l.writes}, nil
}

type countedConn struct {
	*net.TCPConn // the server asks the kernel about it
	writes       *atomic.Int64
}

// Write implements io.Writer.
func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(p)
}

// A reply in several pieces would wait for the client's delayed acknowledgement, 40 ms, of
// the first: each is one write, however many lines it has, in clear and under TLS.
func TestEachReplyIsOneWrite(t *testing.T) {
	for _, how := range []string{"plain", "TLS"} {
		t.Run(how, func(t *testing.T) {
			cert := certificate(t)
			r := newRig(t, func(o *server.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
			var writes atomic.Int64
			r.addr = r.listen(func(l net.Listener) error { return r.server.Serve(countedListener{l, &writes}) })
			c := r.connect()
			if how == "TLS" {
				c.do("234", "AUTH TLS")
				c = newClient(t, tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}))
			}
			c.do("331", "USER alice")
			c.do("230", "PASS alice")
			c.put("226", "STOR f", nil)
			before := writes.Load()
			commands := []struct{ want, line string }{
				{"200", "NOOP"}, {"257", "PWD"}, {"200", "TYPE I"}, {"211", "FEAT"}, {"211", "STAT"}, {"214", "HELP"}, {"250", "MLST f"}, {"212", "STAT /"},
				{"213", "SIZE f"}, {"550", "SIZE missing"}, {"229", "EPSV"}, {"500", "FOO"},
			}
			const rounds = 80
			for range rounds {
				for _, command := range commands {
					c.do(command.want, "%s", command.line)
				}
			}
			if got, want := writes.Load()-before, int64(rounds*len(commands)); got != want {
				t.Errorf("%d writes for %d replies", got, want)
			}
		})
	}
}
