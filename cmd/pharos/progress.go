package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pharos/state"
)

// progress shows pictures as they come.
type progress interface {
	show(picture)
	close() // the last picture was shown
}

// progress is the one that --progress asks for.
func (c *call) progress(g goal) (progress, error) {
	how := c.String("progress")
	if how == "auto" {
		how = "plain"
		if c.screen.errTTY {
			how = "tty"
		}
	}
	if c.Bool("quiet") && how != "json" {
		how = "quiet"
	}
	switch how {
	case "tty":
		return &ttyProgress{screen: c.screen, goal: g}, nil
	case "plain":
		return &plainProgress{to: c.screen.err, goal: g, last: map[state.Name]string{}, mute: g.standing}, nil
	case "json":
		return &jsonProgress{to: c.screen.out, now: c.now, last: map[state.Name]string{}}, nil
	case "quiet":
		return &plainProgress{to: c.screen.err, goal: g, last: map[state.Name]string{}, failuresOnly: true}, nil
	}
	return nil, misuse(fmt.Sprintf("%q is no way to show progress", how), "use --progress auto, tty, plain, json or quiet")
}

// plainProgress writes a line per change of a node.
type plainProgress struct {
	to           io.Writer
	goal         goal
	last         map[state.Name]string
	failuresOnly bool
	mute         bool // nodes that are as wanted from the start say nothing new
}

func (p *plainProgress) show(pic picture) {
	for n, class := range pic.each {
		lines := []string{fmt.Sprintf("%s: %s", n.Node, stateText(p.goal, n, class))}
		if class == classFailed {
			lines = failure(n)
		}
		text := strings.Join(lines, "\n")
		if p.last[n.Node] == text {
			continue
		}
		p.last[n.Node] = text
		if class == classFailed || !p.failuresOnly && (class != classDone || !p.mute) {
			fmt.Fprintln(p.to, text)
		}
	}
	p.mute = false
}

func (p *plainProgress) close() {}

// The classes of a node in a picture.
const (
	classDone   = "done"
	classOff    = "off"
	classFailed = "failed"
	classGoing  = "going"
)

// each goes over all nodes by name, with the class of each.
func (p picture) each(yield func(state.AppNode, string) bool) {
	type classed struct {
		node  state.AppNode
		class string
	}
	var all []classed
	for i, class := range []string{classDone, classOff, classFailed, classGoing} {
		for _, n := range p.all()[i] {
			all = append(all, classed{n, class})
		}
	}
	slices.SortStableFunc(all, func(a, b classed) int { return strings.Compare(string(a.node.Node), string(b.node.Node)) })
	for _, c := range all {
		if !yield(c.node, c.class) {
			return
		}
	}
}

// stateText is a node's state in words.
func stateText(g goal, n state.AppNode, class string) string {
	switch class {
	case classDone:
		return fmt.Sprintf("%s, as wanted", n.State)
	case classOff:
		return "waits, " + clean(offText(n))
	}
	text := string(n.State)
	if n.State.Settled() && !g.heard(n) { // in what was wanted before
		text = fmt.Sprintf("still %s in revision %d", n.State, n.Revision)
	}
	var busy []string
	for _, s := range n.Services {
		if s.State != "running" || s.Health == "starting" || s.Health == "unhealthy" {
			word := s.State
			if s.State == "running" {
				word = s.Health
			}
			busy = append(busy, s.Service+" "+word)
		}
	}
	if len(busy) > 0 {
		text += ": " + list(busy, 6)
	}
	if n.Reason != "" {
		text += " (" + n.Reason + ")"
	}
	return clean(text)
}

// jsonProgress writes a JSON line per change of a node, to stdout.
type jsonProgress struct {
	to   io.Writer
	now  func() time.Time
	last map[state.Name]string
}

// change is one line of --progress json.
type change struct {
	Time  time.Time     `json:"time"`
	Class string        `json:"class"` // done, off, failed, going
	Node  state.AppNode `json:"node"`
}

func (p *jsonProgress) show(pic picture) {
	for n, class := range pic.each {
		b, err := json.Marshal(n)
		if err != nil || p.last[n.Node] == class+string(b) {
			continue
		}
		p.last[n.Node] = class + string(b)
		_ = printLine(p.to, change{Time: p.now().UTC(), Class: class, Node: n})
	}
}

func (p *jsonProgress) close() {}

// printLine writes a value as one line of JSON.
func printLine(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(value)
}
