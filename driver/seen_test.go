package driver

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecent[int]()
		r.add("a", 1)
		r.add("b", 2)
		time.Sleep(seenFor - 1)
		r.add("b", 3)
		if v, ok := r.get("a"); !ok || v != 1 {
			t.Errorf("a: %d, %v", v, ok)
		}
		time.Sleep(time.Nanosecond)
		if _, ok := r.get("a"); ok {
			t.Error("a is remembered for ever")
		}
		if v, ok := r.get("b"); !ok || v != 3 {
			t.Errorf("b: %d, %v", v, ok)
		}
		r.forget("b")
		if _, ok := r.get("b"); ok {
			t.Error("b is not forgotten")
		}
		r.add("c", 4)
		r.clear()
		if _, ok := r.get("c"); ok {
			t.Error("c is not forgotten")
		}
		for i := range 10 * maxSeen {
			r.add(strconv.Itoa(i), i)
			if len(r.entries) > maxSeen {
				t.Fatalf("%d entries", len(r.entries))
			}
		}
	})
}
