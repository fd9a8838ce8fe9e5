package s3

import (
	"io"

	"github.com/spdscheme/spdserver/store"
)

// payload is a body on its way out. It tells the stall that bytes move, and holds the last
// byte back until confirm agrees: a store keeps nothing of a body that is cut short.
type payload struct {
	body    io.ReadSeeker
	left    int64 // bytes to be sent
	stall   *stall
	confirm func() error   // nil: no leave is needed
	lent    store.Lendable // the body, once it has been lent
}

// Lend implements wire.Lender.
func (p *payload) Lend() bool {
	if body, ok := p.body.(store.Lendable); ok && body.Lend() {
		p.lent = body
	}
	return p.lent != nil
}

// arrived tells that the store has all bytes.
func (p *payload) arrived() {
	if p.lent != nil {
		p.lent.GiveBack()
	}
}

// Read implements io.Reader.
func (p *payload) Read(buf []byte) (int, error) {
	n, err := p.next(len(buf), func() error { return nil })
	if err != nil {
		return 0, err
	}
	n, err = p.body.Read(buf[:n])
	p.left -= int64(n)
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}

// next is how many of n more bytes may be sent now. flush is called before it waits.
func (p *payload) next(n int, flush func() error) (int, error) {
	p.stall.moved()
	if p.confirm == nil || int64(n) < p.left {
		return n, nil
	}
	if p.left > 1 {
		return int(p.left - 1), nil
	}
	if err := flush(); err != nil {
		return 0, err
	}
	if err := p.confirm(); err != nil {
		return 0, &bodyError{err}
	}
	p.confirm = nil
	p.stall.moved()
	return n, nil
}

// WriteTo implements io.WriterTo. Memory goes to the connection as it is, uncopied: a quarter
// of the CPU that an upload takes.
func (p *payload) WriteTo(w io.Writer) (int64, error) {
	if whole, ok := p.body.(io.WriterTo); ok {
		return whole.WriteTo(pieces{w, p})
	}
	return io.Copy(w, struct{ io.Reader }{p})
}

// pieceSize is how much of a body is written at a time, in bytes: the stall sees it move.
const pieceSize = 1 << 20

// pieces writes a payload that is in memory.
type pieces struct {
	to io.Writer
	of *payload
}

// Write implements io.Writer.
func (w pieces) Write(b []byte) (int, error) {
	total := 0
	for total < len(b) {
		n, err := w.of.next(min(len(b)-total, pieceSize), w.flush)
		if err != nil {
			return total, err
		}
		n, err = w.to.Write(b[total : total+n])
		total += n
		w.of.left -= int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// flush sends what the transport gathers.
func (w pieces) flush() error {
	if f, ok := w.to.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}
