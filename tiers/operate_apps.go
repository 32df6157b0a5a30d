package tiers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pharos/state"
)

// target is a node that an app order means: one that the selector names, or
// one that has the app and is to lose it.
type target struct {
	member state.Member
	status state.NodeStatus
	want   state.Want
}

// targets gives, by name, the nodes an order of the app would mean. Once an app
// is to be gone those count that still have it, or have not heard of it yet.
func (n *Node) targets(app state.Name, selector state.Selector, want state.Want) []target {
	members := n.members()
	newest := state.Stamp{}
	if o, found := n.ledger.Newest(app); found {
		newest = o.Stamp
	}
	var out []target
	for i, st := range n.picture.views(members) {
		t := target{member: members[i], status: st, want: want}
		_, has := st.Report.App(app)
		switch {
		case selector.Names(t.member) && (want != state.Gone || has || st.Report.Head.Before(newest)):
		case has:
			t.want = state.Gone
		default:
			continue
		}
		out = append(out, t)
	}
	return out
}

// check refuses a deploy that makes no sense in this factory.
func (n *Node) check(r state.DeployRequest) error {
	doing := fmt.Sprintf("deploying %s to %s", state.Clip(string(r.App), state.MaxName), state.Clip(r.Selector.String(), 200))
	if err := n.commands(doing); err != nil {
		return err
	}
	if _, err := state.ParseName("app", string(r.App)); err != nil {
		return err
	}
	if len(r.Compose) == 0 || len(r.Compose) > state.MaxCompose {
		return &state.Problem{
			Kind: state.Invalid, Doing: doing, Cause: fmt.Sprintf("the Compose project has %d bytes", len(r.Compose)),
			Fix: fmt.Sprintf("give a project of 1 to %d bytes", state.MaxCompose),
		}
	}
	if err := n.checkSelector(doing, r.Selector); err != nil {
		return err
	}
	_, err := n.cfg.Plan(r.Compose, r.App, state.Run, nil)
	return err
}

func (n *Node) checkSelector(doing string, s state.Selector) error {
	missing := func(what string, name state.Name, fix string) error {
		return &state.Problem{Kind: state.NotFound, Doing: doing, Cause: fmt.Sprintf("there is no %s %s", what, name), Fix: fix}
	}
	groups, err := n.store.Groups()
	if err != nil {
		return err
	}
	for _, t := range s.Terms {
		m, known := n.memberNamed(t.Name)
		switch {
		case t.By == state.ByNode && !known:
			return missing("node", t.Name, n.suggest(t.Name, "pharos node ls"))
		case t.By == state.ByTier && !known:
			return missing("gateway", t.Name, n.suggest(t.Name, "pharos tree"))
		case t.By == state.ByTier && m.Role() == state.RoleCell:
			return &state.Problem{Kind: state.Invalid, Doing: doing, Cause: fmt.Sprintf("%s is a cell: nothing is below it", t.Name), Fix: fmt.Sprintf("name the cell itself: --to %s", t.Name)}
		case t.By == state.ByGroup && !slices.Contains(groups, t.Name):
			return missing("group", t.Name, "'pharos group ls' shows all")
		}
	}
	if len(n.ledger.Named(s)) == 0 {
		return &state.Problem{Kind: state.NotFound, Doing: doing, Cause: "the selector names nobody", Fix: "'pharos node ls' shows the nodes with their groups and labels"}
	}
	return nil
}

// Plan says what a deploy would change on each node, from the nodes' last
// reports. It changes nothing.
func (n *Node) Plan(_ context.Context, r state.DeployRequest) ([]state.Plan, error) {
	if err := n.check(r); err != nil {
		return nil, err
	}
	out := []state.Plan{}
	for _, t := range n.targets(r.App, r.Selector, state.Run) {
		var reported *state.AppReport
		if a, has := t.status.Report.App(r.App); has {
			reported = &a
		}
		plan, err := n.cfg.Plan(r.Compose, r.App, t.want, reported)
		if err != nil {
			return nil, err
		}
		plan.Node = t.member.Name
		if t.status.Readiness != state.Ready {
			plan.Note = fmt.Sprintf("%s since %s: planned from its last report; the order waits for it", t.status.Readiness, t.status.Since.Format(time.TimeOnly))
		}
		out = append(out, plan)
	}
	return out, nil
}

