package store

// Lendable is a body, as Put and PutPart take it, whose memory can be lent: bytes are then
// sent from where they lie, instead of from a copy that the kernel makes.
type Lendable interface {
	// Lend tells that the memory is lent; false: it cannot be. Until it is given back as often
	// as it was lent, it must not be written to, even after the request has failed. Memory that
	// is never given back may be unmapped, but not be used again.
	Lend() bool
	// GiveBack ends a Lend: the store has confirmed that it has all bytes.
	GiveBack()
}
