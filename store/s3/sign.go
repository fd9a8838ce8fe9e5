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

	canonical := make([]byte, 0, 1024)
	canonical = appendLines(canonical, req.Method, req.URL.EscapedPath(), req.URL.RawQuery)
	canonical, signed := appendHeaders(canonical, req)
	canonical = appendLines(canonical, "", signed)
	canonical = append(canonical, unsignedPayload...)
	hash := sha256.Sum256(canonical)

	day := s.day(date[:len("20060102")])
	toSign := appendLines(nil, signAlgorithm, date, day.scope)
	toSign = hex.AppendEncode(toSign, hash[:])
	req.Header["Authorization"] = []string{signAlgorithm + " Credential=" + s.accessKey + "/" + day.scope +
		", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(sumHMAC(day.key, toSign))}
}

// appendHeaders appends the headers as they are signed, in the order of their names, and
// returns these, too.
func appendHeaders(b []byte, req *http.Request) (appended []byte, names string) {
	type header struct{ name, value string }
	headers := make([]header, 0, 12)
	headers = append(headers, header{"host", req.Host})
	for name, values := range req.Header {
		headers = append(headers, header{strings.ToLower(name), strings.TrimSpace(values[0])})
	}
	slices.SortFunc(headers, func(a, b header) int { return strings.Compare(a.name, b.name) })
	signed := make([]byte, 0, 128)
	for i, h := range headers {
		b = append(append(b, h.name...), ':')
		b = appendLines(b, h.value)
		if i > 0 {
			signed = append(signed, ';')
		}
		signed = append(signed, h.name...)
	}
	return b, string(signed)
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
