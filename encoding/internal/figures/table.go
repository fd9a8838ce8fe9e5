package figures

import "fmt"

// Case is one figure and what it should reach.
type Case struct {
	Name  string
	Reach float64 // percent; 0: no figure was set
	Got   float64 // percent
	Of    int     // names or sessions
}

// reach lists what single names should reach without a hint, in percent.
var reach = []struct { //nolint:gochecknoglobals // constant
	encoding string
	percent  float64
}{
	{"gbk", 99.8}, {"shift_jis", 99.8}, {"big5", 99}, {"euc-jp", 99}, {"cp949", 98.5},
	{"windows-1251", 99.5}, {"koi8-r", 99.5}, {"koi8-u", 99.5}, {"cp866", 99.5}, {"windows-1253", 99.5},
	{"windows-1255", 98.5}, {"windows-1256", 99}, {"windows-874", 97},
	{"windows-1250", 98.5}, {"iso-8859-2", 98.5}, {"windows-1252", 98.5}, {"iso-8859-15", 0}, {"windows-1254", 98.5}, {"windows-1257", 97},
}

// Cases returns the figures one by one, in a fixed order.
func (f *Figures) Cases() []Case {
	var all []Case
	add := func(name string, reach float64, s Share) {
		all = append(all, Case{name, reach, s.Percent(), s.All})
	}
	for _, r := range reach {
		add(r.encoding+", no hint", r.percent, f.Single[r.encoding].None)
	}
	add("gbk, right hint", 100, f.Single["gbk"].Right)
	add("all legacy, no hint", 98.7, f.Legacy.None)
	add("all legacy, right hint", 99.6, f.Legacy.Right)
	add("all legacy, wrong hint", 96.5, f.Legacy.Wrong)
	add("utf-8, no hint", 99.95, f.UTF8.None)
	add("utf-8, hint GB18030", 99.9, f.UTF8.Wrong)
	add("gbk that is valid UTF-8, no hint", 97.5, f.Collision["gbk"].None)
	add("gbk that is valid UTF-8, right hint", 99.6, f.Collision["gbk"].Right)
	add("names in sessions, no hint", 99.85, f.InSession.None)
	add("names in sessions, right hint", 99.98, f.InSession.Right)
	for _, k := range steps() {
		add(fmt.Sprintf("whole sessions after %d", k), map[int]float64{5: 99.8, 10: 100}[k], f.After[k])
	}
	return all
}
