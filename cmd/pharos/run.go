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

	"pharos/cmd/pharos/api"
	"pharos/state"
)

const (
	defaultEngine = "unix:///var/run/docker.sock"
	stopWithin    = 8 * time.Second // for an orderly stop
)

func (p *program) runCommand() *cli.Command {
	return p.command(spec{
		path: "run", brief: "run this machine's node: root, gateway or cell",
		long: "What the node is, its certificate says ('pharos init' or 'pharos join' brought it). It\n" +
			"runs in the foreground, logs to stderr and prints one line when it is up. SIGINT and\n" +
			"SIGTERM stop it within seconds, a second one at once; containers go on running.\n\n" +
			"With --engine simulated no container runs: an engine in memory pretends, for trials.",
		example: "pharos run --listen /ip4/0.0.0.0/tcp/4777",
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "listen", Usage: "`MULTIADDR` to listen on (repeatable)", DefaultText: "the last ones, or port 4777"},
			&cli.StringFlag{Name: "engine", Value: defaultEngine, EnvVars: []string{"PHAROS_ENGINE"}, Usage: "the Docker Engine's `SOCKET`, or simulated"},
			&cli.BoolFlag{Name: "mdns", Value: true, Usage: "find the parent, and be found, on the local network"},
			&cli.StringFlag{Name: "log-level", Value: "info", EnvVars: []string{"PHAROS_LOG_LEVEL"}, Usage: "`LEVEL`: debug, info, warn or error"},
		},
		do: run,
	})
}

// opening is all that a node is opened with.
type opening struct {
	data   string
	listen []string
	mdns   bool
	engine string
	log    *slog.Logger
}

// node is what run needs of a running node, *tiers.Node.
type node interface {
	api.Operations
	Certificate() state.Certificate
	Addresses() []string
	Close() error
}

func run(c *call) error {
	how := opening{listen: c.StringSlice("listen"), mdns: c.Bool("mdns"), engine: c.String("engine")}
	if how.engine == "" {
		how.engine = defaultEngine
	}
	var err error
	if how.data, err = c.data(); err != nil {
		return err
	}
	socket, err := c.socket()
	if err != nil {
		return err
	}
	if err := checkEngine(how.engine); err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return misuse(fmt.Sprintf("%q is no log level", c.String("log-level")), "use --log-level debug, info, warn or error")
	}
	how.log = logTo(c.screen.err, level)

	n, err := c.rooms.open(c.ctx, how)
	if err != nil {
		return err
	}
	listener, err := api.Listen(socket)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	server := api.Serve(listener, n, how.log)
	c.say("pharos: %s is up: listening on %s, api at unix://%s", introduction(c.ctx, n), strings.Join(n.Addresses(), ", "), socket)
	<-c.ctx.Done()
	how.log.Info("stopping; containers go on running")
	return stop(how.log, func() error {
		server.Close() // first: its callers' watches are the node's
		return n.Close()
	})
}

// introduction is "gateway line-1 of factory plant-7 (…x3Fq9w)".
func introduction(ctx context.Context, n node) string {
	cert := n.Certificate()
	root := state.Name("")
	switch {
	case cert.Role() == state.RoleRoot:
		root = cert.Name
	case cert.Parent == cert.Factory:
		root = cert.ParentName
	default: // it may have heard of its own place already
		if self, err := n.Node(ctx, cert.Name); err == nil && len(self.Path) > 0 {
			root = self.Path[0]
		}
	}
	factory := cert.Factory.Short()
	if root != "" {
		factory = fmt.Sprintf("%s (%s)", root, factory)
	}
	return fmt.Sprintf("%s %s of factory %s", cert.Role(), cert.Name, factory)
}

// stop closes, and gives up on what does not stop in time: a daemon that hangs
// on its way out would keep its service manager waiting.
func stop(log *slog.Logger, closing func() error) error {
	done := make(chan error, 1)
	go func() { done <- closing() }()
	late := time.NewTimer(stopWithin)
	defer late.Stop()
	select {
	case err := <-done:
		if err != nil {
			log.Warn("not everything closed well", "error", err)
		}
		return nil
	case <-late.C:
		return &state.Problem{
			Kind: state.Unable, Doing: "stopping", Cause: fmt.Sprintf("something did not end within %s", stopWithin),
			Fix: "it is ended now; what was acknowledged is on disk",
		}
	}
}

// checkEngine refuses an --engine that can't be one.
func checkEngine(engine string) error {
	for _, scheme := range []string{"unix://", "tcp://", "npipe://"} {
		if rest, ok := strings.CutPrefix(engine, scheme); ok && rest != "" {
			return nil
		}
	}
	if engine == simulatedEngine {
		return nil
	}
	return misuse(fmt.Sprintf("--engine %q is no engine", state.Clip(engine, 100)), "give a Docker Engine's socket like "+defaultEngine+", or simulated")
}

const simulatedEngine = "simulated"

// logTo is a log for people and for journals.
func logTo(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// rooms is what the commands need of the rooms behind the API.
type rooms struct {
	initRoot func(data string, name state.Name) (state.Certificate, error)
	join     func(ctx context.Context, how joining) (state.Certificate, error)
	load     func(ctx context.Context, files []string, name string, stdin io.Reader) (project, error)
	open     func(ctx context.Context, how opening) (node, error)
}

// joining is what a machine enrols with.
type joining struct {
	data, token string
	mdns        bool
	log         *slog.Logger
}
