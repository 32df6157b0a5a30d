package testnet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pharos/state"
)

// DemoConfig says how to run the demo.
type DemoConfig struct {
	Factory  Config    // Nodes, Log are the demo's
	Out      io.Writer // the story goes there
	Terminal bool      // Out is os.Stdout, a terminal: the factory stays up at the end until ctx ends
}

// The sample app of the demo, and the update of it.
var (
	//go:embed demo/compose.yaml
	sample []byte
	//go:embed demo/update.yaml
	update []byte
)

// demoApp is what the sample calls itself.
const demoApp state.Name = "shop"

// demo is one run of the demo.
type demo struct {
	cfg  DemoConfig
	f    *Factory
	work string // folder with the Compose files; commands are run in it

	containers map[string]string // ID of each container, by node and name, before something happens
}

// Demo tells the story of Pharos in numbered steps, on a real factory on this
// machine, and checks each thing that it claims. It fails with the first claim
// that is not so. Everything is taken down again at the end.
func Demo(ctx context.Context, cfg DemoConfig) (err error) {
	d := &demo{cfg: cfg}
	began := time.Now()
	defer func() {
		if d.f == nil {
			return
		}
		if err != nil && ctx.Err() == nil {
			d.f.tellLogs()
		}
		d.say("\nTaking everything down: apps, processes, folders.")
		err = errors.Join(err, d.f.Close(ctx))
		if err == nil {
			d.say("Done: nothing of it is left on this machine%s.", map[bool]string{true: " but the image, for the next time"}[d.real()])
		}
	}()
	for i, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"A factory on this machine: one root, two gateways, four cells, a process each", d.build},
		{"A small image, made from scratch", d.image},
		{"The plan: what would a deploy to everything below line-1 do?", d.plan},
		{"The deploy: one order at the root, real containers in the cells", d.deploy},
		{"A container dies", d.containerDies},
		{"A gateway dies", d.gatewayDies},
		{"An update is ordered while the gateway is away", d.updateMeanwhile},
		{"The gateway comes back, and with it the update", d.gatewayReturns},
	} {
		d.say("\n%d. %s\n", i+1, step.title)
		err := step.do(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("interrupted in step %d, %q", i+1, step.title)
		case err != nil:
			return fmt.Errorf("step %d, %q: %w", i+1, step.title, err)
		}
	}
	d.say("\nAll of it in %s.", time.Since(began).Round(100*time.Millisecond))
	if cfg.Terminal {
		d.say("\nThe factory stays up until Ctrl-C. In another terminal:\n\n%s", indent(d.f.HowToTalk()))
		<-ctx.Done()
	}
	return nil
}

// say prints a line of the story.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.cfg.Out, format+"\n", args...)
}

// claim prints what was just seen to be so, or fails with it.
func (d *demo) claim(so bool, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if !so {
		d.say("   ✗ not so: %s", text)
		return fmt.Errorf("not so: %s", text)
	}
	d.say("   ✓ %s", text)
	return nil
}

// pharos runs a command at the root as the reader could, and fails when its
// exit code is another than expected.
func (d *demo) pharos(ctx context.Context, exit int, args ...string) (Result, error) {
	d.say("   $ pharos %s", strings.Join(args, " "))
	c := d.f.Command(d.f.Root(), args...)
	c.Dir = d.work
	c.Out = &indented{to: d.cfg.Out}
	if d.cfg.Terminal && args[0] == "deploy" && exit == 0 {
		c.Out = Terminal{os.Stdout} // for the progress that redraws itself
	}
	r := c.Run(ctx)
	if r.Exit != exit || r.Failed != nil {
		return r, fmt.Errorf("exit code %d was expected of it: %w", exit, errors.Join(r.Err(), unexpected(r.Exit)))
	}
	return r, nil
}

func unexpected(exit int) error {
	if exit == 0 {
		return errors.New("it exited 0")
	}
	return nil
}

// files lays the Compose files out where commands find them.
func (d *demo) files() error {
	d.work = filepath.Join(d.f.Dir(), "work")
	return errors.Join(
		os.Mkdir(d.work, 0o700),
		os.WriteFile(filepath.Join(d.work, "compose.yaml"), sample, 0o600),
		os.WriteFile(filepath.Join(d.work, "update.yaml"), update, 0o600),
	)
}

// real says whether the demo runs on a real engine.
func (d *demo) real() bool { return d.cfg.Factory.Engine != SimulatedEngine }

const margin = "   "

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(margin + line)
	}
	return b.String()
}

// indented moves whole lines to the right; what is written may end anywhere.
type indented struct {
	to      io.Writer
	midLine bool
}

func (i *indented) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if !i.midLine {
			line = margin + line
		}
		i.midLine = !strings.HasSuffix(line, "\n")
		if _, err := io.WriteString(i.to, line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
