package guard

import "time"

// windowSlots is how finely a sliding window is cut: it slides by a tenth of its length.
const windowSlots = 10

// window counts what has happened within a length of time. The zero window is empty.
type window struct {
	counts [windowSlots]int
	latest int64 // number of the slot that was counted last; 0: none was
}

// add counts one. The time now is that since some moment before all others; it never goes
// back.
func (w *window) add(now, length time.Duration) {
	w.slide(now, length)
	w.counts[w.latest%windowSlots]++
}

func (w *window) sum(now, length time.Duration) (n int) {
	w.slide(now, length)
	for _, c := range w.counts {
		n += c
	}
	return n
}

// slide empties the slots between the latest and now.
func (w *window) slide(now, length time.Duration) {
	slot := windowSlots + int64(now/max(length/windowSlots, 1))
	if slot-w.latest >= windowSlots {
		*w = window{latest: slot}
		return
	}
	for w.latest < slot {
		w.latest++
		w.counts[w.latest%windowSlots] = 0
	}
}
