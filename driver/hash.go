package driver

import (
	"cmp"
	"context"
	"crypto/md5"  //nolint:gosec // XMD5 asks for it
	"crypto/sha1" //nolint:gosec // XSHA1 asks for it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/store"
)

// HashAlgo is an algorithm of HASH and its like.
type HashAlgo int

// The algorithms.
const (
	CRC32 HashAlgo = iota
	MD5
	SHA1
	SHA256
	SHA512
)

// ComputeHash is HASH (draft-bryan-ftpext-hash), XCRC, XMD5, XSHA1, XSHA256 and XSHA512: the
// digest of the bytes [start, end), in hexadecimal. It takes as long as it takes to read them,
// or until ctx ends.
func (d *Driver) ComputeHash(ctx context.Context, wire string, algo HashAlgo, start, end int64) (digest string, err error) {
	err = d.do(d.Client.Verb(), wire, func(_ *Operation, n name) error {
		if err := d.permit(n, auth.Download); err != nil {
			return err
		}
		if start < 0 || end < start {
			return syntax("the range must be START END with 0 <= START <= END")
		}
		digest, err = d.knownHash(ctx, n, algo, start, end)
		if err == nil && digest == "" {
			digest, err = d.computeHash(ctx, n, algo, start, end)
		}
		return err
	})
	return digest, err
}

// knownHash is the hash of a whole file, if the store or this node knows it; else "".
func (d *Driver) knownHash(ctx context.Context, n name, algo HashAlgo, start, end int64) (string, error) {
	if start > 0 {
		return "", nil
	}
	known, err := d.Store.Digests(store.WithPatience(ctx, controlPatience), n.key)
	switch {
	case errors.Is(err, store.ErrDenied): // it may be read all the same
		return "", nil
	case err != nil || end < known.Size:
		return "", err
	}
	return cmp.Or(storedDigest(known, algo), d.Hashes.get(hashed{d.place(n.key), known.ETag, algo})), nil
}

func (d *Driver) computeHash(ctx context.Context, n name, algo HashAlgo, start, end int64) (string, error) {
	sum, err := newHash(algo)
	if err != nil {
		return "", err
	}
	object, err := d.readInto(ctx, sum, n, start, end)
	if err != nil {
		return "", err
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	if start == 0 && end >= object.Size {
		d.Hashes.add(hashed{d.place(n.key), object.ETag, algo}, digest)
	}
	return digest, nil
}

// readInto reads the bytes [start, end) of a file, or less if it is shorter.
func (d *Driver) readInto(ctx context.Context, w io.Writer, n name, start, end int64) (store.Object, error) {
	first := min(end-start, buffer.FirstRange)
	body, object, err := d.Store.Open(store.WithPatience(ctx, controlPatience), n.key, start, first, "")
	if err != nil {
		return object, err
	}
	source := objectSource{store: d.Store, object: object}
	r := buffer.NewReader(ctx, d.Budget, source, body, start, first, max(min(end, object.Size), start))
	_, err = r.WriteTo(w)
	return object, errors.Join(err, r.Close())
}

func newHash(algo HashAlgo) (hash.Hash, error) {
	switch algo {
	case CRC32:
		return crc32.NewIEEE(), nil
	case MD5:
		return md5.New(), nil //nolint:gosec // a checksum, not a signature
	case SHA1:
		return sha1.New(), nil //nolint:gosec // a checksum, not a signature
	case SHA256:
		return sha256.New(), nil
	case SHA512:
		return sha512.New(), nil
	}
	return nil, fmt.Errorf("unknown hash algorithm %d", algo)
}
