package server_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/spdscheme/spdserver/store/storetest"
)

// Who logs in, looks around and does nothing with files costs no request to the store, and
// can do it while the store is away.
func TestLoginAsksNothingOfTheStore(t *testing.T) {
	r := newRig(t, nil)
	var calls atomic.Int64
	r.files.Before = func(context.Context, storetest.Call) error {
		calls.Add(1)
		return errors.New("the store is away")
	}
	c := r.login("alice")
	c.talk([]exchange{
		{"215", "SYST"}, {"211", "FEAT"}, {"200", "CLNT x"}, {"200", "OPTS UTF8 ON"}, {"257", "PWD"}, {"200", "TYPE I"}, {"200", "NOOP"},
		{"211", "STAT"}, {"350", "REST 0"}, {"250", "CWD /"}, {"229", "EPSV"}, {"221", "QUIT"},
	}...)
	c.closed()
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls of the store", n)
	}
}
