package auth

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	minutesOfDay  = 24 * 60
	minutesOfWeek = 7 * minutesOfDay
	daysOfWeek    = "Sun Mon Tue Wed Thu Fri Sat" // as time.Weekday counts
)

// Hours are the times of the week at which sessions may be. The zero value is always.
type Hours struct {
	text  string
	zone  *time.Location // nil: UTC
	spans []span
}

// span is from a minute of the week, which begins on Sunday, to before another one.
type span struct{ from, to int }

// ParseHours reads "Mon-Fri 08:00-18:00; Sat 09:00-12:00", with a time zone of the IANA
// database at the end: "... Europe/Berlin". Without one it is UTC. Days and times may be
// lists: "Mon,Wed 08:00-12:00,13:00-17:00"; without days it is every day. A time that ends
// before it begins ends on the next day. "" is always.
func ParseHours(s string) (Hours, error) {
	rest, zone, err := cutZone(strings.TrimSpace(s))
	if err != nil {
		return Hours{}, err
	}
	h := Hours{text: strings.TrimSpace(s), zone: zone}
	if rest == "" {
		return Hours{}, nil
	}
	for part := range strings.SplitSeq(rest, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		spans, err := parseDays(part)
		if err != nil {
			return Hours{}, fmt.Errorf("hours %q: %w", strings.TrimSpace(part), err)
		}
		h.spans = append(h.spans, spans...)
	}
	return h, nil
}

// cutZone takes a time zone off the end: the last word, if it does not hold times or days.
func cutZone(s string) (rest string, zone *time.Location, err error) {
	rest, name := "", s
	if i := strings.LastIndexAny(s, " ;\t\n"); i >= 0 {
		rest, name = s[:i], s[i+1:]
	}
	if name == "" || strings.Contains(name, ":") {
		return s, time.UTC, nil
	}
	if name == "Local" { // of which machine?
		return "", nil, fmt.Errorf("unknown time zone %q", name)
	}
	zone, err = time.LoadLocation(name)
	if err != nil {
		return "", nil, fmt.Errorf("%q are no hours like 08:00-18:00 and no time zone like Europe/Berlin", name)
	}
	if strings.TrimSpace(rest) == "" {
		return "", nil, fmt.Errorf("time zone %s without hours", name)
	}
	return rest, zone, nil
}

// parseDays reads "Mon-Fri 08:00-12:00,13:00-18:00".
func parseDays(s string) ([]span, error) {
	words := strings.Fields(strings.NewReplacer(", ", ",", " ,", ",").Replace(s))
	days, times := "Sun-Sat", ""
	switch len(words) {
	case 1:
		times = words[0]
	case 2:
		days, times = words[0], words[1]
	default:
		return nil, fmt.Errorf("use days and times, like Mon-Fri 08:00-18:00")
	}
	var spans []span
	for dayRange := range strings.SplitSeq(days, ",") {
		list, err := parseDayRange(dayRange)
		if err != nil {
			return nil, err
		}
		for timeRange := range strings.SplitSeq(times, ",") {
			from, to, err := parseTimeRange(timeRange)
			if err != nil {
				return nil, err
			}
			for _, day := range list {
				spans = append(spans, span{day*minutesOfDay + from, day*minutesOfDay + to})
			}
		}
	}
	return spans, nil
}

// parseDayRange reads "Mon" or "Fri-Mon" as days of time.Weekday.
func parseDayRange(s string) ([]int, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	names := strings.Fields(daysOfWeek)
	number := func(day string) int {
		return slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, day) })
	}
	from, to := number(first), number(last)
	if from < 0 || to < 0 {
		return nil, fmt.Errorf("%q are no days: use Mon, Tue, Wed, Thu, Fri, Sat, Sun or Mon-Fri", s)
	}
	days := []int{from}
	for from != to {
		from = (from + 1) % len(names)
		days = append(days, from)
	}
	return days, nil
}

// parseTimeRange reads "08:00-18:00" as minutes of the day; to is after from.
func parseTimeRange(s string) (from, to int, err error) {
	first, last, _ := strings.Cut(s, "-")
	from, okFrom := parseClock(first)
	to, okTo := parseClock(last)
	if !okFrom || !okTo || from == to || from == minutesOfDay {
		return 0, 0, fmt.Errorf("%q is no time like 08:00-18:00", s)
	}
	if to < from {
		to += minutesOfDay
	}
	return from, to, nil
}

// parseClock reads "08:00" as minutes; "24:00" is the end of the day.
func parseClock(s string) (minutes int, ok bool) {
	hour, minute, _ := strings.Cut(s, ":")
	h, errHour := strconv.ParseUint(hour, 10, 8)
	m, errMinute := strconv.ParseUint(minute, 10, 8)
	minutes = int(h)*60 + int(m)
	return minutes, errHour == nil && errMinute == nil && len(minute) == 2 && m < 60 && minutes <= minutesOfDay
}

// Allow tells whether sessions may be at that time.
func (h Hours) Allow(now time.Time) bool {
	if len(h.spans) == 0 {
		return true
	}
	if h.zone != nil {
		now = now.In(h.zone)
	} else {
		now = now.UTC()
	}
	minute := int(now.Weekday())*minutesOfDay + now.Hour()*60 + now.Minute()
	return slices.ContainsFunc(h.spans, func(s span) bool {
		return s.from <= minute && minute < s.to || minute+minutesOfWeek < s.to // over the end of the week
	})
}

// String is what ParseHours read.
func (h Hours) String() string { return h.text }

// Equal tells whether both were written alike.
func (h Hours) Equal(other Hours) bool { return h.text == other.text }
