// Package buffer moves the bytes of transfers through bounded memory.
//
// A Writer gathers what a client sends into parts and hands them to a PartSink while it
// goes on receiving; a Reader fetches what a client is sent. All memory comes from one
// Budget. The package knows nothing of S3 or FTP.
package buffer

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// SmallBlock is the memory in bytes that a transfer begins with. Most files fit in it.
const SmallBlock = 32 << 10

// mediumBlock is what an upload gets next, before it gets a whole part. A slow one gets
// whole parts by blocks of this size.
const mediumBlock = 256 << 10

// The fractions of a Budget that are set aside for small and medium blocks; the rest is
// for parts. The three are counted apart, so that a writer that holds a block and waits
// for a larger one waits only for writers that never wait for the smaller: no set of
// transfers can wait for each other.
const (
	smallShare  = 8
	mediumShare = 8
)

// Budget bounds the memory of all transfers of a process. It is first come, first
// served, and may be used concurrently.
type Budget struct {
	size        int64
	smallBytes  int64
	partBytes   int64
	blockBytes  int64
	finishBytes int64
	smalls      *semaphore.Weighted
	mediums     *semaphore.Weighted
	parts       *semaphore.Weighted
	slow        *semaphore.Weighted // the share of mediums of slow uploads,
	blocks      *semaphore.Weighted // and of parts, by blocks,
	finish      *semaphore.Weighted // and to finish parts
	pipes       atomic.Int32        // in use; see pipe

	memory *memory
	used   atomic.Int64 // bytes handed out
}

// NewBudget returns a budget of size bytes.
func NewBudget(size int64) *Budget {
	small := max(size/smallShare, SmallBlock)
	medium := max(size/mediumShare, mediumBlock)
	parts := max(size-small-medium, SmallBlock)
	blocks, finish := parts/blockShare, parts/finishShare
	b := &Budget{
		size:        size,
		smallBytes:  small,
		partBytes:   parts,
		blockBytes:  blocks,
		finishBytes: finish,
		smalls:      semaphore.NewWeighted(small),
		mediums:     semaphore.NewWeighted(medium),
		parts:       semaphore.NewWeighted(parts),
		slow:        semaphore.NewWeighted(max(medium/slowShare, mediumBlock)),
		blocks:      semaphore.NewWeighted(blocks),
		finish:      semaphore.NewWeighted(finish),
		memory:      newMemory(size),
	}
	runtime.AddCleanup(b, (*memory).close, b.memory)
	return b
}

// Size is the budget in bytes.
func (b *Budget) Size() int64 { return b.size }

// LargestPart is the most bytes that one part can have: a larger one might never be
// granted.
func (b *Budget) LargestPart() int64 { return b.partBytes - b.blockBytes }

// partOf is how large each of n parts can be that are to be held at a time.
func (b *Budget) partOf(n int) int64 { return min(b.partBytes/int64(n), b.LargestPart()) }

// maxGrown is how large parts grow, in bytes, unless they begin larger. With more memory they
// would gain nothing, and a part that fails is sent again as a whole.
const maxGrown = 256 << 20

// GrownPart is how many bytes the parts of a Writer have in the end, that begin with first
// and of which so many are in flight: within the memory that those and the one being filled
// can have.
func (b *Budget) GrownPart(first int64, inFlight int) int64 {
	grown := min(b.partOf(max(inFlight, 1)+1), maxGrown)
	return max(grown, min(first, b.LargestPart()))
}

// Used is how many bytes are handed out.
func (b *Budget) Used() int64 { return b.used.Load() }

// block is memory from a Budget. Its holder gives it back exactly once.
type block struct {
	region
	budget *Budget
	sem    *semaphore.Weighted
	share  *semaphore.Weighted // of sem's memory, or nil
	lent   atomic.Int32        // how often it has been lent and not been given back
}

// small waits for a small block.
func (b *Budget) small(ctx context.Context) (*block, error) {
	return b.take(ctx, b.smalls, SmallBlock)
}

// copyChunk is how much of a large download is moved at a time, in bytes.
const copyChunk = 8 * SmallBlock

// chunk waits for memory to copy size bytes through: a small block for small files.
func (b *Budget) chunk(ctx context.Context, size int64) (*block, error) {
	switch {
	case size <= SmallBlock:
		return b.small(ctx)
	case size <= 4*SmallBlock:
		return b.take(ctx, b.smalls, min(4*SmallBlock, b.smallBytes))
	}
	return b.take(ctx, b.smalls, min(copyChunk, b.smallBytes))
}

// part waits for size bytes in one piece.
func (b *Budget) part(ctx context.Context, size int64) (*block, error) {
	if size > b.LargestPart() {
		return nil, fmt.Errorf("a part of %d bytes exceeds the memory for transfers (%d)", size, b.LargestPart())
	}
	return b.take(ctx, b.parts, size)
}

func (b *Budget) take(ctx context.Context, sem *semaphore.Weighted, size int64) (*block, error) {
	if err := acquire(ctx, sem, size); err != nil {
		return nil, err
	}
	return b.block(size, sem), nil
}

func acquire(ctx context.Context, sem *semaphore.Weighted, size int64) error {
	if err := sem.Acquire(ctx, size); err != nil {
		return fmt.Errorf("wait for transfer memory: %w", context.Cause(ctx))
	}
	return nil
}

// block makes a block of memory that has been acquired.
func (b *Budget) block(size int64, sem *semaphore.Weighted) *block {
	b.used.Add(size)
	return &block{region: b.memory.get(size), budget: b, sem: sem}
}

// release gives the memory back.
func (k *block) release() {
	if k == nil {
		return
	}
	size := int64(len(k.bytes))
	k.budget.used.Add(-size)
	if k.lent.Load() == 0 {
		k.budget.memory.put(k.region)
	} else {
		k.budget.memory.forsake(k.region)
	}
	k.sem.Release(size)
	if k.share != nil {
		k.share.Release(size)
	}
}
