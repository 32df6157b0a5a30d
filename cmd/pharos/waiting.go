package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

// waitFlags are those of the commands that give an order and wait for it.
func waitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "detach", Usage: "don't wait: the order stands once it is accepted"},
		&cli.DurationFlag{Name: "timeout", Value: 5 * time.Minute, Usage: "wait at most this `TIME`; 0 waits for ever"},
		&cli.StringFlag{Name: "progress", Value: "auto", Usage: "`HOW` to show it: auto, tty, plain, json or quiet"},
	}
}

// checkWait refuses flags of a wait before anything is ordered.
func (c *call) checkWait() error {
	if t := c.Duration("timeout"); t < 0 {
		return misuse(fmt.Sprintf("a --timeout of %s is no time at all", t), "give one like --timeout 5m, or 0 to wait for ever")
	}
	_, err := c.progress(goal{})
	return err
}

// outcome is a finished wait as -o json shows it.
type outcome struct {
	App      state.Name      `json:"app"`
	Revision uint64          `json:"revision"`
	Want     state.Want      `json:"want"`
	Outcome  string          `json:"outcome"` // accepted, converged, failed, going on, partly, interrupted, replaced
	Exit     int             `json:"exit"`
	Nodes    []state.Name    `json:"nodes"` // that the order names
	On       []state.AppNode `json:"on"`    // as last seen
}

// follow waits for a goal as the flags say, and tells how it ended.
func (c *call) follow(client *api.Client, g goal) error {
	out := outcome{App: g.app, Revision: g.revision, Want: g.want, Nodes: g.nodes, On: []state.AppNode{}}
	if g.nodes == nil {
		out.Nodes = []state.Name{}
	}
	if c.Bool("detach") {
		out.Outcome = "accepted"
		return c.tell(out, fmt.Sprintf("%s is accepted for %s; see 'pharos app ps %s'", g, many(len(g.nodes), "node"), g.app))
	}
	view, err := c.progress(g)
	if err != nil {
		return err
	}
	began := c.now()
	last, end, err := await(c.ctx, client, g, waiting{limit: c.Duration("timeout"), hold: c.hold, show: view.show})
	view.close()
	if err != nil {
		// Not exitBad: that would say that nothing was ordered.
		return exit{code: exitGoingOn, err: state.Because(state.Unable, fmt.Sprintf("waiting for %s, which is accepted and stands", g), err, "")}
	}
	out.Outcome, out.Exit = end.word, end.code
	for _, nodes := range last.all() {
		out.On = append(out.On, nodes...)
	}
	for _, line := range c.closing(g, last, end) {
		c.note("pharos: %s", oneLine(line))
	}
	text := ""
	if end.code == exitDone {
		text = fmt.Sprintf("%s %s (%s)", g.reached(), many(len(last.done), "node"), c.now().Sub(began).Round(100*time.Millisecond))
	}
	if err := c.tell(out, text); err != nil {
		return err
	}
	if end.code != exitDone {
		return exit{code: end.code}
	}
	return nil
}

// tell prints a wait's result. Text is for people; empty: all is said.
func (c *call) tell(out outcome, text string) error {
	switch {
	case c.String("progress") == "json":
		return printLine(c.screen.out, out)
	case c.format == "table" && (text == "" || c.String("progress") == "quiet"):
		return nil
	}
	return c.show(result{value: out, names: []string{string(out.App)}, text: text})
}

// closing says what became of an order that is not simply done, and what to do.
func (c *call) closing(g goal, p picture, end ending) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	waits := func() {
		for _, n := range p.off {
			add("%s waits for %s: %s", g, n.Node, offText(n))
		}
	}
	switch end.code {
	case exitInterrupted:
		add("stopped waiting; %s is accepted and stands; follow it with 'pharos app ps %s'", g, g.app)
	case exitFailed:
		if p.instead != "" {
			add("%s was replaced meanwhile: %s is wanted now; see 'pharos app history %s'", g, p.instead, g.app)
			break
		}
		var names []state.Name
		for _, n := range p.failed {
			names = append(names, n.Node)
		}
		add("%s failed on %d of %s: %s; see 'pharos app ps %s'", g, len(p.failed), many(p.total(), "node"), list(names, 10), g.app)
		if len(p.going) > 0 {
			add("%s is still going on at %s after %s", g, many(len(p.going), "node"), c.Duration("timeout"))
		}
		waits()
	case exitGoingOn:
		var names []string
		for _, n := range p.going {
			text := string(n.State)
			if n.Reason != "" {
				text += ": " + state.Clip(n.Reason, 200)
			}
			names = append(names, fmt.Sprintf("%s (%s)", n.Node, text))
		}
		add("%s is still going on after %s at %s; it stands: follow it with 'pharos app ps %s'", g, c.Duration("timeout"), list(names, 10), g.app)
		waits()
	case exitPartly:
		add("%s is done on %d of %s; it stands, and the rest get it when they are back", g, len(p.done), many(p.total(), "node"))
		waits()
	}
	return lines
}

// String names the order: "shop revision 3".
func (g goal) String() string {
	switch g.want {
	case state.Stopped:
		return fmt.Sprintf("the stop of %s", g.app)
	case state.Gone:
		return fmt.Sprintf("the removal of %s", g.app)
	}
	return fmt.Sprintf("%s revision %d", g.app, g.revision)
}

// reached says that the goal is, up to where.
func (g goal) reached() string {
	switch g.want {
	case state.Stopped:
		return fmt.Sprintf("%s is stopped on", g.app)
	case state.Gone:
		return fmt.Sprintf("%s is removed from", g.app)
	}
	return fmt.Sprintf("%s revision %d is as wanted on", g.app, g.revision)
}

// offText is why a node is not reached: "NotReady: silent for 4 s".
func offText(n state.AppNode) string {
	reason := strings.TrimPrefix(n.Reason, string(n.Node)+" is ")
	switch {
	case reason == "":
		return string(n.Readiness)
	case strings.HasPrefix(reason, string(n.Readiness)):
		return reason
	}
	return fmt.Sprintf("%s: %s", n.Readiness, reason)
}

// faults says what is wrong with an app on a node: a line per container that
// is not as it should be.
func faults(n state.AppNode) []string {
	var out []string
	for _, s := range n.Services {
		var text string
		switch {
		case s.State == "running" && (s.Health == "" || s.Health == "healthy"), s.State == "exited" && s.ExitCode == 0:
			continue
		case s.State == "running":
			text = "is " + s.Health
		case s.State == "exited", s.State == "dead", s.State == "restarting":
			text = fmt.Sprintf("%s with exit code %d", s.State, s.ExitCode)
		default:
			text = "is " + s.State
		}
		line := fmt.Sprintf("%s: container %s %s", s.Service, s.Name, text)
		if s.Name == "" {
			line = fmt.Sprintf("%s: %s", s.Service, text)
		}
		if s.Restarts > 0 {
			line += ", " + many(int(s.Restarts), "restart")
		}
		out = append(out, clean(line))
	}
	return out
}

// failure is all there is to say of a node that failed, in lines.
func failure(n state.AppNode) []string {
	head := fmt.Sprintf("✗ %s Failed", n.Node)
	if n.Reason != "" {
		head += ": " + n.Reason
	}
	out := []string{clean(head)}
	for _, f := range faults(n) {
		out = append(out, "    "+f)
	}
	for _, l := range n.Logs {
		out = append(out, "    | "+strings.TrimRight(clean(l), " "))
	}
	return out
}
