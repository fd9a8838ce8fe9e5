package lvs

import (
	"fmt"
	"strings"
)

// Problems is everything that is wrong with a description, each with what to do about it.
type Problems []string

var _ error = Problems(nil)

// Error lists the problems, one a line.
func (p Problems) Error() string { return strings.Join(p, "\n") }

// checker collects problems.
type checker struct{ problems Problems }

func (ck *checker) add(format string, args ...any) {
	ck.problems = append(ck.problems, fmt.Sprintf(format, args...))
}

// require adds a problem unless ok.
func (ck *checker) require(ok bool, format string, args ...any) {
	if !ok {
		ck.add(format, args...)
	}
}
