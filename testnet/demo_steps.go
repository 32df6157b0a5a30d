package testnet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pharos/state"
)

// The cells that the demo's app runs on: those below line-1.
var demoCells = []state.Name{"press-1", "press-2"}

const services = 3 // of the sample

// Bounds after which a claim counts as not kept. What was measured is printed.
const (
	noticedWithin   = 10 * time.Second
	returnedWithin  = 20 * time.Second
	restartedWithin = 10 * time.Second
)

func (d *demo) build(ctx context.Context) (err error) {
	if d.real() {
		d.say("   The Docker Engine at %s serves all of them.\n", d.cfg.Factory.Engine)
	} else {
		d.say("   No Docker Engine answers: the nodes run the SIMULATED engine, which pretends containers.\n")
	}
	cfg := d.cfg.Factory
	cfg.Nodes = Tiers(1, 2, 4)
	cfg.Log = &indented{to: d.cfg.Out}
	began := time.Now()
	if d.f, err = Up(ctx, cfg); err != nil {
		return err
	}
	d.say("")
	if _, err := d.pharos(ctx, 0, "tree"); err != nil {
		return err
	}
	if err := d.files(); err != nil {
		return err
	}
	ready, why := d.f.AllReady(ctx)
	return d.claim(ready && why == nil, "seven nodes are Ready at the root, enrolled and started in %s", short(time.Since(began)))
}

func (d *demo) plan(ctx context.Context) error {
	d.say("%s", strings.TrimRight(indent("$ cat compose.yaml\n"+string(sample)), "\n"))
	d.say("")
	// With --dry-run, exit code 2 says that something would change.
	r, err := d.pharos(ctx, 2, "deploy", "-f", "compose.yaml", "--to", "tier:line-1", "--dry-run")
	if err != nil {
		return err
	}
	apps, err := d.f.Client(d.f.Root()).Apps(ctx)
	if err != nil {
		return err
	}
	return d.claim(len(apps) == 0 && named(r.Stdout, demoCells), "the plan names the two cells below line-1, and nothing was changed by asking")
}

func (d *demo) deploy(ctx context.Context) error {
	if _, err := d.pharos(ctx, 0, "deploy", "-f", "compose.yaml", "--to", "tier:line-1"); err != nil {
		return err
	}
	if err := d.runs(ctx, 1); err != nil {
		return err
	}
	d.say("")
	if _, err := d.pharos(ctx, 0, "tree"); err != nil {
		return err
	}
	if _, err := d.pharos(ctx, 0, "app", "ps", string(demoApp)); err != nil {
		return err
	}
	var err error
	if d.containers, err = d.seen(ctx); err != nil {
		return err
	}
	if err := d.claim(len(d.containers) == services*len(demoCells), "each of the two cells has its three containers, healthy"); err != nil {
		return err
	}
	if d.real() {
		if err := d.dockerKnows(ctx); err != nil {
			return err
		}
	}
	d.say("")
	r, err := d.pharos(ctx, 0, "deploy", "-f", "compose.yaml", "--to", "tier:line-1")
	if err != nil {
		return err
	}
	again, err := d.seen(ctx)
	if err != nil {
		return err
	}
	return d.claim(maps.Equal(again, d.containers) && r.Exit == 0, "the same file deployed again touches nothing")
}

// dockerKnows checks that Docker has what the root says.
func (d *demo) dockerKnows(ctx context.Context) error {
	var found int
	for _, cell := range demoCells {
		ids, err := d.f.Docker(ctx, "ps", "--quiet", "--no-trunc", "--filter", "label=com.docker.compose.project",
			"--filter", "label="+labelNode+"="+string(d.f.Node(cell).ID), "--filter", "label=pharos.app="+string(demoApp))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if slices.Contains(slices.Collect(maps.Values(d.containers)), id) {
				found++
			}
		}
	}
	return d.claim(found == len(d.containers), "docker ps shows the same %d containers, with Compose's labels on them", found)
}

