package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

// project is a Compose project as it is deployed.
type project struct {
	name     state.Name
	compose  []byte
	warnings []string // what the file asks for and Pharos doesn't do
}

func (p *program) deployCommand() *cli.Command {
	return p.command(spec{
		path: "deploy", args: "-f FILE --to SELECTOR", brief: "run a Compose file on a part of the factory",
		long: "Shows the plan, orders a new revision of the app, and waits until every node that the\n" +
			"selector names runs it and is healthy. Where nothing would change, nothing is ordered.\n\n" +
			"A SELECTOR is a node (press-7), group:painting, tier:line-1 (all below that gateway),\n" +
			"label:arch=arm64 or all; commas unite, a leading ! takes away.\n\n" +
			"Exit codes: 0 all as wanted, 1 bad input or no daemon, 2 failed somewhere (or, with\n" +
			"--dry-run, something would change), 3 still going on after --timeout, 4 some nodes are\n" +
			"off and the order waits for them.",
		example: "pharos deploy -f compose.yaml --to tier:line-1 --dry-run\npharos deploy -f compose.yaml -f line-1.yaml --name shop --to 'tier:line-1,!press-7'",
		flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "file", Aliases: []string{"f"}, Usage: "Compose `FILE` (repeatable: later ones override; - is stdin)"},
			&cli.StringFlag{Name: "name", DefaultText: "the project's", Usage: "`APP` to deploy it as"},
			&cli.StringFlag{Name: "to", Usage: "`SELECTOR` of the nodes that are to run it"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only show the plan; exits 2 when something would change"},
		}, waitFlags()...),
		shows: true, do: asking(deploy),
	})
}

func deploy(c *call, client *api.Client) error {
	const usage = "usage: pharos deploy -f compose.yaml --to tier:line-1"
	files := c.StringSlice("file")
	switch {
	case len(files) == 0:
		return misuse("'pharos deploy' needs -f FILE", usage)
	case c.String("to") == "":
		return misuse("'pharos deploy' needs --to SELECTOR", usage)
	}
	if err := c.checkWait(); err != nil {
		return err
	}
	selector, err := state.ParseSelector(c.String("to"))
	if err != nil {
		return err
	}
	loaded, err := c.rooms.load(c.ctx, files, c.String("name"), c.in)
	if err != nil {
		return err
	}
	for _, w := range loaded.warnings {
		c.note("pharos: warning: %s", oneLine(w))
	}
	ask := state.DeployRequest{App: loaded.name, Selector: selector, Compose: loaded.compose}
	plans, err := client.Plan(c.ctx, ask)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return c.dryRun(plans, ask.App)
	}
	revision, stands, err := standing(c.ctx, client, ask)
	if err != nil {
		return err
	}
	quiet := c.format != "table" || c.Bool("quiet") || c.String("progress") == "quiet" || c.String("progress") == "json"
	if stands && changes(plans) == 0 {
		if !quiet {
			c.note("nothing to change: %s revision %d is this project on these nodes already", ask.App, revision)
		}
		return c.follow(client, goal{app: ask.App, revision: revision, want: state.Run, nodes: nodesOf(plans), standing: true})
	}
	if !quiet {
		fmt.Fprint(c.screen.err, planText(plans, ask.App))
	}
	if c.ctx.Err() != nil {
		c.note("pharos: interrupted; nothing was ordered")
		return exit{code: exitInterrupted}
	}
	// Not to be interrupted: it must be known whether the order was accepted.
	accepted, err := client.Deploy(context.WithoutCancel(c.ctx), ask)
	if err != nil {
		return err
	}
	return c.follow(client, goal{app: accepted.App, revision: accepted.Revision, want: state.Run, nodes: accepted.Nodes, stamp: accepted.Stamp})
}

func (c *call) dryRun(plans []state.Plan, app state.Name) error {
	if c.format == "table" {
		fmt.Fprint(c.screen.out, planText(plans, app))
	} else {
		var changing []string
		for _, p := range plans {
			if len(p.Actions) > 0 {
				changing = append(changing, string(p.Node))
			}
		}
		if err := c.show(result{value: plans, names: changing}); err != nil {
			return err
		}
	}
	if changes(plans) > 0 {
		return exit{code: exitFailed}
	}
	return nil
}

// standing says whether the newest order of the app is exactly what is asked
// for, and its revision.
func standing(ctx context.Context, client *api.Client, ask state.DeployRequest) (revision uint64, stands bool, err error) {
	app, err := client.App(ctx, ask.App)
	var problem *state.Problem
	if errors.As(err, &problem) && problem.Kind == state.NotFound {
		return 0, false, nil
	}
	stands = app.Want == state.Run && app.Compose == string(ask.Compose) && app.Selector.String() == ask.Selector.String()
	return app.Revision, stands, err
}

func nodesOf(plans []state.Plan) []state.Name {
	out := []state.Name{}
	for _, p := range plans {
		out = append(out, p.Node)
	}
	return out
}
