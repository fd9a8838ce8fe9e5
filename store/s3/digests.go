package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"

	"github.com/minio/minio-go/v7"

	"github.com/spdscheme/spdserver/store"
)

// Digests asks for an object's properties with its checksums (S3 HeadObject).
func (b *bucket) Digests(ctx context.Context, key string) (store.Digests, error) {
	info, err := b.head(ctx, key, minio.StatObjectOptions{Checksum: true})
	d := store.Digests{Object: objectOf(key, info)}
	if whole := minio.ChecksumFullObjectMode.String(); info.ChecksumMode == whole || info.ChecksumMode == "" {
		d.CRC32, d.MD5 = hexOf(info.ChecksumCRC32, 4), hexOf(info.ChecksumMD5, 16)
		d.SHA1, d.SHA256, d.SHA512 = hexOf(info.ChecksumSHA1, 20), hexOf(info.ChecksumSHA256, 32), hexOf(info.ChecksumSHA512, 64)
	}
	return d, err
}

// hexOf is a checksum of so many bytes, from the base64 of S3. One made of the checksums of
// parts has a dash and their number behind it; it says nothing about the bytes.
func hexOf(checksum string, size int) string {
	sum, err := base64.StdEncoding.DecodeString(checksum)
	if err != nil || len(sum) != size {
		return ""
	}
	return hex.EncodeToString(sum)
}
