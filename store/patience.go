package store

import (
	"context"
	"time"
)

type patienceKey struct{}

// WithPatience limits how long calls with ctx wait for a store that is away: the repetition
// of a request that fails, and a request that is not answered. Work that goes on is not cut
// short, as it would be by a deadline.
func WithPatience(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, limit)
}

// Patience is how long to wait where usual is the custom: that, or less.
func Patience(ctx context.Context, usual time.Duration) time.Duration {
	if limit, ok := ctx.Value(patienceKey{}).(time.Duration); ok {
		return min(limit, usual)
	}
	return usual
}
