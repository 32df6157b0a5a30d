package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

func (p *program) nodeCommand() *cli.Command {
	return family("node", "list, label and remove nodes", "",
		p.command(spec{
			path: "node ls", brief: "list this node and all below it", example: "pharos node ls -o json | jq '.[] | select(.readiness != \"Ready\")'",
			shows: true, do: asking(nodeLs),
		}),
		p.command(spec{
			path: "node inspect", args: "NAME", brief: "show all that is known of a node",
			long: "What a node that is not Ready last reported may be old.", example: "pharos node inspect press-7",
			shows: true, least: 1, most: 1, do: asking(nodeInspect),
		}),
		p.command(spec{
			path: "node label", args: "NAME K=V… [K-…]", brief: "set and remove a node's labels",
			long:    "K=V sets a label, K- removes it. Apps whose selector names a label come and go with it.",
			example: "pharos node label press-7 arch=arm64 hall=2\npharos node label press-7 hall-",
			shows:   true, least: 2, most: -1, do: asking(nodeLabel),
		}),
		p.command(spec{
			path: "node rm", args: "NAME", brief: "take a node out of the factory",
			long: "Its certificate counts no more. What runs on it goes on running: stop its apps first\n" +
				"if they should stop. A node with children is not removed.",
			example: "pharos node rm press-7", least: 1, most: 1, do: asking(nodeRm),
		}),
	)
}

func nodeLs(c *call, client *api.Client) error {
	nodes, err := client.Nodes(c.ctx)
	if err != nil {
		return err
	}
	return c.show(result{
		value: nodes, names: nodeNames(nodes), empty: "no nodes yet: invite one with 'pharos token create --name NAME'",
		table: func(t *table) { c.nodeTable(t, nodes) },
	})
}

func (p *program) nodeTable(t *table, nodes []state.NodeView) {
	t.heads = []string{"NAME", "ROLE", "PARENT", "READINESS", "SINCE", "GROUPS", "LABELS", "REASON"}
	for _, n := range nodes {
		symbol, tone := mark(n.Readiness)
		t.addCells(
			cell{text: string(n.Name)}, cell{text: string(n.Role)}, cell{text: string(n.Parent)}, cell{symbol, tone}, cell{text: p.age(n.Since)},
			cell{text: list(n.Groups, 5)}, cell{text: labelText(n.Labels)}, cell{text: n.Reason},
		)
	}
}

func nodeInspect(c *call, client *api.Client) error {
	name, err := state.ParseName("node", c.args[0])
	if err != nil {
		return err
	}
	n, err := client.Node(c.ctx, name)
	if err != nil {
		return err
	}
	return c.show(result{value: n, names: []string{string(n.Name)}, table: func(t *table) {
		readiness, tone := mark(n.Readiness)
		t.add("name", string(n.Name))
		t.add("id", string(n.ID))
		t.add("role", string(n.Role))
		t.add("path", strings.Join(append(stringsOf(n.Path), string(n.Name)), " / "))
		t.addCells(cell{text: "readiness"}, cell{strings.TrimSpace(fmt.Sprintf("%s since %s %s", readiness, c.age(n.Since), n.Reason)), tone})
		t.add("labels", labelText(n.Labels))
		t.add("groups", list(n.Groups, 20))
		t.add("engine", engineText(n.Report.Engine))
		t.add("addresses", strings.Join(n.Report.Addresses, ", "))
		head := n.Report.Head.String()
		if n.Orders != nil && *n.Orders != n.Report.Head {
			head += fmt.Sprintf(" (should be at %s)", n.Orders)
		}
		t.add("head", head)
		if n.Below != nil {
			t.add("below", sumText(api.Sum{Nodes: n.Below.Nodes, Apps: n.Below.Apps}))
		}
		appRows(t, c.program, n.Report.Apps)
	}})
}

// appRows adds a line per app that a node reports.
func appRows(t *table, p *program, apps []state.AppReport) {
	label := "apps"
	for _, a := range apps {
		text := fmt.Sprintf("%s revision %d: %s since %s", a.App, a.Revision, a.State, p.age(a.Since))
		if a.Reason != "" {
			text += " (" + a.Reason + ")"
		}
		t.addCells(cell{text: label}, cell{text, toneOf(a.State)})
		label = " "
	}
}

func nodeLabel(c *call, client *api.Client) error {
	name, err := state.ParseName("node", c.args[0])
	if err != nil {
		return err
	}
	change := api.LabelChange{Set: map[string]string{}}
	for _, a := range c.args[1:] {
		if key, gone := strings.CutSuffix(a, "-"); gone && !strings.Contains(a, "=") {
			change.Remove = append(change.Remove, key)
			continue
		}
		k, v, err := state.ParseLabel(a)
		if err != nil {
			return err
		}
		change.Set[k] = v
	}
	for _, k := range change.Remove {
		if _, both := change.Set[k]; both {
			return misuse(fmt.Sprintf("the label %q is both set and removed", k), "do one of the two")
		}
	}
	n, err := client.LabelNode(c.ctx, name, change)
	if err != nil {
		return err
	}
	return c.show(result{
		value: n, names: []string{string(n.Name)}, text: fmt.Sprintf("%s has the labels: %s", n.Name, cmp.Or(labelText(n.Labels), "none")),
	})
}

func nodeRm(c *call, client *api.Client) error {
	name, err := state.ParseName("node", c.args[0])
	if err != nil {
		return err
	}
	before, err := client.Node(c.ctx, name)
	if err != nil {
		return err
	}
	if err := client.RemoveNode(c.ctx, name); err != nil {
		return err
	}
	c.say("%s is no longer of the factory", name)
	var left []state.Name
	for _, a := range before.Report.Apps {
		if a.State != state.AppGone {
			left = append(left, a.App)
		}
	}
	if len(left) > 0 {
		c.note("pharos: what it runs goes on running there (%s): on that machine, 'docker ps -a --filter label=pharos.node=%s' shows the containers to remove", list(left, 10), before.ID)
	}
	return nil
}

func nodeNames(nodes []state.NodeView) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, string(n.Name))
	}
	return out
}

func stringsOf[T ~string](in []T) []string {
	var out []string
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

func labelText(labels map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	return strings.Join(out, ",")
}

func engineText(e state.EngineReport) string {
	text := strings.TrimSpace(e.Kind + " " + e.Version)
	if e.Problem != "" {
		text = strings.TrimSpace(text + " does not answer: " + e.Problem)
	}
	return text
}
