package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/spdscheme/spdserver/store"
)

// Begin starts an upload (S3 CreateMultipartUpload).
func (b *bucket) Begin(ctx context.Context, key string, opts store.PutOptions) (string, error) {
	if err := b.check(ctx, key); err != nil {
		return "", err
	}
	rctx, cancel := b.deadline(ctx, 0)
	defer cancel()
	id, err := b.core.NewMultipartUpload(rctx, b.name, key, minio.PutObjectOptions{ContentType: opts.ContentType})
	if err == nil && id == "" {
		err = errors.New("the store gives no upload id")
	}
	return id, translate(ctx, "begin upload", err)
}

// PutPart stores a part (S3 UploadPart).
func (b *bucket) PutPart(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64) (store.Part, error) {
	if err := b.checkPart(ctx, key, n, size); err != nil {
		return store.Part{}, err
	}
	sum, err := prepare(body, size, b.partChecksum())
	if err != nil {
		return store.Part{}, fmt.Errorf("put part %d: %w", n, err)
	}
	rctx, stall := b.watch(ctx)
	defer stall.end()
	etag, err := b.put(rctx, request{key: key, query: partQuery(id, n), header: sum.header(), body: &payload{body: body, left: size, stall: stall}, size: size})
	if err != nil {
		return store.Part{}, translate(ctx, fmt.Sprintf("put part %d", n), cause(rctx, err))
	}
	return store.Part{Number: n, Size: size, ETag: etag}, nil
}

// partQuery names a part of an upload.
func partQuery(id string, n int) string {
	return fmt.Sprintf("partNumber=%d&uploadId=%s", n, strings.ReplaceAll(url.QueryEscape(id), "+", "%20"))
}

// partChecksum is the checksum of parts; see the constants.
func (b *bucket) partChecksum() Checksum {
	if b.opts.Checksum == CRC32C && s3utils.IsAmazonEndpoint(*b.core.EndpointURL()) {
		return MD5
	}
	return b.opts.Checksum
}

// CopyPart makes a part of another object's bytes (S3 UploadPartCopy).
func (b *bucket) CopyPart(ctx context.Context, key, id string, n int, src store.Object, off, size int64) (store.Part, error) {
	if err := b.checkPart(ctx, key, n, size); err != nil {
		return store.Part{}, err
	}
	if err := b.check(ctx, src.Key); err != nil {
		return store.Part{}, err
	}
	if off < 0 || size < 1 || off > src.Size-size {
		return store.Part{}, fmt.Errorf("copy part %d: bytes %d+%d of an object of %d", n, off, size, src.Size)
	}
	match := map[string]string{}
	if src.ETag != "" {
		match["x-amz-copy-source-if-match"] = src.ETag
	}
	rctx, cancel := b.deadline(ctx, size)
	defer cancel()
	p, err := b.core.CopyObjectPart(rctx, b.name, src.Key, b.name, key, id, n, off, size, match)
	if err == nil && p.ETag == "" { // an error after a status of 200, which minio-go overlooks
		err = errors.New("the store has not copied the part")
	}
	if err != nil {
		return store.Part{}, translate(ctx, fmt.Sprintf("copy part %d", n), err)
	}
	return store.Part{Number: n, Size: size, ETag: unquote(p.ETag)}, nil
}

func (b *bucket) checkPart(ctx context.Context, key string, n int, size int64) error {
	if err := b.check(ctx, key); err != nil {
		return err
	}
	if n < 1 || n > store.MaxParts {
		return fmt.Errorf("part number %d", n)
	}
	if size > store.MaxPartSize {
		return fmt.Errorf("part of %d bytes: %w", size, store.ErrTooLarge)
	}
	return nil
}

// Parts lists an upload's parts (S3 ListParts): one request for each 1,000.
func (b *bucket) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	if err := b.check(ctx, key); err != nil {
		return nil, err
	}
	var parts []store.Part
	for marker, more := 0, true; more; {
		page, err := b.partsPage(ctx, key, id, marker)
		if err != nil {
			return nil, err
		}
		for _, p := range page.ObjectParts {
			parts = append(parts, store.Part{Number: p.PartNumber, Size: p.Size, ETag: unquote(p.ETag)})
		}
		more = page.IsTruncated && page.NextPartNumberMarker > marker
		marker = page.NextPartNumberMarker
	}
	return parts, nil
}

func (b *bucket) partsPage(ctx context.Context, key, id string, marker int) (minio.ListObjectPartsResult, error) {
	rctx, cancel := b.deadline(ctx, 0)
	defer cancel()
	page, err := b.core.ListObjectParts(rctx, b.name, key, id, marker, store.PageSize)
	return page, translate(ctx, "list parts", err)
}

// Complete makes the object (S3 CompleteMultipartUpload).
func (b *bucket) Complete(ctx context.Context, key, id string, parts []store.Part) (store.Object, error) {
	if err := b.check(ctx, key); err != nil {
		return store.Object{}, err
	}
	if len(parts) == 0 {
		return store.Object{}, errors.New("complete upload: no parts")
	}
	var size int64
	complete := make([]minio.CompletePart, len(parts))
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number { // Ceph and MinIO do not all mind
			return store.Object{}, fmt.Errorf("complete upload: part %d is out of order", p.Number)
		}
		complete[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.ETag}
		size += p.Size
	}
	rctx, cancel := b.deadline(ctx, size)
	defer cancel()
	info, err := b.core.CompleteMultipartUpload(rctx, b.name, key, id, complete, minio.PutObjectOptions{})
	if err != nil {
		return store.Object{}, translate(ctx, "complete upload", err)
	}
	return store.Object{Key: key, Size: size, ETag: unquote(info.ETag)}, nil
}

// Abort throws an upload away (S3 AbortMultipartUpload).
func (b *bucket) Abort(ctx context.Context, key, id string) error {
	if err := b.check(ctx, key); err != nil {
		return err
	}
	rctx, cancel := b.deadline(ctx, 0)
	defer cancel()
	err := translate(ctx, "abort upload", b.core.AbortMultipartUpload(rctx, b.name, key, id))
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	return err
}

// Uploads lists uploads in progress (S3 ListMultipartUploads): one request for each 1,000.
func (b *bucket) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	var uploads []store.Upload
	for key, id, more := "", "", true; more; {
		page, err := b.uploadsPage(ctx, prefix, key, id)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			uploads = append(uploads, store.Upload{Key: u.Key, ID: u.UploadID, Initiated: u.Initiated})
		}
		more = page.IsTruncated && (page.NextKeyMarker != key || page.NextUploadIDMarker != id)
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
	return uploads, nil
}

func (b *bucket) uploadsPage(ctx context.Context, prefix, key, id string) (minio.ListMultipartUploadsResult, error) {
	rctx, cancel := b.deadline(ctx, 0)
	defer cancel()
	page, err := b.core.ListMultipartUploads(rctx, b.name, prefix, key, id, "", store.PageSize)
	return page, translate(ctx, "list uploads", err)
}