func (d *demo) gatewayDies(ctx context.Context) error {
	line := d.f.Node("line-1")
	d.say("   $ kill -9 %d        # line-1's pharos", line.PID())
	if err := line.Kill(); err != nil {
		return err
	}
	took, err := Measure(ctx, "line-1 NotReady at the root", noticedWithin, d.f.Is("line-1", state.NotReady))
	if err != nil {
		return err
	}
	if _, err := d.pharos(ctx, 0, "tree"); err != nil {
		return err
	}
	if err := d.claim(true, "line-1 is NotReady at the root, %s after it died", short(took)); err != nil {
		return err
	}
	for _, cell := range demoCells {
		if err := Poll(ctx, fmt.Sprintf("%s Unknown", cell), noticedWithin, d.f.Is(cell, state.Unknown)); err != nil {
			return err
		}
	}
	if err := d.claim(true, "its cells are Unknown: nobody knows how they are, so nobody calls them dead"); err != nil {
		return err
	}
	if !d.real() {
		return nil
	}
	now, err := d.f.Inspect(ctx, slices.Collect(maps.Values(d.containers))...)
	if err != nil {
		return err
	}
	running := 0
	for _, c := range now {
		if c.State.Running {
			running++
		}
	}
	return d.claim(running == len(d.containers), "docker shows that their %d containers run on", running)
}

func (d *demo) updateMeanwhile(ctx context.Context) error {
	d.say("   update.yaml is compose.yaml with another GREETING of the service web.\n")
	// Exit code 4: some nodes are off, and the order waits for them.
	r, err := d.pharos(ctx, 4, "deploy", "-f", "update.yaml", "--to", "tier:line-1")
	if err != nil {
		return err
	}
	return d.claim(named(r.Stderr, demoCells) && strings.Contains(r.Stderr, "waits for"), "exit code 4: revision 2 is accepted, and waits for press-1 and press-2")
}

func (d *demo) gatewayReturns(ctx context.Context) error {
	before := d.containers
	d.say("   The same command as before starts line-1:\n")
	began := time.Now()
	if err := d.f.Node("line-1").Start(ctx); err != nil {
		return err
	}
	if err := Poll(ctx, "revision 2 on both cells", returnedWithin, d.f.Runs(demoApp, 2, demoCells...)); err != nil {
		return err
	}
	took := time.Since(began)
	if _, err := d.pharos(ctx, 0, "tree"); err != nil {
		return err
	}
	if _, err := d.pharos(ctx, 0, "app", "ps", string(demoApp)); err != nil {
		return err
	}
	if _, err := d.pharos(ctx, 0, "app", "history", string(demoApp)); err != nil {
		return err
	}
	if err := Poll(ctx, "all nodes Ready", returnedWithin, d.f.AllReady); err != nil {
		return err
	}
	if err := d.claim(true, "revision 2 runs on both cells and is healthy, %s after line-1 was started", short(took)); err != nil {
		return err
	}
	after, err := d.seen(ctx)
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for name, id := range after {
		if before[name] != id {
			changed[name] = true
		}
	}
	right := len(changed) == len(demoCells) && len(after) == len(before)
	for name := range changed {
		right = right && strings.Contains(name, "web")
	}
	return d.claim(right, "only the containers of web were replaced; the other %d never stopped", len(after)-len(changed))
}

// runs claims that the app runs in a revision on the demo's cells.
func (d *demo) runs(ctx context.Context, revision uint64) error {
	now, why := d.f.Runs(demoApp, revision, demoCells...)(ctx)
	if !now {
		return fmt.Errorf("revision %d does not run as the deploy said: %w", revision, why)
	}
	return nil
}

// seen gives the ID of each of the app's containers that is running and
// healthy, by name, as the root has it.
func (d *demo) seen(ctx context.Context) (map[string]string, error) {
	var on []state.AppNode
	if err := d.f.Pharos(ctx, d.f.Root(), "app", "ps", string(demoApp), "-o", "json").JSON(&on); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, n := range on {
		for _, c := range n.Services {
			if c.State == "running" && (c.Health == "" || c.Health == "healthy") {
				out[string(n.Node)+"/"+c.Name] = c.ID
			}
		}
	}
	return out, nil
}

// named says whether a text names all of them.
func named(text string, names []state.Name) bool {
	for _, n := range names {
		if !strings.Contains(text, string(n)) {
			return false
		}
	}
	return true
}

func short(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
