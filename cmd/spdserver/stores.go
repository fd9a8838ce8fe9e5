package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/limit"
	"github.com/spdscheme/spdserver/store/metrics"
	"github.com/spdscheme/spdserver/store/retry"
	"github.com/spdscheme/spdserver/store/s3"
)

func newS3Client(cfg config.S3, transport func(http.RoundTripper) http.RoundTripper) (*s3.Client, error) {
	return s3.New(s3.Options{
		Endpoint:       cfg.Endpoint,
		Region:         cfg.Region,
		AccessKey:      cfg.AccessKey.Reveal(),
		SecretKey:      cfg.SecretKey.Reveal(),
		PathStyle:      cfg.PathStyle == "always",
		Checksum:       s3.Checksum(cfg.Checksum),
		RequestTimeout: cfg.RequestTimeout,
		Transport:      transport,
	})
}

// newStores returns how buckets are opened. A request passes retry, then limit, then
// metrics: one that waits to be tried again holds no slot, and each attempt is counted.
func newStores(cfg config.Config, client *s3.Client, reg prometheus.Registerer, log *slog.Logger) (store.Opener, error) {
	slots := limit.New(cfg.S3.MaxRequests)
	counted, err := metrics.New(reg)
	if err != nil {
		return nil, err
	}
	tries := retry.Options{For: cfg.Transfer.RetryFor, Notify: func(op string, wait time.Duration, err error) {
		log.Warn("request to the store failed; trying again", "op", op, "wait", wait.String(), "err", err)
	}}
	return func(bucket string) (store.Store, error) {
		if bucket == "" {
			bucket = cfg.S3.Bucket
		}
		var s store.Store = client.Bucket(bucket)
		s = counted.Wrap(s)
		s = slots.Wrap(s)
		if tries.For > 0 {
			s = retry.Wrap(s, tries)
		}
		return s, nil
	}, nil
}

// storeRetry is how long to wait between two looks at a store that is away.
const storeRetry = 3 * time.Second

// waitForStore waits until the default bucket can be used. What waiting does not cure is
// an error that says what to do.
func (a *App) waitForStore(ctx context.Context) error {
	for {
		err := a.checkStore(ctx)
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		a.Log.Info("waiting for the object store", "endpoint", a.cfg.S3.Endpoint, "err", err)
		select {
		case <-time.After(storeRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// checkStore looks at the default bucket, and makes it if the configuration says so.
func (a *App) checkStore(ctx context.Context) error {
	bucket := a.cfg.S3.Bucket
	err := a.client.Bucket(bucket).Ping(ctx)
	if errors.Is(err, store.ErrNoBucket) && a.cfg.S3.CreateBucket {
		if err = a.client.MakeBucket(ctx, bucket); err == nil {
			a.Log.Info("bucket made", "bucket", bucket)
		}
	}
	switch {
	case errors.Is(err, store.ErrNoBucket):
		return fmt.Errorf("s3.bucket: %w: make %q at %s, or set s3.create_bucket: true", err, bucket, a.cfg.S3.Endpoint)
	case errors.Is(err, store.ErrDenied):
		return fmt.Errorf("s3.access_key, s3.secret_key: %s refuses them for bucket %q: check both, and the policy of the key", a.cfg.S3.Endpoint, bucket)
	case err != nil:
		return fmt.Errorf("s3.endpoint: %w", err)
	}
	return nil
}
