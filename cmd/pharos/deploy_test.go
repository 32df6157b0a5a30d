package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"pharos/cmd/pharos/api/apitest"
	"pharos/state"
)

// bench is a factory of one app on nodes whose states a test plays.
func bench(nodes ...state.Name) *apitest.Factory {
	f := &apitest.Factory{Answer: state.Accepted{App: "shop", Revision: 2, Nodes: nodes}}
	for _, n := range nodes {
		f.Plans = append(f.Plans, state.Plan{Node: n, Actions: []state.Action{
			{Verb: state.Pull, What: "image", Name: "web:2", Cause: "not there"},
			{Verb: state.Replace, What: "container", Name: "shop-web-1", Cause: "its image changed"},
		}})
	}
	return f
}

// deployed is the app after the deploy, with these nodes.
func deployed(revision uint64, on ...state.AppNode) func(*apitest.Factory) {
	return func(f *apitest.Factory) {
		f.AppList = []state.AppDetail{{
			AppView: state.AppView{Name: "shop", Revision: revision, Want: state.Run, Selector: sel("tier:line-1"), Nodes: len(on)},
			Compose: "project of a.yaml", On: on,
		}}
	}
}

func on(node state.Name, s state.AppState, revision uint64) state.AppNode {
	return state.AppNode{
		Node: node, State: s, Revision: revision, Stamp: state.Stamp{Epoch: 1, Number: 2 * revision}, Readiness: state.Ready, Parent: "line-1", Done: s == state.AppReady && revision == 2,
		Services: []state.Container{{Service: "web", State: "running", Name: "shop-web-1"}},
	}
}

func failing(node state.Name, revision uint64) state.AppNode {
	n := on(node, state.AppFailed, revision)
	n.Services = []state.Container{{Service: "web", State: "exited", ExitCode: 3, Restarts: 2, Name: "shop-web-1"}}
	n.Reason, n.Logs = "web exited with 3", []string{"starting", "no such table"}
	return n
}

func off(node state.Name) state.AppNode {
	n := on(node, state.AppReady, 1)
	n.Readiness, n.Reason = state.NotReady, string(node)+" is NotReady: silent for 4 s"
	return n
}

const planOfTwo = `plan for shop: 2 of 2 nodes would change
  2 nodes (press-1, press-2):
    pull image web:2 (not there)
    replace container shop-web-1 (its image changed)
`

var deployIt = []string{"deploy", "-f", "a.yaml", "--to", "tier:line-1"}

func TestDeployConverges(t *testing.T) {
	f := bench("press-1", "press-2")
	d := newDesk(t, f)
	f.OnOrder = deployed(2, on("press-1", state.AppReady, 1), on("press-2", state.AppPulling, 2))
	d.onWrite = func(s string) {
		switch { // each step is played when the one before was seen
		case strings.Contains(s, "press-2: Pulling"):
			f.Change(deployed(2, on("press-1", state.AppReady, 2), on("press-2", state.AppStarting, 2)))
		case strings.Contains(s, "press-2: Starting"):
			f.Change(deployed(2, on("press-1", state.AppReady, 2), on("press-2", state.AppReady, 2)))
		}
	}
	d.want(0, "shop revision 2 is as wanted on 2 nodes (0s)\n", planOfTwo+`press-1: still Ready in revision 1
press-2: Pulling
press-1: Ready, as wanted
press-2: Starting
press-2: Ready, as wanted
`, deployIt...)
	if got := d.calls(); got[0] != "Plan shop tier:line-1" || got[1] != "App shop" || got[2] != "Deploy shop tier:line-1" {
		t.Errorf("asked %v", got)
	}
}

