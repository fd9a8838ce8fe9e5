package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	p := newPace()
	if got := p.dearest(); got != 0 {
		t.Errorf("knows %v before the first", got)
	}
	for _, n := range []struct {
		class string
		took  time.Duration
		want  time.Duration
	}{
		{"a", 9, 9}, {"a", 5, 5}, {"a", 7, 5}, // a busy moment does not count
		{"b", 8, 8}, {"b", 3, 5}, {"c", 1, 5},
	} {
		p.note(n.class, n.took)
		if got := p.dearest(); got != n.want {
			t.Errorf("after %s %v: dearest is %v, want %v", n.class, n.took, got, n.want)
		}
	}
	for i := range 2 * paceMax {
		p.note(fmt.Sprint(i), 1)
	}
	if len(p.fastest) != paceMax {
		t.Errorf("%d classes, want %d", len(p.fastest), paceMax)
	}
}
