package buffer

import (
	"math"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// memory keeps blocks that have been given back, to be used again: the last one first, which
// is likely to be in the processor's caches, and leaves untouched what is not needed.
//
// Large blocks come from the kernel. On Go's heap they would let as much garbage lie beside
// them as they are large.
type memory struct {
	limit int64 // bytes

	mu        sync.Mutex
	allocated int64              // bytes, handed out or free
	free      map[int64][]region // by size
}

// region is memory in one piece.
type region struct {
	bytes  []byte
	mapped bool // it comes from the kernel, not from Go's heap
}

func newMemory(limit int64) *memory {
	return &memory{limit: limit, free: make(map[int64][]region)}
}

// fromKernel is the size in bytes from which on blocks come from the kernel, and hugePage
// that from which on large pages spare it work.
const (
	fromKernel = mediumBlock
	hugePage   = 2 << 20
)

// get returns free memory of that size, or new memory after dropping free memory of other
// sizes that would exceed the limit.
func (m *memory) get(size int64) region {
	m.mu.Lock()
	defer m.mu.Unlock()
	if list := m.free[size]; len(list) > 0 {
		last := len(list) - 1
		m.free[size] = list[:last]
		return list[last]
	}
	m.drop(m.limit - size)
	m.allocated += size
	return allocate(size)
}

// put takes memory that nobody uses any more.
func (m *memory) put(r region) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := int64(len(r.bytes))
	m.free[size] = append(m.free[size], r)
}

// forsake takes mapped memory that somebody else may still read. It is never written to
// again: the kernel keeps its pages for as long as they are read.
func (m *memory) forsake(r region) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.allocated -= int64(len(r.bytes))
	r.release()
}

// drop returns free memory to the system until no more than most bytes are allocated. The
// caller holds mu.
func (m *memory) drop(most int64) {
	for size, list := range m.free {
		for len(list) > 0 && m.allocated > most {
			last := len(list) - 1
			list[last].release()
			list = slices.Delete(list, last, last+1)
			m.allocated -= size
		}
		m.free[size] = list
	}
}

// close returns all free memory to the system.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(math.MinInt64)
}

func allocate(size int64) region {
	if size < fromKernel {
		return region{bytes: make([]byte, size)}
	}
	bytes, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil { // Go's heap is as good a place to run out of memory
		return region{bytes: make([]byte, size)}
	}
	if size >= hugePage {
		_ = unix.Madvise(bytes, unix.MADV_HUGEPAGE) // small ones work too
	}
	return region{bytes: bytes, mapped: true}
}

func (r region) release() {
	if r.mapped {
		_ = unix.Munmap(r.bytes) // it is mapped
	}
}
