// Testnet runs factories on this machine, for demos, tests and
// measurements; package testnet does the work. It is no part of the product,
// which stays small because of it.
//
// Exit codes: 0 done; 1 it failed, and what was started is taken down again.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"pharos/testnet"
)

func main() {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, release) // so that a second signal ends it at once
	app := &cli.App{
		Name: "testnet", Usage: "run factories on this machine, to try Pharos on", HideHelpCommand: true,
		Commands: []*cli.Command{demoCommand(), upCommand()},
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "testnet:", err)
		os.Exit(1)
	}
}

// commonFlags are those of every command that builds a factory.
func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "engine", Usage: "`ENGINE` of the nodes: docker, unix://…, or simulated", DefaultText: "docker if one answers"},
		&cli.StringFlag{Name: "pharos", Usage: "the pharos `PROGRAM`", DefaultText: "the one beside this, or built from the module"},
		&cli.StringFlag{Name: "dir", Usage: "a new `FOLDER` for the factory, removed at the end", DefaultText: "a temporary one"},
	}
}

// config reads the common flags.
func config(c *cli.Context) (testnet.Config, error) {
	cfg := testnet.Config{Binary: c.String("pharos"), Dir: c.String("dir"), Log: os.Stderr}
	if cfg.Binary == "" {
		cfg.Binary = testnet.Beside()
	}
	switch engine := c.String("engine"); engine {
	case "":
		cfg.Engine = cmp.Or(os.Getenv("DOCKER_HOST"), testnet.DockerEngine)
		if err := testnet.EngineAnswers(c.Context, cfg.Engine); err != nil {
			fmt.Fprintf(os.Stderr, "!!! %v\n!!! so the nodes run with the SIMULATED engine: what looks like containers is pretended\n", err)
			cfg.Engine = testnet.SimulatedEngine
		}
	case "docker":
		cfg.Engine = testnet.DockerEngine
		return cfg, testnet.EngineAnswers(c.Context, cfg.Engine)
	case testnet.SimulatedEngine:
		cfg.Engine = testnet.SimulatedEngine
	default:
		cfg.Engine = engine
		return cfg, testnet.EngineAnswers(c.Context, engine)
	}
	return cfg, nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
