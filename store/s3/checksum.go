package s3

import (
	"crypto/md5" // #nosec G501 -- Content-MD5 is part of the protocol
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"

	"github.com/spdscheme/spdserver/store"
)

// Checksum is how the store can tell that a body arrived undamaged.
type Checksum string

// The checksums. On Amazon S3, which wants any other to be announced when an upload begins
// and repeated when it is completed, parts are sent with MD5 even under CRC32C.
const (
	CRC32C Checksum = "crc32c" // x-amz-checksum-crc32c; 20 times faster than MD5
	MD5    Checksum = "md5"    // Content-MD5; all stores know it
	None   Checksum = "none"
)

func (c Checksum) valid() error {
	switch c {
	case "", CRC32C, MD5, None:
		return nil
	}
	return fmt.Errorf("checksum %q is not one of crc32c, md5, none", string(c))
}

// sum is a checksum as it travels; at most one of its fields is set.
type sum struct{ md5, crc32c string }

// crcHeader is the header of a sum.crc32c (S3 API Reference, PutObject, UploadPart).
const crcHeader = "X-Amz-Checksum-Crc32c"

// header returns headers with the checksum.
func (s sum) header() http.Header {
	h := make(http.Header, 8)
	if s.md5 != "" {
		h["Content-Md5"] = []string{s.md5}
	}
	if s.crc32c != "" {
		h[crcHeader] = []string{s.crc32c}
	}
	return h
}

// prepare rewinds a body, insists that it is size bytes long, and sums it up.
func prepare(body io.ReadSeeker, size int64, kind Checksum) (sum, error) {
	length, err := body.Seek(0, io.SeekEnd)
	if err != nil {
		return sum{}, &bodyError{err}
	}
	if length != size {
		return sum{}, &bodyError{fmt.Errorf("%d bytes long, not %d", length, size)}
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return sum{}, &bodyError{err}
	}
	switch kind {
	case CRC32C:
		if s, ok := body.(store.Summed); ok {
			return sum{crc32c: encodeCRC(s.CRC32C())}, nil
		}
		encoded, err := encode(crc32.New(crc32.MakeTable(crc32.Castagnoli)), body)
		return sum{crc32c: encoded}, err
	case MD5:
		encoded, err := encode(md5.New(), body) // #nosec G401 -- see the import
		return sum{md5: encoded}, err
	}
	return sum{}, nil
}

// encodeCRC writes a CRC-32C in base64, the most significant byte first.
func encodeCRC(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// encode sums a body up and rewinds it.
func encode(h hash.Hash, body io.ReadSeeker) (string, error) {
	if _, err := io.Copy(h, body); err != nil {
		return "", &bodyError{err}
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", &bodyError{err}
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// bodyError is a fault of the caller's body, not of the store.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }
