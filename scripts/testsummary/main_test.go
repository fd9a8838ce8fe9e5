package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []string
		well   bool
		holds  []string
		lacks  string
		last   string
	}{
		{
			name: "all pass",
			events: []string{
				`{"Action":"run","Package":"a","Test":"TestX"}`,
				`{"Action":"output","Package":"a","Test":"TestX","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"a","Test":"TestX"}`,
				`{"Action":"output","Package":"a","Output":"PASS\n"}`,
				`{"Action":"pass","Package":"a","Elapsed":1.5}`,
				`{"Action":"skip","Package":"b"}`,
			},
			well: true, holds: []string{"packages: 1 passed, 0 failed"}, lacks: "chatter", last: "1 passed, 0 failed",
		},
		{
			name: "one fails, one is skipped",
			events: []string{
				`{"Action":"run","Package":"a","Test":"TestX"}`,
				`{"Action":"output","Package":"a","Test":"TestX","Output":"why\n"}`,
				`{"Action":"fail","Package":"a","Test":"TestX"}`,
				`{"Action":"run","Package":"a","Test":"TestY"}`,
				`{"Action":"output","Package":"a","Test":"TestY","Output":"no server\n"}`,
				`{"Action":"skip","Package":"a","Test":"TestY"}`,
				`{"Action":"pass","Package":"a","Test":"TestZ"}`,
				`{"Action":"fail","Package":"a"}`,
			},
			holds: []string{"why\n", "no server\n", "counts as failed", "packages: 0 passed, 1 failed"}, last: "1 passed, 2 failed",
		},
		{
			name: "a skipped test fails a package that passes",
			events: []string{
				`{"Action":"skip","Package":"a","Test":"TestY"}`,
				`{"Action":"pass","Package":"a"}`,
			},
			holds: []string{"packages: 0 passed, 1 failed"}, last: "0 passed, 1 failed",
		},
		{
			name: "does not build",
			events: []string{
				`{"ImportPath":"a [a.test]","Action":"build-output","Output":"a.go:1: broken\n"}`,
				`{"ImportPath":"a [a.test]","Action":"build-fail"}`,
				`{"Action":"start","Package":"a"}`,
				`{"Action":"fail","Package":"a","FailedBuild":"a [a.test]"}`,
			},
			holds: []string{"a.go:1: broken\n"}, last: "0 passed, 1 failed",
		},
		{
			name: "panics",
			events: []string{
				`{"Action":"run","Package":"a","Test":"TestX"}`,
				`{"Action":"output","Package":"a","Test":"TestX","Output":"panic: test timed out\n"}`,
				`{"Action":"fail","Package":"a"}`,
			},
			holds: []string{"panic: test timed out\n", "did not end"}, last: "0 passed, 1 failed",
		},
		{
			name: "leaks after its tests have passed",
			events: []string{
				`{"Action":"pass","Package":"a","Test":"TestX"}`,
				`{"Action":"output","Package":"a","Output":"found unexpected goroutines\n"}`,
				`{"Action":"fail","Package":"a"}`,
			},
			holds: []string{"found unexpected goroutines\n"}, last: "1 passed, 1 failed",
		},
		{name: "is cut off", events: []string{`{"Action":"pass","Package":"a","Test":"TestX"}`}, last: "0 passed, 1 failed"},
		{name: "nothing ran", events: []string{"go: no packages"}, holds: []string{"go: no packages"}, last: "0 passed, 0 failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			s := newSummary(&out)
			if err := s.read(strings.NewReader(strings.Join(test.events, "\n") + "\n")); err != nil {
				t.Fatal(err)
			}
			if well := s.finish(); well != test.well {
				t.Errorf("all is well: %v", well)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if last := lines[len(lines)-1]; last != test.last {
				t.Errorf("last line %q, want %q", last, test.last)
			}
			for _, part := range test.holds {
				if !strings.Contains(out.String(), part) {
					t.Errorf("no %q in\n%s", part, out.String())
				}
			}
			if test.lacks != "" && strings.Contains(out.String(), test.lacks) {
				t.Errorf("%q in\n%s", test.lacks, out.String())
			}
		})
	}
}
