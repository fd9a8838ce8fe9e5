// Package store is the contract between SPD and an S3-compatible object store.
//
// Implementations live in store/s3 (any S3 service) and store/memory (tests and
// examples); store/retry, store/limit and store/metrics wrap either. All of them pass
// the one acceptance test in store/storetest.
//
// A Store is bound to one bucket. All methods may be called concurrently, end when
// their context does, and never return an error that names a bucket, host or key to
// be shown to a client: callers translate errors by the sentinels below.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"
)

// The errors a Store returns, to be tested with errors.Is. Whatever is none of these
// is a fault of the request or of the program, not of the store's state.
var (
	// ErrNotExist: the object, or the multipart upload, is not there.
	ErrNotExist = fs.ErrNotExist
	// ErrExist: a conditional Put found an object, or the name is taken by a directory.
	ErrExist = fs.ErrExist
	// ErrChanged: the object is no longer the one that IfMatch named.
	ErrChanged = errors.New("object has changed")
	// ErrPartLost: a part that Complete names is not stored, or is another. The upload can
	// be completed without it, or aborted.
	ErrPartLost = errors.New("part lost by the store")
	// ErrTooLarge: the object or part is larger than the store accepts.
	ErrTooLarge = errors.New("object too large for the store")
	// ErrFull: the store has no room left, or its quota is used up.
	ErrFull = errors.New("store is full")
	// ErrBadName: no object of this key can exist in the store.
	ErrBadName = errors.New("name not allowed by the store")
	// ErrDenied: the credentials do not allow the request.
	ErrDenied = errors.New("store denied the request")
	// ErrNoBucket: the bucket does not exist.
	ErrNoBucket = errors.New("bucket does not exist")
	// ErrUnavailable: the store cannot be reached, is overloaded or failed (HTTP 5xx,
	// 429, connection errors, deadlines). Trying again later may help.
	ErrUnavailable = errors.New("store unavailable")
)

// Limits of S3 (Amazon S3 User Guide, "Multipart upload limits").
const (
	MinPartSize   = 5 << 20                   // bytes; every part but the last
	MaxPartSize   = 5 << 30                   // bytes
	MaxParts      = 10_000                    // parts of one upload
	MaxObjectSize = 5 << 40                   // bytes
	MaxPutSize    = 5 << 30                   // bytes in one PutObject or CopyObject
	MaxKeyLength  = 1024                      // bytes of UTF-8
	PageSize      = 1000                      // entries in one answer of ListObjectsV2
	DirContent    = "application/x-directory" // content type of a directory marker
)

// Object describes a stored object, or in a delimited listing a common prefix.
type Object struct {
	Key     string
	Size    int64     // bytes; 0 for a prefix
	ModTime time.Time // the store's LastModified; zero for a prefix
	ETag    string    // without quotes; "" for a prefix
	Prefix  bool      // Key is a common prefix and ends in the delimiter
}

// Digests is an object with the digests of all its bytes that the store has kept, in
// lowercase hex. "" stands for those it has not: which they are was the uploader's choice.
type Digests struct {
	Object
	CRC32, MD5, SHA1, SHA256, SHA512 string
}

// Part is one stored part of a multipart upload.
type Part struct {
	Number int    // 1..MaxParts
	Size   int64  // bytes
	ETag   string // without quotes
}

// Upload is a multipart upload that is neither completed nor aborted.
type Upload struct {
	Key       string
	ID        string
	Initiated time.Time
}

// ListOptions selects what List returns.
type ListOptions struct {
	// Delimiter "/" lists one directory: keys with a further "/" behind the prefix are
	// rolled up into one Object with Prefix set. "" lists all keys under the prefix.
	Delimiter string
	// StartAfter skips all keys up to and including this one.
	StartAfter string
	// Limit ends the listing after so many entries; 0 means no limit. A Limit of up to
	// PageSize costs one request.
	Limit int
}

// PutOptions are the conditions and properties of a new object.
type PutOptions struct {
	ContentType string // "" means application/octet-stream
	// IfAbsent makes the Put fail with ErrExist if the key exists (S3 If-None-Match: *).
	IfAbsent bool
	// Confirm, if not nil, is asked for leave when all but the end of the body is under
	// way: what it waits for costs no time. Its error makes the Put fail, and store nothing.
	// It is asked again for each attempt. It must not use the store, which may wait for
	// this very Put. Begin ignores it.
	Confirm func() error
}

