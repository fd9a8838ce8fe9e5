package lm

// A hash table of 24-bit slots in a string, the high byte of each first; 0: none. Each entry
// has a choice of two buckets of four slots.
const (
	slotSize       = 3
	slotsPerBucket = 4
	bucketSize     = slotSize * slotsPerBucket // bytes
)

// slots is such a table in the making.
type slots struct {
	table []byte
	fill  []int // entries of each bucket
}

// newSlots makes a table with room for so many entries at least, and a few more.
func newSlots(room int) *slots {
	buckets := (room + slotsPerBucket - 1) / slotsPerBucket
	return &slots{make([]byte, buckets*bucketSize), make([]int, buckets)}
}

// add puts an entry into the emptier of its two buckets, if there is room.
func (s *slots) add(one, two int, slot uint32) {
	if s.fill[two] < s.fill[one] {
		one = two
	}
	if s.fill[one] == slotsPerBucket {
		return
	}
	at := one*bucketSize + s.fill[one]*slotSize
	s.table[at], s.table[at+1], s.table[at+2] = byte(slot>>16), byte(slot>>8), byte(slot)
	s.fill[one]++
}

// inBucket returns the slot of a bucket that is mark but for its lowest bits, cut in number; 0 if
// there is none.
func inBucket(table string, bucket int, mark uint32, cut uint) uint32 {
	in := table[bucket*bucketSize:][:bucketSize]
	for i := 0; i < bucketSize; i += slotSize {
		if slot := uint32(in[i])<<16 | uint32(in[i+1])<<8 | uint32(in[i+2]); slot>>cut == mark {
			return slot
		}
	}
	return 0
}

// scatter returns two buckets for a key, and bits that tell it from others there.
func scatter(key uint64, buckets int) (one, two int, marks uint64) {
	h := key * 0x9E3779B97F4A7C15
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	h ^= h >> 32
	one = int((h >> 32) * uint64(buckets) >> 32)
	two = int((h & 0xFFFFFFFF) * uint64(buckets) >> 32)
	return one, two, h * 0x94D049BB133111EB
}
