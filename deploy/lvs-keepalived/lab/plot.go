package main

import (
	"fmt"
	"strings"
)

// drawScale draws throughput over the number of nodes, next to what a lone node's would be
// if it grew without loss.
func drawScale(points []point) []byte {
	const left, bottom, width, height = 70, 300, 430, 260
	if len(points) == 0 {
		return nil
	}
	last := points[len(points)-1]
	ideal := points[0].rate * float64(last.nodes)
	top := max(ideal, last.rate) * 1.1
	x := func(nodes int) float64 { return left + width*float64(nodes)/float64(last.nodes) }
	y := func(rate float64) float64 { return bottom - height*rate/top }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 360" font-family="sans-serif" font-size="13">`+"\n")
	fmt.Fprintf(&b, `<rect width="600" height="360" fill="white"/>`+"\n")
	fmt.Fprintf(&b, `<path d="M%d %d V%d H%d" fill="none" stroke="black"/>`+"\n", left, bottom-height, bottom, left+width)
	fmt.Fprintf(&b, `<path d="M%d %d L%.1f %.1f" stroke="#999" stroke-dasharray="5 4"/>`+"\n", left, bottom, x(last.nodes), y(ideal))
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" fill="#666" text-anchor="end">in proportion to a lone node</text>`+"\n", x(last.nodes)-50, y(ideal)+12)
	var line []string
	for _, p := range points {
		line = append(line, fmt.Sprintf("%.1f %.1f", x(p.nodes), y(p.rate)))
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="#06c"/>`+"\n", x(p.nodes), y(p.rate))
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" fill="#06c" text-anchor="start">%.1f MB/s</text>`+"\n", x(p.nodes)+8, y(p.rate)+16, p.rate/1e6)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(p.nodes), bottom+18, p.nodes)
	}
	fmt.Fprintf(&b, `<path d="M%s" fill="none" stroke="#06c" stroke-width="2"/>`+"\n", strings.Join(line, " L"))
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">nodes, each with %d %% of a CPU</text>`+"\n", left+width/2, bottom+42, cpuShare)
	fmt.Fprintf(&b, `<text x="20" y="%d" transform="rotate(-90 20 %[1]d)" text-anchor="middle">all together</text>`+"\n</svg>\n", bottom-height/2)
	return []byte(b.String())
}
