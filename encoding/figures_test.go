package encoding_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/spdscheme/spdserver/encoding/internal/figures"
)

// floors lists what share of the names in testdata/names is read right at least, in
// percent: a little less than what was measured when this was written.
var floors = map[string]float64{
	"gbk, no hint":                        99.8,
	"shift_jis, no hint":                  99.8,
	"big5, no hint":                       99.5,
	"euc-jp, no hint":                     99.5,
	"cp949, no hint":                      99.9,
	"windows-1251, no hint":               99.7,
	"koi8-r, no hint":                     99.9,
	"koi8-u, no hint":                     99.9,
	"cp866, no hint":                      99.5,
	"windows-1253, no hint":               99.5,
	"windows-1255, no hint":               99.9,
	"windows-1256, no hint":               99.9,
	"windows-874, no hint":                99.5,
	"windows-1250, no hint":               99.2,
	"iso-8859-2, no hint":                 98.8,
	"windows-1252, no hint":               98.9,
	"iso-8859-15, no hint":                98.6,
	"windows-1254, no hint":               99.0,
	"windows-1257, no hint":               97.4,
	"gbk, right hint":                     100,
	"all legacy, no hint":                 99.3,
	"all legacy, right hint":              99.95,
	"all legacy, wrong hint":              98.9,
	"utf-8, no hint":                      99.95,
	"utf-8, hint GB18030":                 99.95,
	"gbk that is valid UTF-8, no hint":    99.3,
	"gbk that is valid UTF-8, right hint": 99.6,
	"names in sessions, no hint":          99.9,
	"names in sessions, right hint":       99.98,
	"whole sessions after 1":              99.0,
	"whole sessions after 2":              99.0,
	"whole sessions after 3":              99.6,
	"whole sessions after 5":              99.8,
	"whole sessions after 10":             100,
}

// The figures depend on nothing but the names, the models and the rules.
func TestFigures(t *testing.T) {
	t.Parallel()
	names, err := figures.Load("testdata/names")
	if err != nil {
		t.Fatal(err)
	}
	left := maps.Clone(floors)
	for _, c := range figures.Measure(names).Cases() {
		floor, ok := left[c.Name]
		delete(left, c.Name)
		switch {
		case !ok:
			t.Errorf("%s has no floor", c.Name)
		case c.Of == 0:
			t.Errorf("%s: no names", c.Name)
		case c.Got < floor:
			t.Errorf("%s: %.2f %% of %d are right, the floor is %.2f %%", c.Name, c.Got, c.Of, floor)
		}
	}
	if len(left) > 0 {
		t.Errorf("not measured: %v", slices.Sorted(maps.Keys(left)))
	}
}
