package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pharos/state"
)

const joinTimeout = 30 * time.Second

var errJoinTimeout = errors.New("no answer in time")

func (p *program) joinCommand() *cli.Command {
	return p.command(spec{
		path: "join", args: "TOKEN", brief: "enrol this machine in a factory",
		long: "Asks the parent that the token names for a certificate, and keeps it in the data\n" +
			"folder. The token works once. With '-' it is read from stdin, so that it doesn't\n" +
			"show in the list of processes. 'pharos run' runs the node afterwards.",
		example: "pharos join pharos-join-CjQxMkQz…\npharos run",
		flags: []cli.Flag{
			&cli.DurationFlag{Name: "timeout", Value: joinTimeout, Usage: "give up after this `TIME`"},
			&cli.BoolFlag{Name: "mdns", Value: true, Usage: "look for the parent on the local network too"},
		},
		shows: true, least: 1, most: 1,
		do: func(c *call) error {
			token := c.args[0]
			if token == "-" {
				b, err := io.ReadAll(io.LimitReader(c.in, state.MaxToken+1))
				if err != nil {
					return state.Because(state.Unable, "reading the token from stdin", err, "give it as the argument")
				}
				token = string(b)
			}
			token = strings.TrimSpace(token)
			if _, err := state.ParseJoinToken(token); err != nil {
				return err
			}
			dir, err := c.data()
			if err != nil {
				return err
			}
			if limit := c.Duration("timeout"); limit < 0 {
				return misuse(fmt.Sprintf("a --timeout of %s is no time at all", limit), "give one like --timeout 30s, or 0 to wait for ever")
			}
			ctx := c.ctx
			if limit := c.Duration("timeout"); limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, limit, errJoinTimeout)
				defer cancel()
			}
			got, err := c.rooms.join(ctx, joining{data: dir, token: token, mdns: c.Bool("mdns"), log: logTo(c.screen.err, slog.LevelWarn)})
			if err != nil {
				if errors.Is(context.Cause(ctx), errJoinTimeout) {
					return state.Because(state.Unable, "joining the factory", err, "is the parent up, and can this machine reach it? Try again: the token is still good unless its time is over")
				}
				return err
			}
			if err := c.show(result{
				value: certificateOf(got), names: []string{string(got.Name)},
				table: func(t *table) {
					t.add("node", string(got.Name))
					t.add("role", string(got.Role()))
					t.add("parent", string(got.ParentName))
					t.add("factory", string(got.Factory))
				},
			}); err != nil {
				return err
			}
			c.note("next: start it with 'pharos run%s'", c.dataFlag())
			return nil
		},
	})
}
