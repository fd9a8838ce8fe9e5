package buffer

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemoryIsUsedAgain(t *testing.T) {
	m := newMemory(16 << 20)
	defer m.close()
	first, second := m.get(4<<20), m.get(4<<20)
	m.put(first)
	m.put(second)
	if again := m.get(4 << 20); &again.bytes[0] != &second.bytes[0] {
		t.Error("not the memory that was given back last")
	}
	if m.allocated != 8<<20 {
		t.Errorf("%d bytes allocated", m.allocated)
	}
}

// What other sizes need is returned to the kernel, and what is in use is not.
func TestMemoryIsReturned(t *testing.T) {
	m := newMemory(8 << 20)
	inUse, unused := m.get(2<<20), m.get(4<<20)
	m.put(unused)
	other := m.get(3 << 20)
	if m.allocated != 5<<20 {
		t.Errorf("%d bytes allocated, want those in use", m.allocated)
	}
	if !mapped(inUse) || !mapped(other) {
		t.Error("memory in use was returned")
	}
	if mapped(unused) {
		t.Error("unused memory was kept")
	}
	m.put(inUse)
	m.put(other)
	m.close()
	if m.allocated != 0 || mapped(inUse) || mapped(other) {
		t.Errorf("%d bytes still allocated", m.allocated)
	}
}

// mapped tells whether there is memory behind the bytes.
func mapped(r region) bool {
	return !errors.Is(unix.Madvise(r.bytes, unix.MADV_NORMAL), unix.ENOMEM)
}