// Reader reads objects.
type Reader interface {
	// Stat returns the object's properties (S3 HeadObject). Absent: ErrNotExist.
	Stat(ctx context.Context, key string) (Object, error)

	// Digests is Stat, with the digests that the store has checked and kept (S3 HeadObject
	// with x-amz-checksum-mode). It may be ErrDenied where Stat is not: objects encrypted by
	// keys of KMS take a right of their own.
	Digests(ctx context.Context, key string) (Digests, error)

	// Open returns the bytes [off, off+n) of an object, or from off to its end if n < 0,
	// with the properties of the whole object, by one request (S3 GetObject with Range).
	// off at or beyond the end gives an empty body. ifMatch, if not "", must be the ETag
	// the object has, else ErrChanged. The caller closes the body, which fails with
	// io.ErrUnexpectedEOF if the store sends less than it promised.
	Open(ctx context.Context, key string, off, n int64, ifMatch string) (io.ReadCloser, Object, error)

	// List yields the objects whose keys begin with prefix in ascending order of UTF-8
	// bytes, a page at a time (S3 ListObjectsV2). The first error ends the sequence.
	// A prefix without objects yields nothing and no error.
	List(ctx context.Context, prefix string, opts ListOptions) iter.Seq2[Object, error]
}

// Writer makes, copies and removes whole objects.
type Writer interface {
	// Put stores size bytes of body as key, atomically: readers see the old object or the
	// new one, whole (S3 PutObject). body is read from its start, again for each attempt;
	// a body that holds fewer or more bytes than size is an error. The returned Object
	// has no ModTime.
	Put(ctx context.Context, key string, body io.ReadSeeker, size int64, opts PutOptions) (Object, error)

	// Copy makes dst a copy of src inside the store, atomically, replacing what dst was.
	// src must come from Stat or List: its Size chooses between S3 CopyObject and a
	// multipart copy (over MaxPutSize), its ETag, if any, must still be the object's, else
	// ErrChanged. src gone: ErrNotExist.
	Copy(ctx context.Context, dst string, src Object) (Object, error)

	// Delete removes the object (S3 DeleteObject). Absent: no error.
	Delete(ctx context.Context, key string) error
}

// Multiparter makes an object from parts (S3 multipart upload). Nothing becomes visible
// before Complete. Every upload begun must be completed or aborted, or its parts are
// kept, and paid for, for ever.
type Multiparter interface {
	// Begin starts an upload and returns its id (S3 CreateMultipartUpload).
	Begin(ctx context.Context, key string, opts PutOptions) (id string, err error)

	// PutPart stores size bytes of body as part n, replacing an earlier part n
	// (S3 UploadPart). Upload gone: ErrNotExist.
	PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (Part, error)

	// CopyPart makes part n of the bytes [off, off+size) of src (S3 UploadPartCopy).
	CopyPart(ctx context.Context, key, id string, n int, src Object, off, size int64) (Part, error)

	// Parts lists what is stored of an upload, in ascending order (S3 ListParts).
	// Upload gone: ErrNotExist.
	Parts(ctx context.Context, key, id string) ([]Part, error)

	// Complete makes the object from exactly these parts, in ascending order, atomically
	// (S3 CompleteMultipartUpload). The returned Object may lack ModTime, and on some
	// stores ETag. Upload gone: ErrNotExist; a part gone or replaced: ErrPartLost.
	Complete(ctx context.Context, key, id string, parts []Part) (Object, error)

	// Abort throws an upload and its parts away (S3 AbortMultipartUpload). Gone: no error.
	Abort(ctx context.Context, key, id string) error

	// Uploads lists uploads in progress under prefix (S3 ListMultipartUploads). MinIO
	// answers only for a prefix that is the exact key.
	Uploads(ctx context.Context, prefix string) ([]Upload, error)
}

// Store is a bucket of an object store. Functions ask for the smallest part they need.
type Store interface {
	Reader
	Writer
	Multiparter

	// Ping tells whether the bucket can be used (S3 HeadBucket): nil, ErrNoBucket,
	// ErrDenied or ErrUnavailable.
	Ping(ctx context.Context) error
}

// Opener gives the Store of a bucket. It is called at each login: an implementation
// shares connections between buckets and makes no request.
type Opener func(bucket string) (Store, error)

// Unavailable marks err as a fault of the store that may pass.
func Unavailable(err error) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
