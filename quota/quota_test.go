package quota

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spdscheme/spdserver/auth"
)

func TestPlacesOf(t *testing.T) {
	own := []Place{{Bucket: "home", Prefix: "alice/big/"}, {Bucket: "b", Prefix: "own/"}}
	got := PlacesOf(&auth.User{Name: "alice", Bucket: "home", Prefix: "alice/", Mounts: []auth.Mount{
		{Path: "/again", Bucket: "b", Prefix: "shared/", Quota: auth.SharedQuota},
		{Path: "/big", Bucket: "home", Prefix: "alice/big/", Quota: auth.OwnQuota},
		{Path: "/inner", Bucket: "home", Prefix: "alice/docs/", Quota: auth.SharedQuota}, // counted already
		{Path: "/own", Bucket: "b", Prefix: "own/", Quota: auth.OwnQuota},
		{Path: "/public", Bucket: "b", Prefix: "public/", Quota: auth.SharedQuota, ReadOnly: true},
		{Path: "/shared", Bucket: "b", Prefix: "shared/", Quota: auth.SharedQuota},
	}})
	want := []Place{{Bucket: "home", Prefix: "alice/", Except: own}, {Bucket: "b", Prefix: "shared/", Except: own}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for key, holds := range map[string]bool{"alice/f": true, "alice/big/f": false, "alicia/f": false} {
		if got[0].holds("home", key) != holds {
			t.Errorf("holds %s: %v", key, !holds)
		}
	}
}

func TestNameOf(t *testing.T) {
	u := &auth.User{Name: "alice", QuotaBytes: 5}
	own := &auth.Mount{Bucket: "b", Prefix: "p/q/", Quota: auth.OwnQuota, QuotaFiles: 3}
	for _, test := range []struct {
		mount *auth.Mount
		name  Name
		limit Amount
	}{
		{nil, Name{User: "alice"}, Amount{Bytes: 5}},
		{&auth.Mount{Bucket: "b", Quota: auth.SharedQuota}, Name{User: "alice"}, Amount{Bytes: 5}},
		{own, Name{Place: "b/p/q/"}, Amount{Files: 3}},
	} {
		name, limit := NameOf(u, test.mount)
		if name != test.name || limit != test.limit {
			t.Errorf("%+v: %+v, %+v", test.mount, name, limit)
		}
	}
	if got := PlaceOf(Name{Place: "b/p/q/"}); got.Bucket != "b" || got.Prefix != "p/q/" {
		t.Errorf("PlaceOf: %+v", got)
	}
}
