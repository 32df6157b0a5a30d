package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pharos/cmd/pharos/api/apitest"
	"pharos/state"
)

func TestOrdersWait(t *testing.T) {
	f := bench("press-1", "press-2")
	d := newDesk(t, f)
	stopped := func(node state.Name) state.AppNode {
		n := on(node, state.AppStopped, 2)
		n.Done = true
		return n
	}
	wants := func(want state.Want, on ...state.AppNode) func(*apitest.Factory) {
		return func(f *apitest.Factory) {
			deployed(2, on...)(f)
			f.AppList[0].Want = want
		}
	}
	// What failed before the order, and may go on dying until the order comes,
	// is not the order's failure.
	dying := failing("press-1", 2)
	dying.Services[0].Restarts = 1
	deployed(2, dying, on("press-2", state.AppReady, 2))(f)
	f.Answer.Stamp = state.Stamp{Epoch: 1, Number: 5}
	f.OnOrder = wants(state.Stopped, failing("press-1", 2), stopped("press-2"))
	d.onWrite = func(s string) {
		if strings.Contains(s, "press-2: Stopped") {
			f.Change(wants(state.Stopped, stopped("press-1"), stopped("press-2")))
		}
	}
	d.want(0, "shop is stopped on 2 nodes (0s)\n", "press-1: still Failed in revision 2: web exited (web exited with 3)\npress-2: Stopped, as wanted\npress-1: Stopped, as wanted\n", "app", "stop", "shop")
	if got := d.calls()[0]; got != "Order shop stopped" {
		t.Error(got)
	}

	// The anchor forgets an app that is gone everywhere.
	d.onWrite = func(s string) {
		if strings.Contains(s, "press-1: Removing") {
			f.Change(func(f *apitest.Factory) { f.AppList = nil })
		}
	}
	f.Change(func(f *apitest.Factory) { f.OnOrder = wants(state.Gone, on("press-1", state.AppRemoving, 2)) })
	d.want(0, "shop is removed from 2 nodes (0s)\n", "press-1: Removing\npress-2: Gone, as wanted\npress-1: Gone, as wanted\n", "app", "rm", "shop")

	// Those it has forgotten stay in their tier to the end.
	f.Change(func(f *apitest.Factory) {
		wants(state.Run, on("press-1", state.AppReady, 2))(f)
		f.OnOrder = wants(state.Gone, on("press-1", state.AppRemoving, 2))
	})
	if code, out, errs := d.run("app", "rm", "shop", "-o", "json"); code != 0 || !strings.Contains(out, `"parent": "line-1"`) {
		t.Errorf("%d %s %s", code, out, errs)
	}

	// What fails at the order itself is.
	again := failing("press-1", 2)
	again.Stamp = state.Stamp{Epoch: 1, Number: 5}
	d.onWrite = func(s string) {
		if strings.Contains(s, "press-1: Starting") {
			f.Change(wants(state.Run, again))
		}
	}
	f.Change(func(f *apitest.Factory) {
		wants(state.Stopped, failing("press-1", 2))(f)
		f.OnOrder = wants(state.Run, on("press-1", state.AppStarting, 2))
		f.Answer.Nodes = []state.Name{"press-1"}
	})
	d.want(2, "", `press-1: Starting
✗ press-1 Failed: web exited with 3
    web: container shop-web-1 exited with exit code 3, 2 restarts
    | starting
    | no such table
pharos: shop revision 2 failed on 1 of 1 node: press-1; see 'pharos app ps shop'
`, "app", "start", "shop")

	d.onWrite = nil
	f.Change(func(f *apitest.Factory) { f.AppList = nil })
	d.want(1, "", "pharos: looking for the app \"shop\": there is none; 'pharos app ls' shows all\n", "app", "start", "shop")
	f.Change(func(f *apitest.Factory) {
		deployed(2, off("press-1"))(f)
		f.OnOrder = deployed(2, off("press-1"))
	})
	code, _, errs := d.run("app", "start", "shop")
	if code != 4 || !strings.Contains(errs, "waits for press-1: NotReady: silent for 4 s") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestDaemonGoesWhileWaiting(t *testing.T) {
	f := bench("press-1")
	d := newDesk(t, f)
	f.OnOrder = deployed(2, on("press-1", state.AppPulling, 2))
	d.onWrite = func(s string) {
		if strings.Contains(s, "Pulling") {
			f.Fail("App", errors.New("disk on fire"))
			f.Change(func(*apitest.Factory) {})
		}
	}
	code, _, errs := d.run(deployIt...)
	if code != 3 || !strings.Contains(errs, "waiting for shop revision 2, which is accepted and stands: ") || !strings.Contains(errs, "disk on fire") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestTerminalProgress(t *testing.T) {
	d := newDesk(t, nil)
	p := &ttyProgress{screen: screen{err: &d.err, size: func() (int, int) { return 100, 24 }}}
	lost := off("press-4")
	lost.Parent = "line-2"
	first := goal{revision: 2, want: state.Run}.look(state.AppDetail{AppView: state.AppView{Revision: 2, Want: state.Run}, On: []state.AppNode{
		on("press-1", state.AppReady, 2), on("press-2", state.AppPulling, 2), on("press-3", state.AppStarting, 2), lost,
	}})
	p.show(first)
	want := `line-1  ━━━╌╌╌╌╌╌╌ 1/3  1 Pulling, 1 Starting
line-2  ╌╌╌╌╌╌╌╌╌╌ 0/1  1 off (press-4)
`
	if got := d.err.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p.show(goal{revision: 2, want: state.Run}.look(state.AppDetail{AppView: state.AppView{Revision: 2, Want: state.Run}, On: []state.AppNode{
		on("press-1", state.AppReady, 2), failing("press-2", 2), on("press-3", state.AppReady, 2),
	}}))
	want = "\x1b[2A\x1b[J" + `line-1  ━━━━━━╌╌╌╌ 2/3  1 Failed
  ✗ press-2 Failed: web exited with 3
      web: container shop-web-1 exited with exit code 3, 2 restarts
      | starting
      | no such table
`
	if got := d.err.take(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	// No more lines than the terminal has: what scrolled away can't be redrawn.
	p.screen.size = func() (int, int) { return 20, 4 }
	p.show(first)
	p.show(goal{revision: 2, want: state.Run}.look(state.AppDetail{AppView: state.AppView{Revision: 2, Want: state.Run}, On: []state.AppNode{failing("press-2", 2)}}))
	got := d.err.take()
	if !strings.HasSuffix(got, "\x1b[2A\x1b[Jline-1  ╌╌╌╌╌╌╌╌╌╌…\n  ✗ press-2 Failed…\n… and 3 lines more\n") {
		t.Errorf("got %q", got)
	}
}

func TestManyNodes(t *testing.T) {
	var names []state.Name
	for i := range 12 {
		names = append(names, state.Name(fmt.Sprintf("n%d", i)))
	}
	if got := list(names, 10); got != "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more" {
		t.Error(got)
	}
	if got := list(names[:11], 10); !strings.HasSuffix(got, "n9, n10") {
		t.Error(got)
	}
}
