package buffer

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// slowRate is what makes an upload slow, in bytes a second: it would hold a part of 8 MiB
// for more than a minute.
const slowRate = 128 << 10

// The fractions of memory that slow uploads may have, so that however many they are, the
// others get on: half of the medium blocks, and half of the memory for parts. Of the latter,
// a third of all is for blocks, by which their parts grow, and a sixth to finish parts for
// which there were not enough of these.
//
// Nor can slow uploads wait for each other. A share of blocks is there at once, or not
// waited for. Who waits to finish a part waits for those who finish theirs, and these hold
// all they need. So does whoever else holds memory for parts, but for the blocks; and the
// blocks leave enough for the largest part.
const (
	slowShare   = 2
	blockShare  = 3
	finishShare = 6
)

// medium waits for a medium block.
func (b *Budget) medium(ctx context.Context, slow bool) (*block, error) {
	if !slow {
		return b.take(ctx, b.mediums, mediumBlock)
	}
	if err := acquire(ctx, b.slow, mediumBlock); err != nil {
		return nil, err
	}
	blocks, err := b.takeShare(ctx, b.mediums, b.slow, 1)
	if err != nil {
		return nil, err
	}
	return blocks[0], nil
}

// growsByBlocks tells whether a part of that size can be taken by blocks: not if it is so
// large that it could not be finished.
func (b *Budget) growsByBlocks(size int64) bool { return inBlocks(size)*mediumBlock <= b.finishBytes }

// inBlocks is how many medium blocks hold size bytes.
func inBlocks(size int64) int64 { return (size + mediumBlock - 1) / mediumBlock }

// more gets the next block of a part of which rest bytes are still to come; or, if the slow
// have got all the blocks that they may have, waits for all that the part still needs.
func (b *Budget) more(ctx context.Context, rest int64) ([]*block, error) {
	share, n := b.blocks, int64(1)
	if !share.TryAcquire(mediumBlock) {
		share, n = b.finish, inBlocks(rest)
		if err := acquire(ctx, share, n*mediumBlock); err != nil {
			return nil, err
		}
	}
	return b.takeShare(ctx, b.parts, share, n)
}

// takeShare waits for n medium blocks, of which the share has been acquired.
func (b *Budget) takeShare(ctx context.Context, sem, share *semaphore.Weighted, n int64) ([]*block, error) {
	if err := acquire(ctx, sem, n*mediumBlock); err != nil {
		share.Release(n * mediumBlock)
		return nil, err
	}
	taken := make([]*block, n)
	for i := range taken {
		taken[i] = b.block(mediumBlock, sem)
		taken[i].share = share
	}
	return taken, nil
}
