package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

func (p *program) appCommand() *cli.Command {
	return family("app", "look at apps, stop, start and remove them", "An app is a Compose project that was deployed under a name; each deploy is a revision.",
		p.command(spec{path: "app ls", brief: "list the apps", example: "pharos app ls", shows: true, do: asking(appLs)}),
		p.command(spec{
			path: "app ps", args: "APP", brief: "show an app's containers, node by node", example: "pharos app ps shop\npharos app ps shop -o json | jq '.[] | select(.done | not)'",
			shows: true, least: 1, most: 1, do: asking(appPs),
		}),
		p.command(spec{
			path: "app inspect", args: "APP", brief: "show an app, its project and where it is", example: "pharos app inspect shop -o json",
			shows: true, least: 1, most: 1, do: asking(appInspect),
		}),
		p.command(spec{
			path: "app history", args: "APP", brief: "list an app's revisions, newest first", example: "pharos app history shop",
			shows: true, least: 1, most: 1, do: asking(appHistory),
		}),
		p.orderCommand("stop", state.Stopped, "stop an app wherever it runs, keeping its containers", "It stays stopped, over reboots too, until 'pharos app start' or a new deploy."),
		p.orderCommand("start", state.Run, "start an app that was stopped", "Runs the newest revision again, wherever its selector says."),
		p.orderCommand("rm", state.Gone, "remove an app's containers and networks everywhere", "Its volumes, and so its data, stay on the nodes."),
	)
}

// orderCommand is one of the three that want something else of an app.
func (p *program) orderCommand(verb string, want state.Want, brief, long string) *cli.Command {
	return p.command(spec{
		path: "app " + verb, args: "APP", brief: brief,
		long:    long + "\nWaits until it is so on every node; exit codes are those of 'pharos deploy'.",
		example: "pharos app " + verb + " shop", flags: waitFlags(), shows: true, least: 1, most: 1,
		do: asking(func(c *call, client *api.Client) error { return order(c, client, want) }),
	})
}

func order(c *call, client *api.Client, want state.Want) error {
	name, err := state.ParseName("app", c.args[0])
	if err != nil {
		return err
	}
	if err := c.checkWait(); err != nil {
		return err
	}
	accepted, err := client.Order(c.ctx, name, want)
	if err != nil {
		return err
	}
	return c.follow(client, goal{app: accepted.App, revision: accepted.Revision, want: want, nodes: accepted.Nodes, stamp: accepted.Stamp})
}

func appLs(c *call, client *api.Client) error {
	apps, err := client.Apps(c.ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, a := range apps {
		names = append(names, string(a.Name))
	}
	return c.show(result{
		value: apps, names: names, empty: "no apps yet: deploy one with 'pharos deploy -f compose.yaml --to SELECTOR'",
		table: func(t *table) {
			t.heads = []string{"APP", "REVISION", "WANT", "TO", "READY", "STATES", "DEPLOYED"}
			for _, a := range apps {
				tone := warn
				if a.Ready == a.Nodes {
					tone = good
				}
				t.addCells(
					cell{text: string(a.Name)}, cell{text: fmt.Sprint(a.Revision)}, cell{text: string(a.Want)}, cell{text: a.Selector.String()},
					cell{fmt.Sprintf("%d/%d", a.Ready, a.Nodes), tone}, cell{text: countText(a.States, appOrder)}, cell{text: c.age(a.Deployed)},
				)
			}
		},
	})
}

func appPs(c *call, client *api.Client) error {
	app, err := getApp(c, client)
	if err != nil {
		return err
	}
	var names []string
	for _, n := range app.On {
		names = append(names, string(n.Node))
	}
	return c.show(result{
		value: app.On, names: names, empty: fmt.Sprintf("%s is on no node: does its selector %s name any? See 'pharos tree'", app.Name, app.Selector),
		table: func(t *table) { psTable(t, app.On) },
	})
}

func getApp(c *call, client *api.Client) (state.AppDetail, error) {
	name, err := state.ParseName("app", c.args[0])
	if err != nil {
		return state.AppDetail{}, err
	}
	return client.App(c.ctx, name)
}

// psTable has a line per container; what it says of the node stands in the
// node's first. Below stands why a node is not as wanted.
func psTable(t *table, on []state.AppNode) {
	t.heads = []string{"NODE", "STATE", "REVISION", "SERVICE", "CONTAINER", "STATE", "HEALTH", "RESTARTS"}
	for _, n := range on {
		appState := string(n.State)
		if n.Readiness != state.Ready {
			appState += "?"
		}
		first := []cell{{text: string(n.Node)}, {appState, toneOf(n.State)}, {text: fmt.Sprint(n.Revision)}}
		if len(n.Services) == 0 {
			t.addCells(append(first, cell{}, cell{}, cell{}, cell{}, cell{})...)
		}
		for _, s := range n.Services {
			t.addCells(append(first, cell{text: s.Service}, cell{text: s.Name}, cell{text: s.State}, cell{text: s.Health}, cell{text: fmt.Sprint(s.Restarts)})...)
			first = []cell{{text: " "}, {text: " "}, {text: " "}}
		}
		switch {
		case n.Readiness != state.Ready:
			t.note(fmt.Sprintf("%s is %s; the above is what it last said", n.Node, offText(n)))
		case n.Reason != "":
			t.note(fmt.Sprintf("%s: %s", n.Node, n.Reason))
		}
		if n.State == state.AppFailed {
			for _, l := range n.Logs {
				t.note("  | " + l)
			}
		}
	}
}

func appInspect(c *call, client *api.Client) error {
	a, err := getApp(c, client)
	if err != nil {
		return err
	}
	return c.show(result{value: a, names: []string{string(a.Name)}, table: func(t *table) {
		t.add("app", string(a.Name))
		t.add("revision", fmt.Sprintf("%d, deployed %s ago", a.Revision, c.age(a.Deployed)))
		t.add("wanted", string(a.Want))
		t.add("to", a.Selector.String())
		t.add("ready", fmt.Sprintf("%d of %s", a.Ready, many(a.Nodes, "node")))
		t.add("states", countText(a.States, appOrder))
		label := "nodes"
		for _, n := range a.On {
			text := fmt.Sprintf("%s: %s in revision %d", n.Node, n.State, n.Revision)
			if n.Readiness != state.Ready {
				text += ", " + offText(n)
			} else if n.Reason != "" {
				text += " (" + n.Reason + ")"
			}
			t.addCells(cell{text: label}, cell{text, toneOf(n.State)})
			label = " "
		}
		t.note("")
		for line := range strings.Lines(a.Compose) {
			t.note(strings.TrimRight(line, "\n"))
		}
	}})
}

func appHistory(c *call, client *api.Client) error {
	name, err := state.ParseName("app", c.args[0])
	if err != nil {
		return err
	}
	revisions, err := client.History(c.ctx, name)
	if err != nil {
		return err
	}
	var names []string
	for _, r := range revisions {
		names = append(names, fmt.Sprint(r.Revision))
	}
	return c.show(result{
		value: revisions, names: names, empty: fmt.Sprintf("%s has no history", name),
		table: func(t *table) {
			t.heads = []string{"REVISION", "DEPLOYED", "CURRENT", "TO", "IMAGES"}
			for _, r := range revisions {
				now := ""
				if r.Current {
					now = "current"
				}
				t.add(fmt.Sprint(r.Revision), c.age(r.Deployed)+" ago", now, r.Selector.String(), strings.Join(r.Images, ", "))
			}
		},
	})
}
