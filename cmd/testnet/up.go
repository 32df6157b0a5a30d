package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"pharos/testnet"
)

func upCommand() *cli.Command {
	return &cli.Command{
		Name: "up", Usage: "keep a factory running until Ctrl-C", UsageText: "testnet up --tiers 1,2,4 [--engine docker|simulated]",
		Description: "Each node is a process of its own, on loopback. Ctrl-C takes everything down again:\n" +
			"apps, processes, what is left on the engine, and the folder.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "tiers", Value: "1,2,4", Usage: "how many nodes in each `ROW`: one root, then gateways, last cells"},
		}, commonFlags()...),
		Action: up,
	}
}

func up(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("'testnet up' can do nothing with %q", c.Args().First())
	}
	cfg, err := config(c)
	if err != nil {
		return err
	}
	if cfg.Nodes, err = testnet.ParseTiers(c.String("tiers")); err != nil {
		return err
	}
	began := time.Now()
	f, err := testnet.Up(c.Context, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d nodes are Ready after %s\n", len(cfg.Nodes), time.Since(began).Round(100*time.Millisecond))
	fmt.Fprint(os.Stdout, f.HowToTalk())
	fmt.Fprintln(os.Stderr, "Ctrl-C ends it")
	<-c.Context.Done()
	fmt.Fprintln(os.Stderr, "taking everything down")
	return f.Close(c.Context)
}
