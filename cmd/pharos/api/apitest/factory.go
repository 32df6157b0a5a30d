// Package apitest is a factory in memory for tests of the front doors: it
// implements api.Operations with what the test puts into it, and follows no
// rule of its own. Change changes it and lets watchers know; Fail lets an
// operation fail; Calls tells what was asked.
package apitest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"pharos/state"
)

// Factory is the fake. Its exported fields are read under its lock: touch them
// before the first call, or inside Change.
type Factory struct {
	Self      state.SelfView
	Details   []state.NodeDetail // in tree order
	GroupList []state.GroupView
	Token     string
	Plans     []state.Plan
	AppList   []state.AppDetail
	Revisions []state.Revision
	Answer    state.Accepted // of Deploy and Order
	OnOrder   func(*Factory) // called within Deploy and Order, under the lock

	mu       sync.Mutex
	calls    []string
	failures map[string]error
	watchers map[chan struct{}]bool
}

// Change changes the factory, and ticks.
func (f *Factory) Change(change func(*Factory)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
	f.tick()
}

func (f *Factory) tick() {
	for w := range f.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Fail lets an operation ("Deploy") fail from now on. The errors of those that
// return none, and a nil error, are panics.
func (f *Factory) Fail(operation string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures == nil {
		f.failures = map[string]error{}
	}
	f.failures[operation] = err
}

// Calls gives all calls so far, "LabelNode press-7 map[a:b] [c]".
func (f *Factory) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Watchers is how many watch now.
func (f *Factory) Watchers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers)
}

// called locks, and gives the failure that is due. The caller unlocks; when it
// panics nobody has to.
func (f *Factory) called(operation string, args ...any) error {
	f.mu.Lock()
	call := operation
	for _, a := range args {
		call += fmt.Sprintf(" %v", a)
	}
	f.calls = append(f.calls, call)
	err, fails := f.failures[operation]
	if fails && err == nil {
		f.mu.Unlock()
		panic("apitest: " + operation + " was told to panic")
	}
	return err
}

func notFound(what string, name state.Name) error {
	return &state.Problem{
		Kind: state.NotFound, Doing: fmt.Sprintf("looking for the %s %q", what, name), Cause: "there is none", Fix: fmt.Sprintf("'pharos %s ls' shows all", what),
	}
}

// Status gives Self.
func (f *Factory) Status(context.Context) state.SelfView {
	_ = f.called("Status")
	defer f.mu.Unlock()
	return f.Self
}

// Nodes gives the views in Details.
func (f *Factory) Nodes(context.Context) []state.NodeView {
	_ = f.called("Nodes")
	defer f.mu.Unlock()
	var out []state.NodeView
	for _, d := range f.Details {
		out = append(out, d.NodeView)
	}
	return out
}

func (f *Factory) detail(name state.Name) (state.NodeDetail, error) {
	for _, d := range f.Details {
		if d.Name == name {
			return d, nil
		}
	}
	return state.NodeDetail{}, notFound("node", name)
}

// Node finds one of Details.
func (f *Factory) Node(_ context.Context, name state.Name) (state.NodeDetail, error) {
	err := f.called("Node", name)
	defer f.mu.Unlock()
	if err != nil {
		return state.NodeDetail{}, err
	}
	return f.detail(name)
}

// LabelNode answers with the node as it is in Details.
func (f *Factory) LabelNode(_ context.Context, name state.Name, set map[string]string, remove []string) (state.NodeView, error) {
	err := f.called("LabelNode", name, set, remove)
	defer f.mu.Unlock()
	if err != nil {
		return state.NodeView{}, err
	}
	d, err := f.detail(name)
	return d.NodeView, err
}

// RemoveNode does nothing.
func (f *Factory) RemoveNode(_ context.Context, name state.Name) error {
	err := f.called("RemoveNode", name)
	defer f.mu.Unlock()
	return err
}

// Groups gives GroupList.
func (f *Factory) Groups(context.Context) []state.GroupView {
	_ = f.called("Groups")
	defer f.mu.Unlock()
	return f.GroupList
}