func TestDeployFails(t *testing.T) {
	f := bench("press-1", "press-2")
	d := newDesk(t, f)
	// A failure of the revision before is not this one's, and a node that
	// still pulls is waited for after another has failed.
	f.OnOrder = deployed(2, failing("press-1", 1), on("press-2", state.AppPulling, 2))
	d.onWrite = func(s string) {
		switch {
		case strings.Contains(s, "press-2: Pulling"):
			f.Change(deployed(2, failing("press-1", 2), on("press-2", state.AppStarting, 2)))
		case strings.Contains(s, "press-2: Starting"):
			f.Change(deployed(2, failing("press-1", 2), on("press-2", state.AppReady, 2)))
		}
	}
	d.want(2, "", planOfTwo+`press-1: still Failed in revision 1: web exited (web exited with 3)
press-2: Pulling
✗ press-1 Failed: web exited with 3
    web: container shop-web-1 exited with exit code 3, 2 restarts
    | starting
    | no such table
press-2: Starting
press-2: Ready, as wanted
pharos: shop revision 2 failed on 1 of 2 nodes: press-1; see 'pharos app ps shop'
`, deployIt...)
}

// A container that dies right after it was started was Ready for a moment.
func TestDeployThatCrashesIsNoSuccess(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	d.program.hold = time.Minute
	f.OnOrder = deployed(2, on("press-1", state.AppReady, 2))
	d.onWrite = func(s string) {
		switch {
		case strings.Contains(s, "as wanted"):
			n := on("press-1", state.AppDegraded, 2)
			n.Services[0].State = "exited"
			f.Change(deployed(2, n))
		case strings.Contains(s, "press-1: Degraded"):
			f.Change(deployed(2, failing("press-1", 2)))
		}
	}
	code, out, errs := d.run(deployIt...)
	if code != 2 || out != "" || !strings.Contains(errs, "press-1: Ready, as wanted\npress-1: Degraded: web exited\n✗ press-1 Failed") {
		t.Errorf("%d %q %s", code, out, errs)
	}
}

