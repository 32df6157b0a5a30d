package testnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"pharos/state"
)

// Result is what became of one use of the command line.
type Result struct {
	Args   []string
	Stdout string
	Stderr string
	Exit   int
	Took   time.Duration
	Failed error // it could not be run to its end
}

// Err is nil when the command exited 0.
func (r Result) Err() error {
	switch {
	case r.Failed != nil:
		return fmt.Errorf("pharos %s: %w", strings.Join(r.Args, " "), r.Failed)
	case r.Exit != 0:
		return fmt.Errorf("pharos %s: exit code %d: %s", strings.Join(r.Args, " "), r.Exit, strings.TrimSpace(r.Stderr))
	}
	return nil
}

// Line is the only line of stdout.
func (r Result) Line() string { return strings.TrimSpace(r.Stdout) }

// JSON reads stdout, when the command exited 0.
func (r Result) JSON(into any) error {
	if err := r.Err(); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(r.Stdout), into); err != nil {
		return fmt.Errorf("pharos %s: reading its result: %w: %s", strings.Join(r.Args, " "), err, r.Stdout)
	}
	return nil
}

// Command is one use of the command line that is to be run.
type Command struct {
	Binary string
	Args   []string
	Env    []string  // all of it
	Dir    string    // to run in; empty: ours
	Stdin  io.Reader // empty when nil
	Out    io.Writer // gets a copy of all output as it comes; nil: nobody
}

// Terminal is an Out that is given to the program itself, so that it knows it
// is on one. The Result has no output then.
type Terminal struct{ *os.File }

// Command prepares a command of the product against a node, as an operator
// would run it on that machine.
func (f *Factory) Command(node state.Name, args ...string) Command {
	return f.command(f.Node(node), args...)
}

func (f *Factory) command(n *Node, args ...string) Command {
	return Command{Binary: f.cfg.Binary, Args: args, Env: append(CleanEnv(), "PHAROS_DATA="+n.Data)}
}

// Pharos prepares a command and runs it.
func (f *Factory) Pharos(ctx context.Context, node state.Name, args ...string) Result {
	return f.Command(node, args...).Run(ctx)
}

// Run runs the command to its end, or ends it with ctx.
func (c Command) Run(ctx context.Context) Result {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.Binary, c.Args...)
	cmd.Env, cmd.Dir, cmd.Stdin = c.Env, c.Dir, c.Stdin
	switch terminal, is := c.Out.(Terminal); {
	case is:
		cmd.Stdout, cmd.Stderr = terminal.File, terminal.File
	case c.Out != nil:
		both := &turns{to: c.Out} // the two are copied at the same time
		cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, both), io.MultiWriter(&stderr, both)
	default:
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
	}
	cmd.SysProcAttr = attached()
	// Asked to stop, and made to after a while.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	r := Result{Args: c.Args}
	began := time.Now()
	err := startAttached(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	r.Took, r.Stdout, r.Stderr = time.Since(began), stdout.String(), stderr.String()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.Exit, r.Failed = -1, context.Cause(ctx)
	case errors.As(err, &exit) && exit.Exited():
		r.Exit = exit.ExitCode()
	case err != nil:
		r.Exit, r.Failed = -1, err
	}
	return r
}

// turns lets one write at a time through.
type turns struct {
	mu sync.Mutex
	to io.Writer
}

func (t *turns) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.to.Write(b)
}

// CleanEnv is our environment without what would lead pharos elsewhere.
func CleanEnv() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PHAROS_") {
			out = append(out, kv)
		}
	}
	return out
}
