package main

import (
	_ "embed"
	"fmt"

	"github.com/urfave/cli/v2"
)

var (
	//go:embed completion.bash
	bashCompletion string
	//go:embed completion.zsh
	zshCompletion string
)

func (p *program) completionCommand() *cli.Command {
	return p.command(spec{
		path: "completion", args: "bash|zsh", brief: "print the script that completes commands and flags",
		example: "source <(pharos completion bash)", least: 1, most: 1,
		do: func(c *call) error {
			scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion}
			script, ok := scripts[c.args[0]]
			if !ok {
				return misuse(fmt.Sprintf("there is no completion for %q", c.args[0]), "use bash or zsh")
			}
			_, err := fmt.Fprint(c.screen.out, script)
			return err
		},
	})
}
