// Package simulation builds whole factories in one process: the product's own
// nodes, sessions, ledgers and stores over a simulated network, with apps that
// are pretended (Apps) or any runtime that is given. Inside a testing/synctest
// bubble its clock is the bubble's, so that bounds of time can be asserted.
//
// Use: New, then Root, Gateway and Cell by name; cut links on Net; Stop and
// Start nodes, which keep their stores over it; Close at the end. What goes
// wrong in building fails the test at once.
//
// It refuses to be anything but a test's: it takes a testing.TB.
package simulation

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"pharos/state"
	"pharos/testnet/network"
	"pharos/tiers"
)

// Factory is one simulated factory.
type Factory struct {
	Net   *network.Network
	Log   *slog.Logger
	tb    testing.TB
	nodes map[state.Name]*Node
	order []*Node // as they were made; ended in reverse
	began time.Time
}

// Node is one simulated machine. Its store outlives Stop, as a disk does.
type Node struct {
	*tiers.Node // nil while it is stopped
	Name        state.Name
	Key         crypto.PrivKey
	Store       *state.Store
	Pretended   *Apps
	f           *Factory
}

// New makes a factory with its root anchor running. With PHAROS_LOG set its
// nodes log to stderr.
func New(tb testing.TB, root state.Name) *Factory {
	tb.Helper()
	f := &Factory{Net: network.New(), Log: slog.New(slog.DiscardHandler), tb: tb, nodes: map[state.Name]*Node{}, began: time.Now()}
	if os.Getenv("PHAROS_LOG") != "" {
		f.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	n := f.machine(root)
	if _, err := tiers.Found(n.Store, n.Key, root); err != nil {
		tb.Fatalf("founding the factory: %v", err)
	}
	n.Start()
	return f
}

func (f *Factory) machine(name state.Name) *Node {
	f.tb.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		f.tb.Fatal(err)
	}
	store, err := state.MemoryStore()
	if err != nil {
		f.tb.Fatal(err)
	}
	n := &Node{Name: name, Key: key, Store: store, Pretended: NewApps(), f: f}
	f.nodes[name] = n
	f.order = append(f.order, n)
	return n
}

// Root is the factory's root.
func (f *Factory) Root() *Node { return f.order[0] }

// Node finds a machine by its name.
func (f *Factory) Node(name state.Name) *Node { return f.nodes[name] }

// Gateway enrols a gateway below parent and starts it.
func (f *Factory) Gateway(name, parent state.Name) *Node { return f.Enrol(name, parent, true) }

// Cell enrols a cell below parent and starts it.
func (f *Factory) Cell(name, parent state.Name) *Node { return f.Enrol(name, parent, false) }

// Enrol lets a new machine join with a token, and starts it.
func (f *Factory) Enrol(name, parent state.Name, gateway bool) *Node {
	f.tb.Helper()
	ctx, cancel := context.WithTimeout(f.tb.Context(), time.Minute)
	defer cancel()
	text, err := f.Root().CreateToken(ctx, state.TokenRequest{Name: name, Parent: parent, Gateway: gateway})
	if err != nil {
		f.tb.Fatalf("a token for %s: %v", name, err)
	}
	n, err := f.Join(ctx, name, text)
	if err != nil {
		f.tb.Fatalf("enrolling %s: %v", name, err)
	}
	n.Start()
	return n
}

// Join makes a machine and enrols it with a token, without starting it.
func (f *Factory) Join(ctx context.Context, name state.Name, text string) (*Node, error) {
	token, err := state.ParseJoinToken(text)
	if err != nil {
		return nil, err
	}
	if len(token.Addresses) == 0 {
		// The parent has not told its addresses upward yet; on a real network
		// mDNS would tell them.
		token.Addresses = f.parentOf(token)
	}
	n := f.machine(name)
	_, err = tiers.Enrol(ctx, n.Store, n.Key, token, tiers.JoinConfig{Log: f.Log, Mesh: f.Net.Options(string(name))})
	return n, err
}

// parentOf gives the address of the parent that a token names.
func (f *Factory) parentOf(token state.JoinToken) []string {
	for _, n := range f.order {
		if id, _ := state.IDOf(n.Key.GetPublic()); id == token.Parent {
			return []string{f.Net.Listen(string(n.Name)).String()}
		}
	}
	return nil
}

// EnrolAgain asks with a token once more, as a machine does that got no answer.
func (n *Node) EnrolAgain(ctx context.Context, token state.JoinToken) error {
	token.Addresses = n.f.parentOf(token)
	_, err := tiers.Enrol(ctx, n.Store, n.Key, token, tiers.JoinConfig{Log: n.f.Log, Mesh: n.f.Net.Options(string(n.Name))})
	return err
}

// Start runs the machine's node; what it stored before is there again.
func (n *Node) Start() {
	n.f.tb.Helper()
	node, err := tiers.Open(n.f.tb.Context(), tiers.Config{
		Store: n.Store, Key: n.Key, Mesh: n.f.Net.Options(string(n.Name)),
		Listen: []string{n.f.Net.Listen(string(n.Name)).String()},
		Log:    n.f.Log, Runtime: n.Pretended.Runtime, Plan: Plan, Images: func([]byte) []string { return nil },
	})
	if err != nil {
		n.f.tb.Fatalf("starting %s: %v", n.Name, err)
	}
	n.Node = node
}

// Stop ends the machine's process. Its links are cut first, so that nobody is
// told, as when a machine dies; Start heals them.
func (n *Node) Stop() {
	n.f.tb.Helper()
	if n.Node == nil {
		return
	}
	if err := n.Node.Close(); err != nil {
		n.f.tb.Errorf("stopping %s: %v", n.Name, err)
	}
	n.Node = nil
}

// Close ends all nodes, children before parents, and their stores.
func (f *Factory) Close() {
	f.Net.HealAll()
	for i := len(f.order) - 1; i >= 0; i-- {
		f.order[i].Stop()
	}
	for _, n := range f.order {
		if err := n.Store.Close(); err != nil {
			f.tb.Errorf("closing the store of %s: %v", n.Name, err)
		}
	}
}

// Wait polls until ok, at most for limit of the clock; it fails the test with
// what otherwise.
func (f *Factory) Wait(limit time.Duration, what string, ok func() bool) time.Duration {
	f.tb.Helper()
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Since(began) > limit {
			f.tb.Fatalf("not within %v: %s\n%s", limit, what, f.Picture())
		}
		<-tick.C
	}
	return time.Since(began)
}

// Pass lets the clock run: nothing is waited for but time.
func (f *Factory) Pass(d time.Duration) { <-time.After(d) }

// Since is how long the factory has lived.
func (f *Factory) Since() time.Duration { return time.Since(f.began) }

// Picture is the root's view of all nodes, a line each.
func (f *Factory) Picture() string {
	out := ""
	for _, v := range f.Root().Nodes(f.tb.Context()) {
		out += fmt.Sprintf("  %-12s %-8s %s %s\n", v.Name, v.Role, v.Readiness, v.Reason)
	}
	return out
}

// Readiness is the root's view of one node.
func (f *Factory) Readiness(name state.Name) state.Readiness {
	for _, v := range f.Root().Nodes(f.tb.Context()) {
		if v.Name == name {
			return v.Readiness
		}
	}
	return ""
}
