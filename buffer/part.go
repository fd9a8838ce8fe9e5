package buffer

import (
	"bytes"
	"hash/crc32"
	"io"
	"time"
)

// part is memory that is being filled: one block, or, of a slow upload, several.
type part struct {
	size   int64 // when it is complete
	blocks []*block
	room   int64  // bytes of the blocks
	filled int64  // bytes of them in use
	sum    uint32 // CRC-32C of these
	chain  bool   // it grows by further blocks, not by a larger one

	began time.Time // when the last of the blocks was there
	from  int64     // and what was filled then
}

// add makes more room.
func (p *part) add(blocks ...*block) {
	for _, b := range blocks {
		p.blocks = append(p.blocks, b)
		p.room += int64(len(b.bytes))
	}
	p.began, p.from = time.Now(), p.filled
}

// move replaces the only block by another one.
func (p *part) move(to *block) {
	for _, old := range p.blocks {
		copy(to.bytes, old.bytes)
		old.release()
	}
	p.blocks, p.room = nil, 0
	p.add(to)
}

// space is where the next bytes go; there is room.
func (p *part) space() []byte {
	off := p.filled
	for _, b := range p.blocks {
		if n := int64(len(b.bytes)); off >= n {
			off -= n
			continue
		}
		return b.bytes[off:min(int64(len(b.bytes)), off+p.size-p.filled)]
	}
	return nil
}

// take counts n more bytes in space. They are summed up at once, while they are in the
// processor's caches.
func (p *part) take(n int) {
	p.sum = crc32.Update(p.sum, crc32.MakeTable(crc32.Castagnoli), p.space()[:n])
	p.filled += int64(n)
}

// slow tells whether the client has taken long to fill what was added last.
func (p *part) slow() bool {
	return float64(p.filled-p.from) < slowRate*time.Since(p.began).Seconds()
}

// body is what has been filled. It knows its checksum, see store.Summed; in one block, it can
// be lent, see store.Lendable.
func (p *part) body() io.ReadSeeker {
	if len(p.blocks) == 1 {
		b := p.blocks[0]
		return blockBody{bytes.NewReader(b.bytes[:p.filled]), summed(p.sum), b}
	}
	return chainBody{io.NewSectionReader(p, 0, p.filled), summed(p.sum)}
}

type blockBody struct {
	*bytes.Reader
	summed
	block *block
}

// Lend lends the block, if the kernel can keep its pages.
func (b blockBody) Lend() bool {
	if b.block.mapped {
		b.block.lent.Add(1)
	}
	return b.block.mapped
}

func (b blockBody) GiveBack() { b.block.lent.Add(-1) }

type chainBody struct {
	*io.SectionReader
	summed
}

// summed is a CRC-32C.
type summed uint32

func (s summed) CRC32C() uint32 { return uint32(s) }

// ReadAt implements io.ReaderAt.
func (p *part) ReadAt(to []byte, off int64) (int, error) {
	total := 0
	for _, b := range p.blocks {
		if n := int64(len(b.bytes)); off >= n {
			off -= n
			continue
		}
		n := copy(to[total:], b.bytes[off:])
		total, off = total+n, 0
	}
	if total < len(to) {
		return total, io.EOF
	}
	return total, nil
}

// release gives the memory back.
func (p *part) release() {
	if p == nil {
		return
	}
	for _, b := range p.blocks {
		b.release()
	}
}