func (f *Factory) group(name state.Name, err error) (state.GroupView, error) {
	defer f.mu.Unlock()
	if err != nil {
		return state.GroupView{}, err
	}
	for _, g := range f.GroupList {
		if g.Name == name {
			return g, nil
		}
	}
	return state.GroupView{}, notFound("group", name)
}

// Group finds one of GroupList.
func (f *Factory) Group(_ context.Context, name state.Name) (state.GroupView, error) {
	return f.group(name, f.called("Group", name))
}

// AddToGroup answers with the group as it is.
func (f *Factory) AddToGroup(_ context.Context, group state.Name, nodes []state.Name) (state.GroupView, error) {
	return f.group(group, f.called("AddToGroup", group, nodes))
}

// RemoveFromGroup answers with the group as it is.
func (f *Factory) RemoveFromGroup(_ context.Context, group state.Name, nodes []state.Name) (state.GroupView, error) {
	return f.group(group, f.called("RemoveFromGroup", group, nodes))
}

// CreateGroup does nothing.
func (f *Factory) CreateGroup(_ context.Context, name state.Name) error {
	err := f.called("CreateGroup", name)
	defer f.mu.Unlock()
	return err
}

// RemoveGroup does nothing.
func (f *Factory) RemoveGroup(_ context.Context, name state.Name) error {
	err := f.called("RemoveGroup", name)
	defer f.mu.Unlock()
	return err
}

// CreateToken gives Token.
func (f *Factory) CreateToken(_ context.Context, ask state.TokenRequest) (string, error) {
	err := f.called("CreateToken", ask.Name, ask.Parent, ask.Gateway, ask.Labels, ask.Life)
	defer f.mu.Unlock()
	return f.Token, err
}

// Plan gives Plans.
func (f *Factory) Plan(_ context.Context, ask state.DeployRequest) ([]state.Plan, error) {
	err := f.called("Plan", ask.App, ask.Selector.String())
	defer f.mu.Unlock()
	return f.Plans, err
}

// Deploy gives Answer.
func (f *Factory) Deploy(_ context.Context, ask state.DeployRequest) (state.Accepted, error) {
	return f.accept(f.called("Deploy", ask.App, ask.Selector.String()))
}

// Order gives Answer.
func (f *Factory) Order(_ context.Context, app state.Name, want state.Want) (state.Accepted, error) {
	err := f.called("Order", app, want)
	if err == nil && !slices.ContainsFunc(f.AppList, func(a state.AppDetail) bool { return a.Name == app }) {
		err = notFound("app", app)
	}
	return f.accept(err)
}

func (f *Factory) accept(err error) (state.Accepted, error) {
	defer f.mu.Unlock()
	if err == nil && f.OnOrder != nil {
		f.OnOrder(f)
		f.tick()
	}
	return f.Answer, err
}

// Apps gives the views in AppList.
func (f *Factory) Apps(context.Context) []state.AppView {
	_ = f.called("Apps")
	defer f.mu.Unlock()
	var out []state.AppView
	for _, a := range f.AppList {
		out = append(out, a.AppView)
	}
	return out
}

// App finds one of AppList.
func (f *Factory) App(_ context.Context, name state.Name) (state.AppDetail, error) {
	err := f.called("App", name)
	defer f.mu.Unlock()
	if err != nil {
		return state.AppDetail{}, err
	}
	for _, a := range f.AppList {
		if a.Name == name {
			return a, nil
		}
	}
	return state.AppDetail{}, notFound("app", name)
}

// History gives Revisions.
func (f *Factory) History(_ context.Context, name state.Name) ([]state.Revision, error) {
	err := f.called("History", name)
	defer f.mu.Unlock()
	return f.Revisions, err
}

// Watch ticks at every Change.
func (f *Factory) Watch(ctx context.Context) <-chan struct{} {
	w := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers == nil {
		f.watchers = map[chan struct{}]bool{}
	}
	f.watchers[w] = true
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, w)
		close(w)
	})
	return w
}
