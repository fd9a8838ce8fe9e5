package server_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/server"
)

// A server of one's own, which tells what happens in it.
func ExampleHooks() {
	ended := make(chan struct{})
	ftp, err := server.New(server.Options{
		Banner: "example",
		Log:    slog.New(slog.DiscardHandler),
		Login: func(context.Context, string, string, auth.Connection) (*auth.User, error) {
			return nil, auth.ErrDenied // nobody has an account here; see auth.Users
		},
		Hooks: server.Hooks{
			Connected:    func(s server.SessionInfo) { fmt.Println("connected from", s.Remote.Addr()) },
			Disconnected: func(server.SessionInfo) { close(ended) },
			Statistics: func(s server.Statistics) {
				fmt.Println(s.Connections, "connection,", s.FailedLogins, "failed login,", s.Logins, "logins")
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- ftp.Serve(l) }()

	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	in := bufio.NewReader(conn)
	for _, command := range []string{"USER alice", "PASS guess", "QUIT", ""} {
		reply, _ := in.ReadString('\n') // none is the end
		fmt.Println(strings.TrimSpace(reply))
		_, _ = fmt.Fprintf(conn, "%s\r\n", command) // a reply tells
	}
	_ = conn.Close() // nothing is lost
	<-ended
	ftp.Close() // statistics are told every ten seconds, and a last time now
	fmt.Println(<-served)
	// Output:
	// connected from 127.0.0.1
	// 220 example
	// 331 Password required
	// 530 Login incorrect
	// 221 Goodbye
	// 1 connection, 1 failed login, 0 logins
	// server closed
}
