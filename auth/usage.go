package auth

import (
	"context"
	"errors"
)

// ErrQuota: the account's quota does not allow it.
var ErrQuota = errors.New("quota exceeded")

// Usage counts what accounts with a quota have stored, for all nodes. All methods may be
// called concurrently.
type Usage interface {
	// Charge adds bytes and files (either may be negative) to what the account uses. If
	// one of them is positive and the sum would exceed the account's quota_bytes or
	// quota_files, nothing is added and the error is ErrQuota. Never counted: ErrNotFound.
	Charge(ctx context.Context, name string, bytes, files int64) error
	// Used returns what the account uses. Never counted: ErrNotFound.
	Used(ctx context.Context, name string) (bytes, files int64, err error)
	// SetUsed stores a fresh count.
	SetUsed(ctx context.Context, name string, bytes, files int64) error
}
