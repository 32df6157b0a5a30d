package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

// spec is a command: what it takes, what it does, and what its help says.
type spec struct {
	path    string // "node inspect"
	brief   string
	args    string // "NAME"
	long    string // for the help, before the example
	example string // lines
	flags   []cli.Flag
	shows   bool // it has a result that -o can format
	least   int  // arguments
	most    int  // arguments; -1: any number
	do      func(*call) error
}

// call is one use of a command.
type call struct {
	*program
	*cli.Context
	ctx    context.Context // of this use; cli.Context is none itself
	args   []string
	format string // of -o
}

// command makes a urfave/cli command of a spec.
func (p *program) command(s spec) *cli.Command {
	usage := strings.TrimSpace("pharos "+s.path+" "+s.args) + " [flags]"
	long := s.long
	if s.example != "" {
		long += "\n\nExample:\n\n    " + strings.ReplaceAll(s.example, "\n", "\n    ")
	}
	flags := s.flags
	if s.shows {
		flags = append(flags, showFlags()...)
	}
	for _, f := range flags {
		if b, ok := f.(*cli.BoolFlag); ok && !b.Value {
			b.DisableDefaultText = true // "(default: false)" says nothing
		}
	}
	return &cli.Command{
		Name: s.path[strings.LastIndexByte(s.path, ' ')+1:], Usage: s.brief, UsageText: usage,
		Description: strings.TrimSpace(long), Flags: append(flags, commonFlags()...),
		HideHelpCommand: true, // or an argument "help" would be taken for it
		OnUsageError:    usageError,
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			switch {
			case len(args) < s.least:
				return misuse(fmt.Sprintf("'pharos %s' needs %s", s.path, s.args), "usage: "+usage)
			case s.most >= 0 && len(args) > s.most:
				return misuse(fmt.Sprintf("'pharos %s' can do nothing with %q", s.path, state.Clip(args[s.most], 80)), "usage: "+usage)
			}
			format := "table"
			if s.shows {
				var err error
				if format, err = formatOf(c); err != nil {
					return err
				}
			}
			return s.do(&call{program: p, Context: c, ctx: c.Context, args: args, format: format})
		},
	}
}

// family is a command that only has commands.
func family(name, brief, long string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name: name, Usage: brief, UsageText: "pharos " + name + " COMMAND [flags]", Description: long,
		Subcommands: commands, HideHelpCommand: true, OnUsageError: usageError,
	}
}

// commonFlags are those of every command. They are made anew for each: a flag
// of urfave/cli keeps what was read.
func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Category: "Common", EnvVars: []string{"PHAROS_DATA"}, DefaultText: defaultData(), Usage: "folder `DIR` of this machine's node"},
		&cli.StringFlag{
			Name: "host", Category: "Common", EnvVars: []string{"PHAROS_HOST"}, DefaultText: "unix://DIR/pharos.sock",
			Usage: "the daemon's `SOCKET`, unix://…",
		},
	}
}

func usageError(c *cli.Context, err error, _ bool) error {
	return misuse(err.Error(), fmt.Sprintf("see 'pharos %s --help'", strings.TrimPrefix(c.Command.HelpName, "pharos ")))
}

func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/pharos"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".pharos"
	}
	return filepath.Join(home, ".local", "share", "pharos")
}

// data is the data folder, absolute.
func (c *call) data() (string, error) {
	dir := c.String("data")
	if dir == "" {
		dir = defaultData()
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", state.Because(state.Unable, "finding the data folder", err, "name it in full with --data")
	}
	return abs, nil
}

// socket is the path of the daemon's socket.
func (c *call) socket() (string, error) {
	host := c.String("host")
	if host == os.Getenv("PHAROS_HOST") && c.String("data") != os.Getenv("PHAROS_DATA") {
		host = "" // a flag beats a variable: the folder that was named has its own socket
	}
	if host == "" {
		dir, err := c.data()
		if err != nil {
			return "", err
		}
		host = "unix://" + filepath.Join(dir, "pharos.sock")
	}
	return api.SocketPath(host)
}

// client is for the daemon that the flags name. Close it.
func (c *call) client() (*api.Client, error) {
	socket, err := c.socket()
	if err != nil {
		return nil, err
	}
	start := "pharos run"
	if dir, err := c.data(); err == nil && dir != defaultData() {
		start += " --data " + dir
	}
	return api.NewClient(api.ClientConfig{Socket: socket, Start: start}), nil
}

// asking gives a function that needs a client as a command's action.
func asking(do func(*call, *api.Client) error) func(*call) error {
	return func(c *call) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		defer client.Close()
		return do(c, client)
	}
}

// names reads arguments as names of things of one sort.
func names(what string, args []string) ([]state.Name, error) {
	var out []state.Name
	for _, a := range args {
		n, err := state.ParseName(what, a)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
