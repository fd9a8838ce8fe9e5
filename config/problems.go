package config

import "strings"

// Problem is one thing that must be mended before SPD can start.
type Problem struct {
	Key   string // "ftp.listen"; "" if the file as a whole is the problem
	Where string // "spd.yaml:12" or "SPD_FTP_LISTEN"; "" if nothing was set
	Text  string // what is wrong, and what to do
}

// String returns the problem as one line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Key)
	switch {
	case p.Key == "":
		b.WriteString(p.Where)
	case p.Where != "":
		b.WriteString(" (" + p.Where + ")")
	}
	return b.String() + ": " + p.Text
}

// Problems is everything that is wrong with a configuration. It is the error of Load
// and Validate.
type Problems []Problem

var _ error = Problems(nil)

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// err returns nil for no problems, which the interface value of an empty Problems is not.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// names tells whether a problem of that key is in ps.
func (ps Problems) names(key string) bool {
	for _, p := range ps {
		if p.Key == key {
			return true
		}
	}
	return false
}
