package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// signing signs requests (Amazon S3 API Reference, "Authenticating Requests: Using the
// Authorization Header (AWS Signature Version 4)"). It remembers the day's key.
type signing struct {
	accessKey, secretKey, region string
	today                        atomic.Pointer[dayKey]
}

// dayKey is what signatures of one day are made with.
type dayKey struct {
	scope string // "20261121/us-east-1/s3/aws4_request"
	key   []byte
}

const (
	signAlgorithm   = "AWS4-HMAC-SHA256"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	amzDate         = "20060102T150405Z"
)

// sign adds the headers that a request needs. Its headers must be complete, but for those
// that the transport adds; its query must be sorted and encoded. The body is not signed.
func (s *signing) sign(req *http.Request, now time.Time) {
	date := now.UTC().Format(amzDate)
	req.Header["X-Amz-Date"] = []string{date}
	req.Header["X-Amz-Content-Sha256"] = []string{unsignedPayload}

	names := make([]string, 0, 12)
	for name := range req.Header {
		names = append(names, strings.ToLower(name))
	}
	names = append(names, "host")
	slices.Sort(names)
	signed := strings.Join(names, ";")

	canonical := make([]byte, 0, 1024)
	canonical = appendLines(canonical, req.Method, req.URL.EscapedPath(), req.URL.RawQuery)
	for _, name := range names {
		value := req.Host
		if name != "host" {
			value = strings.TrimSpace(req.Header.Get(name))
		}
		canonical = append(append(canonical, name...), ':')
		canonical = appendLines(canonical, value)
	}
	canonical = appendLines(canonical, "", signed)
	canonical = append(canonical, unsignedPayload...)
	hash := sha256.Sum256(canonical)

	day := s.day(date[:len("20060102")])
	toSign := appendLines(nil, signAlgorithm, date, day.scope)
	toSign = hex.AppendEncode(toSign, hash[:])
	req.Header["Authorization"] = []string{signAlgorithm + " Credential=" + s.accessKey + "/" + day.scope +
		", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(sumHMAC(day.key, toSign))}
}

func appendLines(b []byte, lines ...string) []byte {
	for _, line := range lines {
		b = append(append(b, line...), '\n')
	}
	return b
}

// day is the key of a day, such as "20261121".
func (s *signing) day(date string) *dayKey {
	if d := s.today.Load(); d != nil && strings.HasPrefix(d.scope, date) {
		return d
	}
	key := []byte("AWS4" + s.secretKey)
	for _, part := range []string{date, s.region, "s3", "aws4_request"} {
		key = sumHMAC(key, []byte(part))
	}
	d := &dayKey{scope: date + "/" + s.region + "/s3/aws4_request", key: key}
	s.today.Store(d)
	return d
}

func sumHMAC(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(data) // a hash never fails
	return h.Sum(nil)
}