// Deploy gives the app its next revision and sends it on its way. When it
// returns without an error the order is on disk and can't be lost.
func (n *Node) Deploy(_ context.Context, r state.DeployRequest) (state.Accepted, error) {
	if err := n.check(r); err != nil {
		return state.Accepted{}, err
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	history, err := n.store.History(r.App)
	if err != nil {
		return state.Accepted{}, err
	}
	revision := uint64(1)
	if len(history) > 0 {
		revision = history[len(history)-1].Revision + 1
	}
	return n.order(state.AppOrder{App: r.App, Revision: revision, Want: state.Run, Selector: r.Selector, Compose: r.Compose},
		&state.Deployed{Revision: revision, Selector: r.Selector, At: time.Now(), Compose: r.Compose})
}

// Order wants something else of an app in its present revision: run it (again),
// stop it, or have it gone.
func (n *Node) Order(_ context.Context, app state.Name, want state.Want) (state.Accepted, error) {
	doing := map[state.Want]string{state.Run: "starting", state.Stopped: "stopping", state.Gone: "removing"}[want]
	if doing == "" {
		return state.Accepted{}, &state.Problem{Kind: state.Invalid, Doing: fmt.Sprintf("ordering %q of an app", state.Clip(string(want), 20)), Cause: "that can't be wanted", Fix: "want run, stopped or gone"}
	}
	if err := n.commands(fmt.Sprintf("%s the app %s", doing, app)); err != nil {
		return state.Accepted{}, err
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	o, err := n.app(app)
	if err != nil {
		return state.Accepted{}, err
	}
	next := *o.App
	if next.Want == want {
		return state.Accepted{App: app, Revision: next.Revision, Stamp: o.Stamp, Nodes: n.meant(o)}, nil
	}
	switch state.Gone {
	case next.Want:
		return state.Accepted{}, &state.Problem{
			Kind: state.Refused, Doing: fmt.Sprintf("%s the app %s", doing, app),
			Cause: "it is being removed, and its project is gone already", Fix: "deploy it again: pharos deploy",
		}
	case want:
		next.Compose = nil
	}
	next.Want = want
	return n.order(next, nil)
}

func (n *Node) order(a state.AppOrder, history *state.Deployed) (state.Accepted, error) {
	j, err := n.issue(func(o *state.Order) { o.App = &a }, history)
	if err != nil {
		return state.Accepted{}, err
	}
	return state.Accepted{App: a.App, Revision: a.Revision, Stamp: j.Order.Stamp, Nodes: n.meant(j.Order)}, nil
}

func (n *Node) meant(o state.Order) []state.Name {
	out := []state.Name{}
	for _, t := range n.targets(o.App.App, o.App.Selector, o.App.Want) {
		out = append(out, t.member.Name)
	}
	return out
}

// app is the newest order of an app that is not gone, project included.
func (n *Node) app(name state.Name) (state.Order, error) {
	o, found, err := n.ledger.App(name)
	if err != nil {
		return o, err
	}
	if !found || o.App.Want == state.Gone && len(n.on(o)) == 0 {
		return o, &state.Problem{
			Kind: state.NotFound, Doing: fmt.Sprintf("looking for the app %q", state.Clip(string(name), state.MaxName)),
			Cause: fmt.Sprintf("%s knows no app of that name", n.cert.Name), Fix: "'pharos app ls' shows all",
		}
	}
	return o, nil
}

// on gives the app on each node that its newest order means, by node.
func (n *Node) on(o state.Order) []state.AppNode {
	out := []state.AppNode{}
	for _, t := range n.targets(o.App.App, o.App.Selector, o.App.Want) {
		r, has := t.status.Report.App(o.App.App)
		a := state.AppNode{
			Node: t.member.Name, Parent: t.member.ParentName(), Readiness: t.status.Readiness,
			State: r.State, Revision: r.Revision, Stamp: r.Stamp, Services: r.Containers, Reason: r.Reason, Logs: r.Logs,
		}
		if !has {
			a.State = state.AppPending
		}
		if a.Services == nil {
			a.Services = []state.Container{}
		}
		if t.status.Readiness != state.Ready {
			a.Reason = fmt.Sprintf("%s is %s: %s", t.member.Name, t.status.Readiness, t.status.Reason)
		}
		reached := has && !r.Stamp.Before(o.Stamp) && t.status.Readiness == state.Ready
		switch t.want {
		case state.Run:
			a.Done = reached && r.State == state.AppReady
		case state.Stopped:
			a.Done = reached && r.State == state.AppStopped
		}
		out = append(out, a)
	}
	return out
}

func (n *Node) appView(o state.Order, on []state.AppNode) state.AppView {
	v := state.AppView{
		Name: o.App.App, Revision: o.App.Revision, Want: o.App.Want, Selector: o.App.Selector,
		Nodes: len(on), States: map[state.AppState]int{}, Deployed: o.Issued,
	}
	for _, a := range on {
		v.States[a.State]++
		if a.Done {
			v.Ready++
		}
	}
	return v
}

// Apps gives all apps, by name. One that is to be gone is shown until the last
// node has nothing left of it.
func (n *Node) Apps(context.Context) []state.AppView {
	out := []state.AppView{}
	for _, o := range n.ledger.Apps() {
		on := n.on(o)
		if o.App.Want != state.Gone || len(on) > 0 {
			out = append(out, n.appView(o, on))
		}
	}
	return out
}

// App gives one app with each node it is on.
func (n *Node) App(_ context.Context, name state.Name) (state.AppDetail, error) {
	o, err := n.app(name)
	if err != nil {
		return state.AppDetail{}, err
	}
	on := n.on(o)
	return state.AppDetail{AppView: n.appView(o, on), Compose: string(o.App.Compose), On: on}, nil
}

// History gives the deploys of an app, newest first. It remembers apps that
// are gone.
func (n *Node) History(_ context.Context, name state.Name) ([]state.Revision, error) {
	if err := n.commands(fmt.Sprintf("reading the history of %s", name)); err != nil {
		return nil, err
	}
	all, err := n.store.History(name)
	if err != nil {
		return nil, err
	}
	o, found, err := n.ledger.App(name)
	if err != nil {
		return nil, err
	}
	if !found {
		_, err := n.app(name)
		return nil, err
	}
	out := []state.Revision{}
	for _, d := range slices.Backward(all) {
		out = append(out, state.Revision{
			Revision: d.Revision, Selector: d.Selector, Deployed: d.At, Compose: string(d.Compose),
			Current: o.App.Want != state.Gone && o.App.Revision == d.Revision, Images: n.cfg.Images(d.Compose),
		})
	}
	return out, nil
}
