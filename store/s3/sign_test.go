package s3

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// minio-go signs the same requests, at the time that ours were signed.
func TestSignatureIsMinioGos(t *testing.T) {
	ours := &signing{accessKey: "access", secretKey: "secret/+=", region: "eu-west-1"}
	for _, c := range []struct {
		method, key, query string
		header             http.Header
	}{
		{method: "GET", key: "a"},
		{method: "PUT", key: "dir/a file+ä中%?#.txt", header: http.Header{"Content-Type": {"text/plain"}, "X-Amz-Checksum-Crc32c": {"AAAAAA=="}}},
		{method: "PUT", key: "a", query: partQuery("id/+= ~", 12), header: http.Header{"Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}}},
		{method: "GET", key: " ", header: http.Header{"Range": {"bytes=5-9"}, "If-Match": {`"etag"`}}},
	} {
		if c.header == nil {
			c.header = http.Header{}
		}
		path := "/bucket/" + c.key
		req := &http.Request{Method: c.method, Host: "s3.test:9000", Header: c.header,
			URL: &url.URL{Scheme: "http", Host: "s3.test:9000", Path: path, RawPath: s3utils.EncodePath(path), RawQuery: c.query}}
		var got, want string
		for { // until both are made in the same second
			before := time.Now().Unix()
			delete(req.Header, "Authorization")
			ours.sign(req, time.Now())
			got = req.Header.Get("Authorization")
			want = signer.SignV4(*req, ours.accessKey, ours.secretKey, "", ours.region).Header.Get("Authorization")
			if time.Now().Unix() == before {
				break
			}
		}
		if got != want {
			t.Errorf("%s %s: signature is\n%s, want\n%s", c.method, c.key, got, want)
		}
		if req.URL.RawQuery != c.query {
			t.Errorf("query %q is not in order: %q", c.query, req.URL.RawQuery)
		}
	}
}

// A key serves one day.
func TestSigningKeyOfTheDay(t *testing.T) {
	s := &signing{accessKey: "a", secretKey: "s", region: "r"}
	first := s.day("20261121")
	if s.day("20261121") != first {
		t.Error("the day's key is made twice")
	}
	if next := s.day("20261122"); string(next.key) == string(first.key) || next.scope != "20261122/r/s3/aws4_request" {
		t.Errorf("the next day's key is the same, or its scope is %q", next.scope)
	}
}

// Keys are encoded as minio-go encodes them.
func TestEncodePath(t *testing.T) {
	for b := range 256 {
		key := "dir/plain-name_1.txt~" + string(rune(b)) + "/x"
		if got, want := encodePath(key), s3utils.EncodePath(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
