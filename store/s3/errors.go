package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/spdscheme/spdserver/store"
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
	var body *bodyError
	if errors.As(err, &body) {
		return fmt.Errorf("%s: %w", op, body)
	}
	kind := kindOf(err)
	if kind == nil {
		return fmt.Errorf("%s: %w", op, err)
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
	if kind, ok := codes()[answer.Code]; ok {
		return kind
	}
	return kindOfStatus(answer.StatusCode)
}

// codes are the error codes of Amazon S3 (API Reference, "Error responses"), MinIO, Ceph
// and versitygw that mean something to us.
func codes() map[string]error {
	return map[string]error{
		"NoSuchKey":     store.ErrNotExist,
		"NoSuchUpload":  store.ErrNotExist,
		"NoSuchVersion": store.ErrNotExist,
		"NoSuchBucket":  store.ErrNoBucket,

		"PreconditionFailed":            store.ErrChanged,
		"BucketAlreadyExists":           store.ErrExist,
		"BucketAlreadyOwnedByYou":       store.ErrExist,
		"ObjectParentIsFile":            store.ErrExist, // versitygw: "a/b" where "a" is
		"ExistingObjectIsDirectory":     store.ErrExist, // versitygw: "a" where "a/b" is
		"XMinioObjectExistsAsDirectory": store.ErrExist,
		"XMinioParentIsObject":          store.ErrExist,

		"EntityTooLarge":           store.ErrTooLarge,
		"MaxMessageLengthExceeded": store.ErrTooLarge,

		"QuotaExceeded":                  store.ErrFull,
		"InsufficientStorage":            store.ErrFull,
		"XMinioStorageFull":              store.ErrFull,
		"XMinioAdminBucketQuotaExceeded": store.ErrFull,

		"KeyTooLong":                store.ErrBadName,
		"KeyTooLongError":           store.ErrBadName,
		"InvalidURI":                store.ErrBadName,
		"XMinioInvalidObjectName":   store.ErrBadName,
		"XMinioInvalidResource":     store.ErrBadName,
		"XMinioInvalidResourceName": store.ErrBadName,
		"XMinioInvalidUTF":          store.ErrBadName,

		"AccessDenied":                 store.ErrDenied,
		"AllAccessDisabled":            store.ErrDenied,
		"AccountProblem":               store.ErrDenied,
		"AuthorizationHeaderMalformed": store.ErrDenied,
		"ExpiredToken":                 store.ErrDenied,
		"InvalidAccessKeyId":           store.ErrDenied,
		"InvalidToken":                 store.ErrDenied,
		"RequestTimeTooSkewed":         store.ErrDenied,
		"SignatureDoesNotMatch":        store.ErrDenied,
		"UnauthorizedAccess":           store.ErrDenied,

		// The bytes were damaged or lost on their way: sending them again may help.
		"BadDigest":                   store.ErrUnavailable,
		"IncompleteBody":              store.ErrUnavailable,
		"XAmzContentChecksumMismatch": store.ErrUnavailable,

		"ConditionalRequestConflict": store.ErrUnavailable,
		"InternalError":              store.ErrUnavailable,
		"OperationAborted":           store.ErrUnavailable,
		"RequestTimeout":             store.ErrUnavailable, // HTTP 400 on Amazon S3
		"ServiceUnavailable":         store.ErrUnavailable,
		"SlowDown":                   store.ErrUnavailable,
		"XMinioServerNotInitialized": store.ErrUnavailable,

		"NotImplemented": nil,
	}
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
