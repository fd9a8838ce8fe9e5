package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/internal/wire"
)

// translate tells in the contract's words why a request failed. ctx is the caller's: if it
// was cancelled, that is the reason. The cause is kept for the log.
func translate(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); errors.Is(ended, context.Canceled) {
		return fmt.Errorf("%s: %w", op, ended)
	}
	if body, ok := errors.AsType[*bodyError](err); ok {
		return fmt.Errorf("%s: %w", op, body)
	}
	if body, ok := errors.AsType[*wire.BodyError](err); ok {
		return fmt.Errorf("%s: %w", op, body)
	}
	kind := kindOf(err)
	if kind == nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if answer, ok := errors.AsType[minio.ErrorResponse](err); ok && errors.Is(kind, store.ErrNoBucket) {
		return fmt.Errorf("%s: %q: %w: %w", op, answer.BucketName, kind, err) // an account may name another than the others
	}
	return fmt.Errorf("%s: %w: %w", op, kind, err)
}

// kindOf returns the sentinel for an error of minio-go; nil if there is none. What is not
// an answer of the store is a broken connection, a deadline or gibberish.
func kindOf(err error) error {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return store.ErrUnavailable
	}
	if kind, known := kindOfCode(answer.Code); known {
		return kind
	}
	return kindOfStatus(answer.StatusCode)
}

// kindOfCode knows the error codes of Amazon S3 (API Reference, "Error responses"), MinIO,
// Ceph and versitygw that mean something to us.
func kindOfCode(code string) (kind error, known bool) {
	switch code {
	case "NoSuchKey", "NoSuchUpload", "NoSuchVersion":
		return store.ErrNotExist, true
	case "NoSuchBucket":
		return store.ErrNoBucket, true
	case "InvalidPart", "InvalidPartOrder":
		return store.ErrPartLost, true
	case "PreconditionFailed":
		return store.ErrChanged, true
	case "BucketAlreadyExists", "BucketAlreadyOwnedByYou",
		"ObjectParentIsFile",        // versitygw: "a/b" where "a" is
		"ExistingObjectIsDirectory", // versitygw: "a" where "a/b" is
		"XMinioObjectExistsAsDirectory", "XMinioParentIsObject":
		return store.ErrExist, true
	case "EntityTooLarge", "MaxMessageLengthExceeded":
		return store.ErrTooLarge, true
	case "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded":
		return store.ErrFull, true
	case "KeyTooLong", "KeyTooLongError", "InvalidURI",
		"XMinioInvalidObjectName", "XMinioInvalidResource", "XMinioInvalidResourceName", "XMinioInvalidUTF":
		return store.ErrBadName, true
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "AuthorizationHeaderMalformed", "ExpiredToken",
		"InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "UnauthorizedAccess":
		return store.ErrDenied, true
	case "BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch": // damaged or lost on the way
		return store.ErrUnavailable, true
	case "ConditionalRequestConflict", "InternalError", "OperationAborted", "ServiceUnavailable", "SlowDown",
		"RequestTimeout", // HTTP 400 on Amazon S3
		"XMinioServerNotInitialized":
		return store.ErrUnavailable, true
	case "NotImplemented":
		return nil, true
	}
	return nil, false
}

// kindOfStatus is for answers whose code says nothing.
func kindOfStatus(status int) error {
	switch status {
	case http.StatusNotFound:
		return store.ErrNotExist
	case http.StatusPreconditionFailed:
		return store.ErrChanged
	case http.StatusUnauthorized, http.StatusForbidden:
		return store.ErrDenied
	case http.StatusRequestEntityTooLarge:
		return store.ErrTooLarge
	case http.StatusRequestURITooLong:
		return store.ErrBadName
	case http.StatusInsufficientStorage:
		return store.ErrFull
	case http.StatusNotImplemented:
		return nil
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return store.ErrUnavailable
	}
	// Some errors come after a status of 200, sent early to keep the connection alive.
	if status >= http.StatusInternalServerError || status == http.StatusOK {
		return store.ErrUnavailable
	}
	return nil
}

// isCode tells whether err is the store's answer with this code.
func isCode(err error, code string) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && answer.Code == code
}
