package store

// Summed is a body, as Put and PutPart take it, that knows its checksum already. Whoever
// received the bytes has summed them up then: what happens to them later, in memory, is found
// out by the store.
type Summed interface {
	// CRC32C is the CRC-32C (RFC 3720, appendix B.4) of the whole body, wherever it has been
	// read to.
	CRC32C() uint32
}
