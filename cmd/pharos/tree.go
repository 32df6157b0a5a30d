package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

func (p *program) treeCommand() *cli.Command {
	return p.command(spec{
		path: "tree", brief: "draw this node and all below it, with readiness",
		long: "● Ready, ✗ NotReady, ? Unknown (a gateway between is gone: nobody knows). APPS are the\n" +
			"node's own, by state; of a node that is not Ready, as it last said. BELOW sums up.",
		example: "pharos tree", shows: true, do: asking(tree),
	})
}

func tree(c *call, client *api.Client) error {
	roots, err := client.Tree(c.ctx)
	if err != nil {
		return err
	}
	var names []string
	var t table
	t.heads = []string{"NODE", "ROLE", "READINESS", "SINCE", "APPS", "BELOW", "REASON"}
	var draw func(nodes []api.TreeNode, stem string, top bool)
	draw = func(nodes []api.TreeNode, stem string, top bool) {
		for i, n := range nodes {
			names = append(names, string(n.Name))
			branch, next := "├─ ", "│  "
			switch {
			case top:
				branch, next = "", ""
			case i == len(nodes)-1:
				branch, next = "└─ ", "   "
			}
			t.rows = append(t.rows, c.treeRow(n, stem+branch))
			draw(n.Children, stem+next, false)
		}
	}
	draw(roots, "", true)
	if last := len(t.heads) - 1; !slices.ContainsFunc(t.rows, func(r row) bool { return r.cells[last].text != "" }) {
		t.heads = t.heads[:last] // all is well: nothing to explain
		for i := range t.rows {
			t.rows[i].cells = t.rows[i].cells[:last]
		}
	}
	return c.show(result{
		value: roots, names: names, empty: "no nodes: has 'pharos init' or 'pharos join' been run here?",
		table: func(out *table) { *out = t },
	})
}

func (p *program) treeRow(n api.TreeNode, stem string) row {
	symbol, tone := mark(n.Readiness)
	apps := countText(n.Apps, appOrder)
	if apps != "" && n.Readiness != state.Ready {
		apps += " (last heard)"
	}
	below := ""
	if n.Below != nil {
		below = shortSum(*n.Below)
	}
	return row{cells: []cell{
		{text: stem + string(n.Name)}, {text: string(n.Role)}, {symbol, tone}, {text: p.age(n.Since)}, {text: apps}, {text: below}, {text: n.Reason},
	}}
}

// The orders in which states are counted up: what needs eyes comes last.
var (
	readinessOrder = []state.Readiness{state.Ready, state.NotReady, state.Unknown}
	appOrder       = []state.AppState{
		state.AppReady, state.AppStopped, state.AppPending, state.AppPulling, state.AppStarting,
		state.AppRemoving, state.AppGone, state.AppDegraded, state.AppFailed,
	}
)

// countText is "3 Ready, 1 Failed".
func countText[K ~string](counts map[K]int, order []K) string {
	var parts []string
	for _, k := range order {
		if counts[k] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[k], k))
		}
	}
	return strings.Join(parts, ", ")
}

// sumText is "3 nodes: 2 Ready, 1 Unknown; apps: 3 Ready".
func sumText(s api.Sum) string {
	total := totalOf(s)
	if total == 0 {
		return "no nodes"
	}
	text := fmt.Sprintf("%s: %s", many(total, "node"), cmp.Or(countText(s.Nodes, readinessOrder), "-"))
	if apps := countText(s.Apps, appOrder); apps != "" {
		text += "; apps: " + apps
	}
	return text
}

// shortSum is sumText where the nodes themselves are in sight: "2/3 Ready; apps: 3 Ready".
func shortSum(s api.Sum) string {
	total := totalOf(s)
	if total == 0 {
		return "no nodes"
	}
	text := fmt.Sprintf("%d/%d Ready", s.Nodes[state.Ready], total)
	if apps := countText(s.Apps, appOrder); apps != "" {
		text += "; apps: " + apps
	}
	return text
}

func totalOf(s api.Sum) int {
	total := 0
	for _, n := range s.Nodes {
		total += n
	}
	return total
}
