package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/spdscheme/spdserver/admin"
)

func TestHealthcheckCommand(t *testing.T) {
	alive := httptest.NewServer(admin.Handler(admin.Options{}))
	defer alive.Close()
	_, port, err := net.SplitHostPort(alive.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	for _, test := range []struct {
		address string
		healthy bool
	}{
		{alive.Listener.Addr().String(), true},
		{":" + port, true},
		{"0.0.0.0:" + port, true},
		{other.Listener.Addr().String(), false},
		{gone.Listener.Addr().String(), false},
		{"nonsense", false},
	} {
		cmd := newHealthcheckCommand()
		cmd.SetArgs([]string{"--admin", test.address})
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		if err := cmd.ExecuteContext(t.Context()); (err == nil) != test.healthy {
			t.Errorf("%s: %v", test.address, err)
		}
	}
}
