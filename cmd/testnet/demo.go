package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"pharos/testnet"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "tell the story of Pharos on a factory of seven nodes", UsageText: "testnet demo [--engine docker|simulated]",
		Description: "Each step shows commands with their output and checks what it claims. On a terminal the\n" +
			"factory stays up at the end until Ctrl-C; otherwise everything is taken down at once.",
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("'testnet demo' can do nothing with %q", c.Args().First())
			}
			cfg, err := config(c)
			if err != nil {
				return err
			}
			return testnet.Demo(c.Context, testnet.DemoConfig{Factory: cfg, Out: os.Stdout, Terminal: isTerminal(os.Stdout)})
		},
	}
}
