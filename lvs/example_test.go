package lvs_test

import "testing"

// The example of deploy/lvs-keepalived is valid, and has files for all of its machines.
func TestExample(t *testing.T) {
	files := load(t, "../deploy/lvs-keepalived").Files()
	for _, host := range []string{"d1", "d2", "n1", "n2", "n3"} {
		if len(files[host]) < 5 {
			t.Errorf("%s has %d files", host, len(files[host]))
		}
	}
}
