package embedded

import (
	"context"
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"

	"github.com/spdscheme/spdserver/store"
)

// files is versitygw's backend, put right where it would lose objects or their names.
type files struct{ *posix.Posix }

var _ backend.Backend = files{}

// newBackend opens the objects. Their metadata is in extended attributes, or, where the
// file system has none, in files of their own.
func newBackend(dir string, sidecar bool) (files, error) {
	root := filepath.Join(dir, "objects")
	opts := posix.PosixOpts{
		CopyObjectThreshold: store.MaxPutSize, // or every copy would be refused
		ValidateBucketNames: true,
	}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	var storer meta.MetadataStorer = meta.XattrMeta{}
	if sidecar || (meta.XattrMeta{}).Test(root) != nil {
		opts.SideCarDir = filepath.Join(dir, "metadata")
		if err := os.MkdirAll(opts.SideCarDir, 0o700); err != nil {
			return files{}, err
		}
		var err error
		if storer, err = meta.NewSideCar(opts.SideCarDir); err != nil {
			return files{}, err
		}
	}
	p, err := posix.New(root, storer, opts)
	return files{p}, err
}

// ListObjectsV2 encodes the names. versitygw does not know encoding-type, and some
// characters that a name may have cannot be written in XML.
func (f files) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	token, err := decodeToken(in.ContinuationToken)
	if err != nil {
		return s3response.ListObjectsV2Result{}, s3err.GetAPIError(s3err.ErrInvalidRequest)
	}
	request := *in
	request.ContinuationToken = token
	page, err := f.Posix.ListObjectsV2(ctx, &request)
	if err != nil {
		return page, err
	}
	for i := range page.Contents {
		page.Contents[i].Key = encodeName(page.Contents[i].Key)
	}
	for i := range page.CommonPrefixes {
		page.CommonPrefixes[i].Prefix = encodeName(page.CommonPrefixes[i].Prefix)
	}
	page.NextContinuationToken = encodeToken(page.NextContinuationToken)
	page.ContinuationToken = in.ContinuationToken
	page.EncodingType = types.EncodingTypeUrl
	return page, nil
}

// ListMultipartUploads encodes the names, too.
func (f files) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	page, err := f.Posix.ListMultipartUploads(ctx, in)
	if err != nil {
		return page, err
	}
	for i := range page.Uploads {
		page.Uploads[i].Key = url.QueryEscape(page.Uploads[i].Key)
	}
	page.NextKeyMarker = url.QueryEscape(page.NextKeyMarker)
	page.EncodingType = string(types.EncodingTypeUrl)
	return page, nil
}

// CompleteMultipartUpload insists that the upload exists. versitygw takes any object of
// that name for the upload's result, and so reports success for one that was aborted.
func (f files) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	one := int32(1)
	_, err := f.ListParts(ctx, &s3.ListPartsInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, MaxParts: &one})
	if err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	return f.Posix.CompleteMultipartUpload(ctx, in)
}

// PutObject refuses names among versitygw's own files.
func (f files) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if reserved(in.Key) {
		return s3response.PutObjectOutput{}, s3err.GetAPIError(s3err.ErrInvalidURI)
	}
	return f.Posix.PutObject(ctx, in)
}

// CreateMultipartUpload refuses names among versitygw's own files.
func (f files) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	if reserved(in.Key) {
		return s3response.InitiateMultipartUploadResult{}, s3err.GetAPIError(s3err.ErrInvalidURI)
	}
	return f.Posix.CreateMultipartUpload(ctx, in)
}

// CopyObject refuses names among versitygw's own files.
func (f files) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if reserved(in.Key) {
		return s3response.CopyObjectOutput{}, s3err.GetAPIError(s3err.ErrInvalidURI)
	}
	return f.Posix.CopyObject(ctx, in)
}

// reserved tells whether a key lies where versitygw keeps uploads in progress.
func reserved(key *string) bool {
	return key != nil && (*key == posix.MetaTmpDir || strings.HasPrefix(*key, posix.MetaTmpDir+"/"))
}

func encodeName(name *string) *string {
	if name == nil {
		return nil
	}
	encoded := url.QueryEscape(*name)
	return &encoded
}

// A continuation token of versitygw is a name.

func encodeToken(token *string) *string {
	if token == nil || *token == "" {
		return token
	}
	encoded := base64.RawURLEncoding.EncodeToString([]byte(*token))
	return &encoded
}

func decodeToken(token *string) (*string, error) {
	if token == nil || *token == "" {
		return token, nil
	}
	name, err := base64.RawURLEncoding.DecodeString(*token)
	decoded := string(name)
	return &decoded, err
}
