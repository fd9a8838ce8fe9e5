package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

type pair struct{ a, b rune }

// discount is what is taken from the count of each pair, for pairs never seen.
const discount = 0.7

// makeIdeograms counts which characters follow which, and keeps the most telling pairs.
func makeIdeograms(l language, c *corpus) (*lm.Ideograms, string) {
	pairs := make(map[pair]float64)
	ones, before := make(map[rune]float64), make(map[rune]float64)
	followers := make(map[rune]float64)
	total := 0.0
	for _, word := range sortedKeys(c.weight) {
		w := c.weight[word]
		a := rune(0)
		for _, b := range append([]rune(word), 0) {
			if pairs[pair{a, b}] == 0 {
				followers[a]++
			}
			pairs[pair{a, b}] += w
			before[a] += w
			ones[b] += w
			total += w
			a = b
		}
	}
	single := func(r rune) float64 {
		return (1-l.foreign)*(ones[r]+0.1)/(total+1000) + l.foreign/float64(len(ones))
	}
	stranger := func(a rune) float64 { return min(0.9, max(0.02, discount*followers[a]/before[a])) }

	list := make([]lm.Pair, 0, len(pairs))
	for _, k := range slices.SortedFunc(maps.Keys(pairs), func(x, y pair) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) }) {
		without := stranger(k.a) * single(k.b)
		with := max(pairs[k]-discount, 0.1)/before[k.a] + without
		list = append(list, lm.Pair{A: k.a, B: k.b, Cost: -math.Log(with), Gain: pairs[k] * math.Log(with/without)})
	}
	slices.SortStableFunc(list, func(x, y lm.Pair) int { return cmp.Compare(y.Gain, x.Gain) })
	list = list[:min(len(list), l.room*97/100)]

	// What the pairs left out were worth goes to the strangers.
	known := make(map[rune]float64)
	for _, p := range list {
		known[p.A] += math.Exp(-p.Cost)
	}
	singles := make(map[rune]lm.Single)
	for _, r := range sortedKeys(ones) {
		singles[r] = lm.Single{Cost: -math.Log(single(r)), Strangers: -math.Log(min(0.95, max(0.02, 1-known[r])))}
	}
	return lm.NewIdeograms(l.name, singles, list, l.room),
		fmt.Sprintf("%s: %d words, %d pairs of which %d are kept", l.name, len(c.weight), len(pairs), len(list))
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