// Where a health check vouches for it, there is no waiting.
func TestHealthyIsEnough(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	d.program.hold = time.Hour
	n := on("press-1", state.AppReady, 2)
	n.Services[0].Health = "healthy"
	f.OnOrder = deployed(2, n)
	if code, _, errs := d.run(deployIt...); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

func TestDeployTimesOut(t *testing.T) {
	f := bench("press-1", "press-2")
	d := newDesk(t, f)
	f.OnOrder = deployed(2, on("press-1", state.AppReady, 2), on("press-2", state.AppPulling, 2))
	d.want(3, "", planOfTwo+`press-1: Ready, as wanted
press-2: Pulling
pharos: shop revision 2 is still going on after 400ms at press-2 (Pulling); it stands: follow it with 'pharos app ps shop'
`, append(deployIt, "--timeout=400ms")...)
}

// A wait that is over says why it was not done.
func TestDeployTimesOutWithTheReason(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	n := on("press-1", state.AppDegraded, 2)
	n.Reason = "container shop-web-1 is unhealthy: 503"
	f.OnOrder = deployed(2, n)
	d.want(3, "", "pharos: shop revision 2 is still going on after 400ms at press-1 (Degraded: container shop-web-1 is unhealthy: 503); it stands: follow it with 'pharos app ps shop'\n",
		append(deployIt, "--timeout=400ms", "--progress=quiet")...)
}

func TestNegativeTimeoutOrdersNothing(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	const text = "pharos: a --timeout of -3s is no time at all; give one like --timeout 5m, or 0 to wait for ever\n"
	d.want(1, "", text, append(deployIt, "--timeout=-3s")...)
	d.want(1, "", text, "app", "stop", "shop", "--timeout=-3s")
	if calls := d.calls(); len(calls) != 0 {
		t.Errorf("it asked %v", calls)
	}
}

func TestDeployPartly(t *testing.T) {
	f := bench("press-1", "press-2")
	d := newDesk(t, f)
	f.OnOrder = deployed(2, on("press-1", state.AppReady, 2), off("press-2"))
	d.want(4, "", planOfTwo+`press-1: Ready, as wanted
press-2: waits, NotReady: silent for 4 s
pharos: shop revision 2 is done on 1 of 2 nodes; it stands, and the rest get it when they are back
pharos: shop revision 2 waits for press-2: NotReady: silent for 4 s
`, deployIt...)
}

func TestDeployInterrupted(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	f.OnOrder = deployed(2, on("press-1", state.AppPulling, 2))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d.onWrite = func(s string) {
		if strings.Contains(s, "Pulling") {
			cancel()
		}
	}
	code, out, errs := d.runIn(ctx, deployIt...)
	if code != 130 || out != "" || !strings.HasSuffix(errs, "pharos: stopped waiting; shop revision 2 is accepted and stands; follow it with 'pharos app ps shop'\n") {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

func TestInterruptedBeforeTheOrder(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d.onWrite = func(string) { cancel() } // the plan is printed
	code, _, errs := d.runIn(ctx, deployIt...)
	if code != 130 || !strings.HasSuffix(errs, "pharos: interrupted; nothing was ordered\n") {
		t.Errorf("%d %q", code, errs)
	}
	if d.lastCall() != "App shop" {
		t.Errorf("ordered all the same: %v", d.calls())
	}
}

func TestDeployReplacedMeanwhile(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	f.OnOrder = deployed(3, on("press-1", state.AppPulling, 3))
	code, _, errs := d.run(append(deployIt, "--progress", "quiet")...)
	if code != 2 || errs != "pharos: shop revision 2 was replaced meanwhile: revision 3 is wanted now; see 'pharos app history shop'\n" {
		t.Errorf("%d %q", code, errs)
	}
}

func TestNothingToChangeMakesNoRevision(t *testing.T) {
	f := bench()
	f.Plans = []state.Plan{{Node: "press-1"}}
	deployed(2, on("press-1", state.AppReady, 2))(f)
	d := newDesk(t, f)
	d.want(0, "shop revision 2 is as wanted on 1 node (0s)\n", "nothing to change: shop revision 2 is this project on these nodes already\n", deployIt...)
	for _, c := range d.calls() {
		if strings.HasPrefix(c, "Deploy") {
			t.Error(c)
		}
	}
	// Another project, or another place, is a new revision though nothing changes.
	f.Change(func(f *apitest.Factory) { f.OnOrder = deployed(2, on("press-1", state.AppReady, 2)) })
	d.run("deploy", "-f", "b.yaml", "--to", "tier:line-1")
	d.run("deploy", "-f", "a.yaml", "--to", "all")
	deploys := 0
	for _, c := range d.calls() {
		if strings.HasPrefix(c, "Deploy") {
			deploys++
		}
	}
	if deploys != 2 {
		t.Errorf("%d deploys: %v", deploys, d.calls())
	}
}

func TestDryRun(t *testing.T) {
	f := bench("press-1", "press-2")
	f.Plans = append(f.Plans, state.Plan{Node: "press-3", Note: "NotReady since 11:58:00: planned from its last report"})
	d := newDesk(t, f)
	d.want(2, `plan for shop: 2 of 3 nodes would change
  2 nodes (press-1, press-2):
    pull image web:2 (not there)
    replace container shop-web-1 (its image changed)
  press-3 [NotReady since 11:58:00: planned from its last report]: no change
`, "", append(deployIt, "--dry-run")...)
	d.want(2, "press-1\npress-2\n", "", append(deployIt, "--dry-run", "-q")...)
	_, out, _ := d.run(append(deployIt, "--dry-run", "-o", "json")...)
	var plans []state.Plan
	if err := json.Unmarshal([]byte(out), &plans); err != nil || len(plans) != 3 || plans[2].Actions == nil {
		t.Errorf("%v %s", err, out)
	}
	f.Change(func(f *apitest.Factory) { f.Plans = []state.Plan{{Node: "press-1"}, {Node: "press-2"}} })
	d.want(0, "nothing would change: shop is as the file says on 2 nodes\n", "", append(deployIt, "--dry-run")...)
	if d.lastCall() != "Plan shop tier:line-1" {
		t.Errorf("a dry run asked for more: %v", d.calls())
	}
}

func TestPlansFoldOverTheNodesOwnNames(t *testing.T) {
	action := func(name string) []state.Action {
		return []state.Action{{Verb: state.Create, What: "container", Name: name, Cause: "it is missing"}}
	}
	got := planText([]state.Plan{
		{Node: "press-1", Actions: action("shop-press-1-web-1")},
		{Node: "press-2", Actions: action("shop-press-2-web-1")},
		{Node: "press-3", Actions: action("shop-web-1")},
		{Node: "press-4"},
	}, "shop")
	want := `plan for shop: 3 of 4 nodes would change
  2 nodes (press-1, press-2):
    create container shop-<node>-web-1 (it is missing)
  press-3:
    create container shop-web-1 (it is missing)
  press-4: no change
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDeployFormats(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	f.OnOrder = deployed(2, on("press-1", state.AppReady, 2))
	code, out, errs := d.run(append(deployIt, "-o", "json")...)
	var got outcome
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Outcome != "converged" || got.Revision != 2 || len(got.On) != 1 || errs != "press-1: Ready, as wanted\n" {
		t.Errorf("%d %v %s %s", code, err, out, errs)
	}
	d.want(0, "shop\n", "", append(deployIt, "-q")...)
	d.want(0, "", "", append(deployIt, "--progress=quiet")...)
	code, out, errs = d.run(append(deployIt, "--progress=json")...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var step change
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &step) != nil || step.Class != "done" || step.Node.Node != "press-1" ||
		json.Unmarshal([]byte(lines[1]), &got) != nil || got.Outcome != "converged" || errs != "" || code != 0 {
		t.Errorf("%d %s %s", code, out, errs)
	}
	d.want(0, "shop revision 2 is accepted for 1 node; see 'pharos app ps shop'\n", strings.Replace(strings.Replace(planOfTwo, "2 of 2 nodes", "1 of 1 node", 1), "2 nodes (press-1, press-2)", "press-1", 1),
		append(deployIt, "--detach")...)
}

func TestDeployOfBadInputOrdersNothing(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	load := d.program.rooms.load
	d.program.rooms.load = func(ctx context.Context, files []string, name string, in io.Reader) (project, error) {
		if files[0] == "bad.yaml" {
			return project{}, &state.Problem{Kind: state.Invalid, Doing: "reading bad.yaml:3", Cause: "no services\nat all", Fix: "add one"}
		}
		p, err := load(ctx, files, name, in)
		p.warnings = []string{"a.yaml:2: services.web.build: ignored"}
		return p, err
	}
	d.want(1, "", "pharos: reading bad.yaml:3: no services; at all; add one\n", "deploy", "-f", "bad.yaml", "--to", "all")
	d.want(1, "", "pharos: 'pharos deploy' needs -f FILE; usage: pharos deploy -f compose.yaml --to tier:line-1\n", "deploy", "--to", "all")
	d.want(1, "", "pharos: 'pharos deploy' needs --to SELECTOR; usage: pharos deploy -f compose.yaml --to tier:line-1\n", "deploy", "-f", "a.yaml")
	d.want(1, "", "pharos: \"loud\" is no way to show progress; use --progress auto, tty, plain, json or quiet\n", append(deployIt, "--progress", "loud")...)
	if calls := d.calls(); len(calls) > 0 {
		t.Errorf("asked all the same: %v", calls)
	}
	f.Fail("Plan", &state.Problem{Kind: state.NotFound, Doing: "deploying shop to tier:line-1", Cause: "there is no gateway line-1", Fix: "'pharos tree' shows all"})
	d.want(1, "", "pharos: warning: a.yaml:2: services.web.build: ignored\npharos: deploying shop to tier:line-1: there is no gateway line-1; 'pharos tree' shows all\n", deployIt...)
}
