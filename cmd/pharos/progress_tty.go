package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"pharos/state"
)

// ttyProgress keeps one line per gateway up to date, and opens up a gateway
// below which something fails.
type ttyProgress struct {
	screen screen
	goal   goal
	drawn  int // lines on the terminal that the next picture replaces
}

// tier is the nodes of one parent.
type tier struct {
	parent           state.Name
	done, off, going int
	states           map[state.AppState]int // of those that go on
	failed           []state.AppNode
	offNodes         []state.Name
}

func (p *ttyProgress) show(pic picture) {
	width, height := p.screen.size()
	lines := p.lines(pic)
	if most := max(height-1, 3); len(lines) > most { // what scrolls away can't be drawn over
		hidden := len(lines) - most + 1
		lines = append(lines[:most-1], cell{text: fmt.Sprintf("… and %d lines more", hidden), tone: dim})
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.drawn) // up, and clear what is below
	}
	for _, l := range lines {
		b.WriteString(l.tone.paint(clip(l.text, width-1), p.screen.colour && p.screen.errTTY))
		b.WriteByte('\n')
	}
	p.drawn = len(lines)
	_, _ = io.WriteString(p.screen.err, b.String())
}

// close leaves the last picture on the terminal.
func (p *ttyProgress) close() { p.drawn = 0 }

const barWidth = 10

func (p *ttyProgress) lines(pic picture) []cell {
	tiers := tiersOf(pic)
	longest := 0
	for _, t := range tiers {
		longest = max(longest, len(t.parent))
	}
	var out []cell
	for _, t := range tiers {
		total := t.done + t.off + t.going + len(t.failed)
		filled := t.done * barWidth / max(total, 1)
		text := fmt.Sprintf("%-*s  %s%s %d/%d", longest, t.parent, strings.Repeat("━", filled), strings.Repeat("╌", barWidth-filled), t.done, total)
		var more []string
		for _, s := range appOrder {
			if n := t.states[s]; n > 0 {
				more = append(more, fmt.Sprintf("%d %s", n, s))
			}
		}
		line := cell{tone: plain}
		if t.off > 0 {
			more = append(more, fmt.Sprintf("%d off (%s)", t.off, list(t.offNodes, 3)))
			line.tone = warn
		}
		if len(t.failed) > 0 {
			more = append(more, fmt.Sprintf("%d Failed", len(t.failed)))
			line.tone = bad
		} else if t.done == total {
			more = append(more, "as wanted")
			line.tone = good
		}
		line.text = text + "  " + strings.Join(more, ", ")
		out = append(out, line)
		for _, n := range t.failed {
			for _, l := range failure(n) {
				out = append(out, cell{text: "  " + l})
			}
		}
	}
	return out
}

// tiersOf sorts a picture's nodes by their parents.
func tiersOf(pic picture) []*tier {
	by := map[state.Name]*tier{}
	for n, class := range pic.each {
		parent := cmp.Or(n.Parent, n.Node) // the root has none
		t := by[parent]
		if t == nil {
			t = &tier{parent: parent, states: map[state.AppState]int{}}
			by[parent] = t
		}
		switch class {
		case classDone:
			t.done++
		case classOff:
			t.off++
			t.offNodes = append(t.offNodes, n.Node)
		case classFailed:
			t.failed = append(t.failed, n)
		default:
			t.going++
			t.states[n.State]++
		}
	}
	var out []*tier
	for _, t := range by {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *tier) int { return strings.Compare(string(a.parent), string(b.parent)) })
	return out
}
