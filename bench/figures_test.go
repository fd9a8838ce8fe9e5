package main

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 9}, 3},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

// The ratio is that of each round, not that of the medians: what disturbs a round disturbs
// both sides of it.
func TestComparedByRound(t *testing.T) {
	f := compared("x", []float64{1, 2, 8}, []float64{1, 4, 4}, goal{})
	if f.SPD != 2 || f.Client != 4 || f.Ratio != 1 {
		t.Errorf("%v, %v, ratio %v; want 2, 4, 1", f.SPD, f.Client, f.Ratio)
	}
}

func TestGoal(t *testing.T) {
	for _, c := range []struct {
		goal         goal
		value, ratio float64
		text         string
		met          bool
	}{
		{goal{Most: 0.3, MostRatio: 1.6}, 0.3, 1.6, "<= 0.300, <= 1.60 x", true},
		{goal{Most: 0.3, MostRatio: 1.6}, 0.31, 1.6, "<= 0.300, <= 1.60 x", false},
		{goal{Most: 0.3, MostRatio: 1.6}, 0.3, 1.61, "<= 0.300, <= 1.60 x", false},
		{goal{LeastRatio: 0.9}, 5, 0.9, ">= 0.90 x", true},
		{goal{LeastRatio: 0.9}, 5, 0.89, ">= 0.90 x", false},
		{goal{Least: 0.9}, 0.89, 0, ">= 0.900", false},
		{goal{Least: 0.9}, 0.91, 0, ">= 0.900", true},
		{goal{None: true}, 1, 0, "0", false},
	} {
		if got := c.goal.metBy(c.value, c.ratio); got == nil || *got != c.met {
			t.Errorf("%v met by %v, %v: %v, want %v", c.goal, c.value, c.ratio, got, c.met)
		}
		if got := c.goal.String(); got != c.text {
			t.Errorf("%+v is %q, want %q", c.goal, got, c.text)
		}
	}
	if met := (goal{}).metBy(1, 1); met != nil {
		t.Errorf("no goal is met: %v", *met)
	}
}

func TestChoose(t *testing.T) {
	chosen, err := choose([]string{"idle", "large-up*"})
	var names []string
	for _, s := range chosen {
		names = append(names, s.name)
	}
	if got := strings.Join(names, " "); err != nil || got != "large-up large-up-4 idle" {
		t.Errorf("chosen %q, %v", got, err)
	}
	if _, err := choose([]string{"smal-up"}); err == nil || !strings.Contains(err.Error(), "small-up") {
		t.Errorf("a wrong name: %v; want the names that there are", err)
	}
}
