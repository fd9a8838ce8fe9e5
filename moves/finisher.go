package moves

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/mounted"
)

const (
	// workEvery is how often a Finisher looks for renames that were left.
	workEvery = 5 * time.Second
	// inFlight is how many objects are worked on at a time.
	inFlight = 16
)

// Finisher finishes renames that were left half done. Every node runs one; a rename is
// taken by one of them.
type Finisher struct {
	*Manager
	Stores store.Opener
	Copies *mounted.Buffers // for copies between buckets
	Times  store.Times
	// Finished, if not nil, is told of each rename that was finished: what its objects count
	// for has to be counted again.
	Finished func(context.Context, Move)
}

// Run works until ctx ends.
func (f *Finisher) Run(ctx context.Context) {
	ticker := time.NewTicker(workEvery)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		err := f.Work(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			f.Log.Warn("renames that were left are not finished; it is tried again", "err", err)
		}
		failed = err != nil
	}
}

// Work is one round.
func (f *Finisher) Work(ctx context.Context) error {
	if err := f.endAgain(ctx); err != nil {
		return err
	}
	left, err := f.Journal.LeftMoves(ctx)
	for _, m := range left {
		err = errors.Join(err, f.take(ctx, m))
	}
	return err
}

// take finishes a rename, unless another node is faster.
func (f *Finisher) take(ctx context.Context, m Move) error {
	since := time.Now()
	err := f.Journal.TakeMove(ctx, m, f.Node)
	if errors.Is(err, ErrTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	m.Node = f.Node
	r := &Rename{manager: f.Manager, move: m, since: since}
	err = f.finish(ctx, r)
	r.End(ctx, err)
	if err != nil {
		return fmt.Errorf("rename %s: %w", m.ID, err)
	}
	if f.Finished != nil {
		f.Finished(ctx, m)
	}
	f.Log.Info("rename that was left is finished", "user", m.Owner, "from", m.From, "to", m.To, "undone", m.Back)
	return nil
}

// work is a rename with its stores.
type work struct {
	*Rename
	finisher *Finisher
	from, to store.Store
	both     store.Store // to, with the sources below sourcesAt
}

// sourcesAt is where the sources of a rename are seen in the store of the copies.
const sourcesAt = ".spd-rename/"

func (f *Finisher) finish(ctx context.Context, r *Rename) error {
	m := r.move
	from, err := f.Stores(m.FromBucket)
	if err != nil {
		return err
	}
	to, err := f.Stores(m.ToBucket)
	if err != nil {
		return err
	}
	w := &work{Rename: r, finisher: f, from: from, to: to, both: mounted.New(to, mounted.Options{
		Bucket: m.ToBucket, Open: f.Stores, Buffers: f.Copies,
		Mounts: []mounted.Mount{{At: sourcesAt, Bucket: m.FromBucket, Prefix: m.From}},
	})}
	if m.Back {
		return w.each(ctx, to, m.To, w.uncopy)
	}
	if err := w.keepParent(ctx); err != nil {
		return err
	}
	if err := w.each(ctx, from, m.From, w.moveOne); err != nil {
		return err
	}
	if err := f.Times.DropTimes(ctx, m.FromBucket, m.From); err != nil {
		f.Log.Warn("times of the old name not forgotten", "err", err)
	}
	return nil
}

// each does something to every object below a prefix, several at a time.
func (w *work) each(ctx context.Context, s store.Store, prefix string, do func(context.Context, store.Object, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	var listErr error
	for o, err := range s.List(ctx, prefix, store.ListOptions{}) {
		if err != nil {
			listErr = fmt.Errorf("list: %w", err)
			break
		}
		group.Go(func() error {
			if err := w.Held(); err != nil {
				return err
			}
			return do(ctx, o, strings.TrimPrefix(o.Key, prefix))
		})
	}
	return errors.Join(group.Wait(), listErr)
}

// moveOne brings a source to its new name. What was stored there meanwhile stays, and so
// does what was stored under the old name since: nothing is lost.
func (w *work) moveOne(ctx context.Context, source store.Object, rest string) error {
	target := w.move.To + rest
	there, err := w.to.Stat(ctx, target)
	switch {
	case errors.Is(err, store.ErrNotExist) && source.ModTime.After(w.move.Started.Add(clockSkew)):
		w.finisher.Log.Warn("file that is newer than its rename keeps its name", "key", source.Key, "stored", source.ModTime, "renamed", w.move.Started)
		return nil
	case errors.Is(err, store.ErrNotExist):
		if err := w.copyOne(ctx, source, target, rest); err != nil {
			return err
		}
	case err != nil:
		return err
	case !isCopy(there, source):
		w.finisher.Log.Warn("both names of a rename hold a file", "from", source.Key, "to", target)
		return nil
	}
	if err := w.Held(); err != nil {
		return err
	}
	return w.from.Delete(ctx, source.Key)
}

// clockSkew is how far the clocks of store and database may be apart.
const clockSkew = time.Minute

// isCopy tells whether an object is the copy of another. A copy is as new as its source, or
// newer, and has its size. Its ETag may be another if it was copied in parts.
func isCopy(o, source store.Object) bool {
	return o.Size == source.Size && (o.ETag == source.ETag || !o.ModTime.Before(source.ModTime))
}

// copyOne copies an object, and its time.
func (w *work) copyOne(ctx context.Context, source store.Object, target, rest string) error {
	modTime := source.ModTime
	kept, ok, err := w.finisher.Times.TimeOf(ctx, w.move.FromBucket, source.Key)
	if err == nil && ok && kept.Holds(source) {
		modTime = kept.ModTime
	}
	seen := source
	seen.Key = sourcesAt + rest
	if _, err := w.both.Copy(ctx, target, seen); err != nil {
		if errors.Is(err, store.ErrNotExist) {
			return nil // the source is gone
		}
		return fmt.Errorf("copy: %w", err)
	}
	copied, err := w.to.Stat(ctx, target)
	if err != nil {
		return fmt.Errorf("look at the copy: %w", err)
	}
	time := store.KeptTime{Key: target, ETag: copied.ETag, Stored: copied.ModTime, ModTime: modTime}
	if strings.HasSuffix(target, "/") {
		time.ETag = "" // a directory's time holds whatever its marker is
	}
	if err := w.finisher.Times.SetTimes(ctx, w.move.ToBucket, time); err != nil {
		w.finisher.Log.Warn("time of a renamed file not kept", "key", target, "err", err)
	}
	return nil
}

// uncopy removes a copy whose source is there.
func (w *work) uncopy(ctx context.Context, copied store.Object, rest string) error {
	source, err := w.from.Stat(ctx, w.move.From+rest)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return nil // the only one there is
	case err != nil:
		return err
	case !isCopy(copied, source):
		return nil
	}
	return w.to.Delete(ctx, copied.Key)
}

// keepParent makes sure that the directory around the old name stays.
func (w *work) keepParent(ctx context.Context) error {
	key := strings.TrimSuffix(w.move.From, "/")
	parent := key[:strings.LastIndexByte(key, '/')+1]
	if parent == "" {
		return nil
	}
	_, err := w.from.Put(ctx, parent, strings.NewReader(""), 0, store.PutOptions{IfAbsent: true})
	if errors.Is(err, store.ErrExist) {
		return nil
	}
	return err
}
