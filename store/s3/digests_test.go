package s3_test

import (
	"net/http"
	"testing"

	"github.com/spdscheme/spdserver/store"
)

func TestDigests(t *testing.T) {
	const (
		crc  = "y/U6HA==" // of "12345", as its digests below
		sha1 = "jLIjfQZ5yojbZGTqxg2pY0VROWQ="
		sha2 = "WZRHGrsBESr8wYFZ9sx0tPURuZgG2lmzyvWpwXPKz8U="
	)
	for name, c := range map[string]struct {
		header []string
		want   store.Digests
	}{
		"none": {},
		"whole": {
			[]string{"x-amz-checksum-type", "FULL_OBJECT", "x-amz-checksum-crc32", crc, "x-amz-checksum-sha1", sha1, "x-amz-checksum-sha256", sha2},
			store.Digests{
				CRC32: "cbf53a1c", SHA1: "8cb2237d0679ca88db6464eac60da96345513964",
				SHA256: "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
			},
		},
		"of a store that tells no type": {[]string{"x-amz-checksum-crc32", crc}, store.Digests{CRC32: "cbf53a1c"}},
		"of parts":                      {[]string{"x-amz-checksum-type", "COMPOSITE", "x-amz-checksum-crc32", crc}, store.Digests{}},
		"of parts, old form":            {[]string{"x-amz-checksum-crc32", crc + "-2", "x-amz-checksum-sha256", crc}, store.Digests{}},
		"nonsense":                      {[]string{"x-amz-checksum-crc32", "!!!"}, store.Digests{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, func(req *http.Request) (*http.Response, error) {
				if req.Method != http.MethodHead || req.Header.Get("x-amz-checksum-mode") != "ENABLED" {
					t.Errorf("%s, %v", req.Method, req.Header)
				}
				header := append([]string{"ETag", `"e"`, "Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT", "Content-Length", "5"}, c.header...)
				return answer(http.StatusOK, "", header...), nil
			})
			got, err := s.Digests(t.Context(), "a")
			if err != nil || got.ETag != "e" || got.Key != "a" {
				t.Fatalf("%+v, %v", got, err)
			}
			got.Object = store.Object{}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
