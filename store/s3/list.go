package s3

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/spdscheme/spdserver/store"
)

// List lists objects (S3 ListObjectsV2): one request for each 1,000 entries, made when the
// entries before are used up.
func (b *bucket) List(ctx context.Context, prefix string, opts store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		l := lister{bucket: b, prefix: prefix, opts: opts}
		for left := opts.Limit; ; {
			page, err := l.next(ctx, left)
			if err != nil {
				yield(store.Object{}, err)
				return
			}
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
				if left--; left == 0 {
					return
				}
			}
			if l.done {
				return
			}
		}
	}
}

// lister asks for one page after another.
type lister struct {
	*bucket
	prefix string
	opts   store.ListOptions
	token  string // continues the listing
	done   bool
}

// next returns the next page, in order, with at most left entries if left > 0.
func (l *lister) next(ctx context.Context, left int) ([]store.Object, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if l.nothing() {
		l.done = true
		return nil, nil
	}
	rctx, cancel := l.deadline(ctx, 0)
	defer cancel()
	core, err := l.newCore(bound{rctx, l.wrapped})
	if err != nil {
		return nil, err
	}
	page, err := core.ListObjectsV2(l.name, l.prefix, l.startAfter(), l.token, l.opts.Delimiter, l.pageSize(left))
	if err != nil {
		return nil, translate(ctx, "list objects", err)
	}
	l.token, l.done = page.NextContinuationToken, !page.IsTruncated
	return l.merge(page), nil
}

// nothing tells, without a request, that there is nothing to list.
func (l *lister) nothing() bool {
	after := l.opts.StartAfter
	return !store.CanBePrefix(l.prefix) || after > l.prefix && !strings.HasPrefix(after, l.prefix)
}

// startAfter is for the first request only. MinIO lists nothing if it is not under the prefix.
func (l *lister) startAfter() string {
	if l.token != "" || !strings.HasPrefix(l.opts.StartAfter, l.prefix) {
		return ""
	}
	return l.opts.StartAfter
}

// pageSize asks for one entry more if the store may begin with the directory that contains
// StartAfter, which merge will drop.
func (l *lister) pageSize(left int) int {
	if left <= 0 {
		return store.PageSize
	}
	if l.opts.Delimiter != "" && l.startAfter() != "" {
		left++
	}
	return min(left, store.PageSize)
}

// merge brings a page's objects and prefixes into one order.
func (l *lister) merge(page minio.ListBucketV2Result) []store.Object {
	entries := make([]store.Object, 0, len(page.Contents)+len(page.CommonPrefixes))
	for _, info := range page.Contents {
		entries = append(entries, objectOf(info.Key, info))
	}
	for _, p := range page.CommonPrefixes {
		entries = append(entries, store.Object{Key: p.Prefix, Prefix: true})
	}
	entries = slices.DeleteFunc(entries, func(o store.Object) bool { return o.Key <= l.opts.StartAfter })
	slices.SortFunc(entries, func(a, b store.Object) int { return cmp.Compare(a.Key, b.Key) })
	return entries
}
