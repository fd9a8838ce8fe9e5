package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// figure is a line of the table.
type figure struct {
	Scenario string    `json:"scenario"`
	Name     string    `json:"name"` // and its unit
	SPD      float64   `json:"spd"`  // the median of the rounds
	Client   float64   `json:"s3_client,omitempty"`
	Ratio    float64   `json:"ratio,omitempty"` // the median of the rounds' ratios
	Goal     goal      `json:"goal,omitzero"`
	Met      *bool     `json:"met,omitempty"` // nil: no goal
	Rounds   []float64 `json:"rounds,omitempty"`
	Clients  []float64 `json:"s3_client_rounds,omitempty"`
}

// goal is what a figure is to reach. Zero fields ask for nothing.
type goal struct {
	Most       float64 `json:"most,omitzero"`
	Least      float64 `json:"least,omitzero"`
	MostRatio  float64 `json:"most_ratio,omitzero"`
	LeastRatio float64 `json:"least_ratio,omitzero"`
	None       bool    `json:"none,omitzero"` // the figure must be 0
}

func (g goal) String() string {
	var parts []string
	if g.Most != 0 {
		parts = append(parts, "<= "+number(g.Most))
	}
	if g.Least != 0 {
		parts = append(parts, ">= "+number(g.Least))
	}
	if g.MostRatio != 0 {
		parts = append(parts, fmt.Sprintf("<= %.2f x", g.MostRatio))
	}
	if g.LeastRatio != 0 {
		parts = append(parts, fmt.Sprintf(">= %.2f x", g.LeastRatio))
	}
	if g.None {
		parts = append(parts, "0")
	}
	return strings.Join(parts, ", ")
}

func (g goal) metBy(value, ratio float64) *bool {
	if g == (goal{}) {
		return nil
	}
	met := (g.Most == 0 || value <= g.Most) &&
		(g.Least == 0 || value >= g.Least) &&
		(g.MostRatio == 0 || ratio <= g.MostRatio) &&
		(g.LeastRatio == 0 || ratio >= g.LeastRatio) &&
		(!g.None || value == 0)
	return &met
}

// compared is a figure with that of the S3 client in the same round beside it.
func compared(name string, spd, client []float64, g goal) figure {
	ratios := make([]float64, len(spd))
	for i := range spd {
		spd[i], client[i] = fourDigits(spd[i]), fourDigits(client[i])
		ratios[i] = spd[i] / client[i]
	}
	f := figure{Name: name, SPD: median(spd), Client: median(client), Ratio: fourDigits(median(ratios)), Goal: g, Rounds: spd, Clients: client}
	f.Met = g.metBy(f.SPD, f.Ratio)
	return f
}

// single is a figure of SPD alone.
func single(name string, value float64, g goal) figure {
	value = fourDigits(value)
	return figure{Name: name, SPD: value, Goal: g, Met: g.metBy(value, 0)}
}

// fourDigits rounds: what is measured is not more precise.
func fourDigits(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// table prints figures, aligned and as Markdown reads them.
func table(out io.Writer, figures []figure) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| Scenario\t| Figure\t| SPD\t| S3 client\t| Ratio\t| Goal\t| Met\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	last := ""
	for _, f := range figures {
		scenario := f.Scenario
		if scenario == last {
			scenario = ""
		}
		last = f.Scenario
		client, ratio := "", ""
		if f.Ratio != 0 {
			client, ratio = number(f.Client), fmt.Sprintf("%.2f x", f.Ratio)
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t|\n",
			scenario, f.Name, number(f.SPD), client, ratio, f.Goal, verdict(f.Met))
	}
	return w.Flush()
}

func verdict(met *bool) string {
	switch {
	case met == nil:
		return ""
	case *met:
		return "yes"
	}
	return "**no**"
}

// number prints a value with about three digits.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
