package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pharos/state"
)

// program is one run of the command line, with everything outside that it
// touches, so that tests run it whole.
type program struct {
	in     io.Reader
	screen screen
	now    func() time.Time
	rooms  rooms
	hold   time.Duration // how long a deploy must stay well to have succeeded
}

// exit is an error with an exit code of its own. Without err nothing is
// printed: what there was to say has been said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// The exit codes; scripts depend on them.
const (
	exitDone        = 0
	exitBad         = 1
	exitFailed      = 2
	exitGoingOn     = 3
	exitPartly      = 4
	exitInterrupted = 130
)

// run does what the arguments (without the program's name) say, and gives the
// exit code.
func (p *program) run(ctx context.Context, args []string) int {
	app := p.app()
	arranged, err := arrange(app.Commands, args)
	if err == nil {
		err = app.RunContext(ctx, append([]string{"pharos"}, arranged...))
	}
	if err == nil {
		return exitDone
	}
	code := exitBad
	var e exit
	if errors.As(err, &e) {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	if errors.Is(err, context.Canceled) {
		p.note("pharos: interrupted")
		return exitInterrupted
	}
	p.note("pharos: %s", oneLine(err.Error()))
	return code
}

// app is the whole tree of commands.
func (p *program) app() *cli.App {
	return &cli.App{
		Name: "pharos", HelpName: "pharos", Version: version(),
		Usage:     "runs Docker Compose apps on every device of a factory, from one place",
		UsageText: "pharos COMMAND [flags]",
		Description: "A new factory begins with 'pharos init --name plant-7' and 'pharos run'; each further\n" +
			"machine joins with a token from 'pharos token create'. Then:\n\n" +
			"    pharos deploy -f compose.yaml --to tier:line-1\n" +
			"    pharos tree\n\n" +
			"'pharos COMMAND --help' explains a command.",
		Commands: []*cli.Command{
			p.initCommand(), p.runCommand(), p.joinCommand(), p.tokenCommand(),
			p.nodeCommand(), p.groupCommand(), p.treeCommand(),
			p.deployCommand(), p.appCommand(), p.statusCommand(), p.completionCommand(),
		},
		Flags:                     commonFlags(),
		Reader:                    p.in,
		Writer:                    p.screen.out,
		ErrWriter:                 p.screen.err,
		EnableBashCompletion:      true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // run prints, and chooses the code
	}
}

// say prints a line of the result.
func (p *program) say(format string, args ...any) { fmt.Fprintf(p.screen.out, format+"\n", args...) }

// note prints a line beside the result: progress, warnings, hints.
func (p *program) note(format string, args ...any) { fmt.Fprintf(p.screen.err, format+"\n", args...) }

// misuse is the problem of a command line that can't be understood.
func misuse(cause, fix string) error {
	return &state.Problem{Kind: state.Invalid, Cause: cause, Fix: fix}
}

// oneLine makes one printable line of a message.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(clean(line)); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
