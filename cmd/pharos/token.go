package main

import (
	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

func (p *program) tokenCommand() *cli.Command {
	return family("token", "invite machines into the factory", "", p.command(spec{
		path: "token create", args: "--name NAME", brief: "make a token with which one machine can join",
		long: "Prints the token alone on stdout. Whoever has it can join once, as the node of that\n" +
			"name, until its time is over. Ask at the root.",
		example: "pharos token create --name line-1 --gateway\npharos token create --name press-7 --parent line-1 --label arch=arm64",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the node to be"},
			&cli.BoolFlag{Name: "gateway", Usage: "it may have nodes below it"},
			&cli.StringFlag{Name: "parent", DefaultText: "the root", Usage: "`NODE` whose child it will be"},
			&cli.StringSliceFlag{Name: "label", Usage: "`K=V` to set on it (repeatable)"},
			&cli.DurationFlag{Name: "ttl", Value: state.DefaultTokenLife, Usage: "`TIME` in which it must be used"},
		},
		do: asking(func(c *call, client *api.Client) error {
			if c.String("name") == "" {
				return misuse("'pharos token create' needs --name NAME", "usage: pharos token create --name press-7 [--parent line-1] [--gateway]")
			}
			ask := state.TokenRequest{Gateway: c.Bool("gateway"), Labels: map[string]string{}, Life: c.Duration("ttl")}
			var err error
			if ask.Name, err = state.ParseName("node", c.String("name")); err != nil {
				return err
			}
			if parent := c.String("parent"); parent != "" {
				if ask.Parent, err = state.ParseName("node", parent); err != nil {
					return err
				}
			}
			if ask.Life <= 0 {
				return misuse("a --ttl of "+ask.Life.String()+" is no time at all", "give one like --ttl 30m")
			}
			for _, l := range c.StringSlice("label") {
				k, v, err := state.ParseLabel(l)
				if err != nil {
					return err
				}
				ask.Labels[k] = v
			}
			token, err := client.CreateToken(c.ctx, ask)
			if err != nil {
				return err
			}
			c.say("%s", token)
			if c.screen.outTTY { // otherwise a script reads it, and knows
				c.note("on the machine that is to be %s, within %s: pharos join TOKEN, then pharos run", ask.Name, span(ask.Life))
			}
			return nil
		}),
	}))
}
