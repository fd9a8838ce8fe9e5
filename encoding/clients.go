package encoding

import (
	"strings"

	"github.com/spdscheme/spdserver/encoding/internal/lm"
)

// clients are programs that tell their name (CLNT), as far as that says something of what
// they send. A name proves little: most of them can be told to use any charset.
//
//nolint:gochecknoglobals // constant
var clients = []struct {
	name  string // the beginning, in lower case
	utf8  bool   // what they send unless told otherwise; else a charset of Windows
	until int    // the last version that does so; 0: all do
}{
	{"filezilla", true, 0}, // says CLNT only where it is about to say OPTS UTF8 ON
	{"winscp", true, 0},
	{"flashfxp", false, 3},
	{"cuteftp", false, 8},
	{"leechftp", false, 0},
}

// introduced is what the name of a client says for or against UTF-8.
const introduced = 2 * lm.Nat

// Client is what CLNT says: the name of the client's program, with its version perhaps. It
// tells a little of whether names are in UTF-8, unless something better is known.
func (d *Detector) Client(name string) {
	says := clientSays(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if says == d.client {
		return
	}
	d.begin()
	for i, c := range candidates() {
		if c.codec.Name() == "UTF-8" {
			d.start[i] += says - d.client
			d.costs[i] += says - d.client
		}
	}
	d.client = says
}

// clientSays returns what the name of a client adds to the cost of UTF-8.
func clientSays(name string) lm.Cost {
	name = strings.ToLower(name)
	for _, c := range clients {
		rest, ok := strings.CutPrefix(name, c.name)
		switch {
		case !ok || c.until > 0 && version(rest) > c.until:
		case c.utf8:
			return -introduced
		default:
			return introduced
		}
	}
	return 0
}

// version returns the first number in text; 0 if there is none.
func version(text string) (n int) {
	const digits = "0123456789"
	from := strings.IndexAny(text, digits)
	if from < 0 {
		return 0
	}
	for _, r := range text[from:] {
		if !strings.ContainsRune(digits, r) || n > 1000 {
			break
		}
		n = 10*n + int(r-'0')
	}
	return n
}
