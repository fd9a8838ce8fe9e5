package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"

	"github.com/spdscheme/spdserver/store"
)

// Digests asks for an object's properties with its checksums (S3 HeadObject).
func (b *bucket) Digests(ctx context.Context, key string) (store.Digests, error) {
	ask := make(http.Header, 6)
	ask.Set("X-Amz-Checksum-Mode", "ENABLED")
	o, told, err := b.head(ctx, key, ask)
	d := store.Digests{Object: o}
	if kind := told.Get("X-Amz-Checksum-Type"); err != nil || kind != "" && kind != "FULL_OBJECT" {
		return d, err
	}
	d.CRC32, d.MD5 = digestIn(told, "Crc32", 4), digestIn(told, "Md5", 16)
	d.SHA1, d.SHA256, d.SHA512 = digestIn(told, "Sha1", 20), digestIn(told, "Sha256", 32), digestIn(told, "Sha512", 64)
	return d, nil
}

// digestIn is a checksum of so many bytes, which S3 writes in base64. One made of the
// checksums of parts has a dash and their number behind it; it says nothing about the bytes.
func digestIn(told http.Header, name string, size int) string {
	sum, err := base64.StdEncoding.DecodeString(told.Get("X-Amz-Checksum-" + name))
	if err != nil || len(sum) != size {
		return ""
	}
	return hex.EncodeToString(sum)
}
