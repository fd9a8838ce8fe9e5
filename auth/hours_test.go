package auth

import (
	"testing"
	"time"
)

func hours(t *testing.T, s string) Hours {
	t.Helper()
	h, err := ParseHours(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHours(t *testing.T) {
	for _, c := range []struct {
		hours string
		at    string // of a week that begins on Sunday, 2026-11-01
		want  bool
	}{
		{"", "01 00:00", true},
		{"Mon-Fri 08:00-18:00; Sat 09:00-12:00", "02 07:59", false},
		{"Mon-Fri 08:00-18:00; Sat 09:00-12:00", "02 08:00", true},
		{"Mon-Fri 08:00-18:00; Sat 09:00-12:00", "06 17:59", true},
		{"Mon-Fri 08:00-18:00; Sat 09:00-12:00", "06 18:00", false},
		{"Mon-Fri 08:00-18:00; Sat 09:00-12:00", "07 10:00", true},
		{"Mon-Fri 08:00-18:00; Sat 09:00-12:00", "01 10:00", false},
		{"08:00-18:00", "01 10:00", true},
		{"08:00-18:00", "01 19:00", false},
		{"mon, WED 8:00-12:00, 13:00-17:00;", "04 13:00", true},
		{"mon, WED 8:00-12:00, 13:00-17:00;", "04 12:30", false},
		{"mon, WED 8:00-12:00, 13:00-17:00;", "03 13:00", false},
		{"Fri-Mon 00:00-24:00", "01 23:59", true},
		{"Fri-Mon 00:00-24:00", "03 00:00", false},
		{"Sat 22:00-06:00", "07 23:00", true},
		{"Sat 22:00-06:00", "01 05:59", true}, // on Sunday
		{"Sat 22:00-06:00", "01 06:00", false},
		{"Sat 22:00-06:00", "07 05:00", false},
		{"Mon-Fri 08:00-18:00 Europe/Berlin", "02 07:00", true}, // UTC+1
		{"Mon-Fri 08:00-18:00 Europe/Berlin", "02 17:00", false},
		{"Mon 00:00-01:00 Asia/Tokyo", "01 15:30", true}, // UTC+9: Monday there
		{"Mon 00:00-01:00 UTC", "02 00:30", true},
	} {
		at, err := time.Parse("2006-01-02 15:04", "2026-11-"+c.at)
		if err != nil {
			t.Fatal(err)
		}
		h := hours(t, c.hours)
		if got := h.Allow(at); got != c.want {
			t.Errorf("%q at %s: %v", c.hours, c.at, got)
		}
		if again := hours(t, h.String()); !again.Equal(h) || again.Allow(at) != c.want {
			t.Errorf("%q is not read again from %q", c.hours, h)
		}
	}
}

// A clock that is put forward or back skips or repeats an hour, and no more.
func TestHoursWhenClocksChange(t *testing.T) {
	h := hours(t, "Sun 02:00-04:00 Europe/Berlin")
	for at, want := range map[string]bool{
		"2026-03-29T00:59:59Z": false, "2026-03-29T01:00:00Z": true, // 03:00
		"2026-10-25T00:30:00Z": true, "2026-10-25T01:30:00Z": true, // 02:30 twice
		"2026-10-25T03:00:00Z": false,
	} {
		if now, err := time.Parse(time.RFC3339, at); err != nil || h.Allow(now) != want {
			t.Errorf("%s: %v, want %v", at, !want, want)
		}
	}
}

func TestParseHoursRefuses(t *testing.T) {
	for _, s := range []string{
		"always", "Mon", "Mon-Fri", "Mon-Foo 08:00-18:00", "Mon 08:00", "Mon 8-18", "Mon 08:00-08:00", "Mon 24:00-25:00",
		"Mon 08:60-09:00", "Mon -1:00-09:00", "Mon 08:00-18:00 Mars/Olympus", "Mon 08:00-18:00 ../../etc/passwd",
		"Mon 08:00-18:00 Local", "Europe/Berlin", "Mon Tue 08:00-18:00 UTC", "Mon 08:00-18:00,", "08:00-18:00:00",
	} {
		if h, err := ParseHours(s); err == nil {
			t.Errorf("ParseHours(%q) = %v", s, h.spans)
		}
	}
}
