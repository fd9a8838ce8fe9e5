package upload

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/spdscheme/spdserver/store"
)

const (
	janitorJob   = "upload janitor"
	janitorEvery = time.Minute
)

// Janitor throws away what nobody has resumed. Every node runs one; a lease lets only one
// of them work at a time.
type Janitor struct {
	Journal Journal
	Node    string
	Keep    time.Duration // how long interrupted uploads are kept
	Stores  store.Opener
	Buckets []string // where to look for uploads that no journal knows
	Log     *slog.Logger
}

// Run works until ctx ends.
func (j *Janitor) Run(ctx context.Context) {
	ticker := time.NewTicker(janitorEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := j.Work(ctx); err != nil && ctx.Err() == nil {
				j.Log.Warn("interrupted uploads not cleaned up; next try in a minute", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Work is one round: it aborts the uploads whose lease ended Keep ago, and those as old
// that are in no journal.
func (j *Janitor) Work(ctx context.Context) error {
	now := time.Now()
	leader, err := j.Journal.Lead(ctx, janitorJob, j.Node, now, now.Add(2*janitorEvery))
	if err != nil || !leader {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, now.Add(2*janitorEvery)) // the end of the lease
	defer cancel()
	err = j.abortExpired(ctx, now.Add(-j.Keep))
	for _, bucket := range j.Buckets {
		err = errors.Join(err, j.abortUnknown(ctx, bucket, now.Add(-j.Keep)))
		err = errors.Join(err, j.deleteUnknown(ctx, bucket, now.Add(-j.Keep)))
	}
	return err
}

func (j *Janitor) abortExpired(ctx context.Context, before time.Time) error {
	expired, err := j.Journal.Expired(ctx, before)
	for _, r := range expired {
		err = errors.Join(err, j.abort(ctx, r.Bucket, r.Key, r.ID))
	}
	return err
}

// abortUnknown finds uploads that were begun but never noted: a node died in between. Not
// every store can list them; see store.Multiparter.
func (j *Janitor) abortUnknown(ctx context.Context, bucket string, before time.Time) error {
	s, err := j.Stores(bucket)
	if err != nil {
		return err
	}
	uploads, err := s.Uploads(ctx, "")
	if err != nil {
		return err
	}
	for _, u := range uploads {
		if !u.Initiated.Before(before) {
			continue
		}
		known, knownErr := j.Journal.Known(ctx, bucket, u.Key, u.ID)
		if knownErr == nil && !known {
			knownErr = j.abort(ctx, bucket, u.Key, u.ID)
		}
		err = errors.Join(err, knownErr)
	}
	return err
}

// deleteUnknown does the same with segments that were completed.
func (j *Janitor) deleteUnknown(ctx context.Context, bucket string, before time.Time) error {
	s, err := j.Stores(bucket)
	if err != nil {
		return err
	}
	known, err := j.Journal.Of(ctx, bucket, "")
	if err != nil {
		return err
	}
	for o, listErr := range s.List(ctx, store.HiddenDir+"/", store.ListOptions{}) {
		if listErr != nil {
			return errors.Join(err, listErr)
		}
		noted := slices.ContainsFunc(known, func(r Record) bool { return r.Key == o.Key })
		if !noted && o.ModTime.Before(before) {
			err = errors.Join(err, s.Delete(ctx, o.Key))
		}
	}
	return err
}

func (j *Janitor) abort(ctx context.Context, bucket, key, id string) error {
	s, err := j.Stores(bucket)
	if err != nil {
		return err
	}
	if err := remove(ctx, s, key, id); err != nil {
		return err
	}
	j.Log.Info("interrupted upload thrown away", "bucket", bucket, "key", key)
	return j.Journal.End(ctx, bucket, key, id)
}
