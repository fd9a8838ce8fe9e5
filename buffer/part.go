package buffer

import (
	"bytes"
	"io"
	"time"
)

// part is memory that is being filled: one block, or, of a slow upload, several.
type part struct {
	size   int64 // when it is complete
	blocks []*block
	room   int64 // bytes of the blocks
	filled int64 // bytes of them in use
	chain  bool  // it grows by further blocks, not by a larger one

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

// slow tells whether the client has taken long to fill what was added last.
func (p *part) slow() bool {
	return float64(p.filled-p.from) < slowRate*time.Since(p.began).Seconds()
}

// body is what has been filled.
func (p *part) body() io.ReadSeeker {
	if len(p.blocks) == 1 {
		return bytes.NewReader(p.blocks[0].bytes[:p.filled])
	}
	return io.NewSectionReader(p, 0, p.filled)
}

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
