package tiers_test

import (
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"

	"pharos/mesh"
	"pharos/state"
	statewire "pharos/state/wire"
	"pharos/testnet/simulation"
	"pharos/tiers/wire"
)

// peerOf is a machine of the test's own making on the factory's network: it
// has whatever key is given, and speaks what the test wants.
func peerOf(t *testing.T, f *simulation.Factory, name string, key crypto.PrivKey) *mesh.Host {
	t.Helper()
	h, err := mesh.New(mesh.Config{Key: key, Listen: []multiaddr.Multiaddr{f.Net.Listen(name)}, Log: f.Log, Options: f.Net.Options(name)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func newKey(t *testing.T) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificate(t *testing.T, n *simulation.Node) state.Sealed {
	t.Helper()
	c, err := n.Store.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// greet opens a session as a child would, and gives the parent's answer.
func greet(t *testing.T, h *mesh.Host, to *simulation.Node, hello *wire.Hello) (*mesh.Stream, *wire.FromParent) {
	t.Helper()
	parent, err := to.Certificate().ID.Peer()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := h.Connect(ctx, parent, to.Addresses()); err != nil {
		t.Fatal(err)
	}
	s, err := h.Open(ctx, parent, mesh.ProtocolSession)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(&wire.FromChild{Say: &wire.FromChild_Hello{Hello: hello}}); err != nil {
		t.Fatal(err)
	}
	_ = s.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer := &wire.FromParent{}
	if err := s.Read(answer, 1<<20); err != nil {
		t.Fatalf("no answer to the greeting: %v", err)
	}
	return s, answer
}

func TestStrangersGetNoSession(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		line1 := f.Node("line-1")
		mallory := newKey(t)
		id, err := state.IDOf(mallory.GetPublic())
		if err != nil {
			t.Fatal(err)
		}
		own := state.Certificate{
			Factory: line1.Certificate().Factory, ID: id, Name: "press-1", Parent: line1.Certificate().ID, ParentName: "line-1",
			Issued: time.Now(), Expires: time.Now().Add(time.Hour),
		}
		forged, err := state.SealCertificate(own, mallory)
		if err != nil {
			t.Fatal(err)
		}
		h := peerOf(t, f, "mallory", mallory)
		defer h.Close()
		before := line1.Status(t.Context()).Refused["session"]
		for name, cert := range map[string]state.Sealed{
			"none":              nil,
			"garbage":           state.Sealed("garbage"),
			"self-signed":       forged,
			"somebody else's":   certificate(t, f.Node("press-1")),
			"of another parent": certificate(t, f.Node("oven-1")),
		} {
			_, answer := greet(t, h, line1, &wire.Hello{Certificate: cert})
			if answer.GetRefused() == nil {
				t.Errorf("with a certificate that is %s, the answer was %v", name, answer)
			}
		}
		if n := line1.Status(t.Context()).Refused["session"] - before; n != 5 {
			t.Errorf("%d refusals counted, of 5", n)
		}
		// A real cell at a parent that is not its own.
		oven := f.Node("oven-1")
		oven.Stop()
		real := peerOf(t, f, "oven-1", oven.Key)
		defer real.Close()
		if _, answer := greet(t, real, line1, &wire.Hello{Certificate: certificate(t, oven)}); answer.GetRefused() == nil {
			t.Error("line-1 took line-2's cell")
		}
	})
}

// A cell that is a full member still can't speak for its tier, nor about
// others, nor order anything.
func TestHostileCell(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		press1, line1 := f.Node("press-1"), f.Node("line-1")
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1", "press-2"))
		press1.Stop()
		h := peerOf(t, f, "press-1", press1.Key)
		defer h.Close()
		s, answer := greet(t, h, line1, &wire.Hello{Certificate: certificate(t, press1)})
		if answer.GetWelcome() == nil {
			t.Fatalf("the cell is not welcome: %v", answer)
		}
		parent, _ := line1.Certificate().ID.Peer()

		topic := mesh.TierTopic(parent)
		order := state.Order{
			Factory: line1.Certificate().Factory, Issuer: line1.Certificate().Factory, Stamp: state.Stamp{Epoch: 9, Number: 99}, Issued: time.Now(),
			App: &state.AppOrder{App: "evil", Revision: 1, Want: state.Run, Selector: selector(t, "all"), Compose: []byte("x")},
		}
		forged, err := state.SealOrder(order, press1.Key)
		if err != nil {
			t.Fatal(err)
		}
		// Gossipsub itself would never send it to a peer that does not subscribe,
		// so it is spoken by hand.
		author := []byte(h.ID())
		f.Wait(5*time.Second, "a cell that publishes on its parent's topic is refused there, and counted", func() bool {
			if gossip, err := h.Open(t.Context(), parent, mesh.ProtocolGossip); err == nil {
				_ = gossip.Write(&pubsub.RPC{Publish: []*pubsub.Message{{From: author, Data: forged, Topic: &topic, Seqno: author[:8]}}})
				_ = gossip.CloseWrite()
			}
			// It tells of its neighbour, too.
			if err := s.Write(&wire.FromChild{Say: &wire.FromChild_Rollup{Rollup: rollupAbout(f.Node("press-2"))}}); err != nil {
				t.Fatal(err)
			}
			refused := line1.Status(t.Context()).Refused
			return refused[mesh.RefusedForeignPublisher] > 0 && refused["report"] > 0
		})
		f.Pass(2 * time.Second)
		for _, name := range []state.Name{"press-2", "line-1", "plant", "oven-1"} {
			if _, has := f.Node(name).Pretended.Running()["evil"]; has {
				t.Errorf("%s runs what a cell ordered", name)
			}
		}
		if f.Readiness("press-2") != state.Ready {
			t.Errorf("a cell was believed about its neighbour:\n%s", f.Picture())
		}
	})
}

func rollupAbout(n *simulation.Node) *wire.Rollup {
	return &wire.Rollup{Number: 1, Last: true, Counts: state.CountsToWire(state.Counts{}), Changed: []*statewire.NodeStatus{state.StatusToWire(state.NodeStatus{
		Node: n.Certificate().ID, Readiness: state.NotReady, Reason: "it is on fire", Since: time.Now(),
		Report: state.NodeReport{Generation: 99, Sequence: 99},
	})}}
}

// A gateway whose key was stolen can lose orders. It can't make, change or
// repeat any.
func TestHostileGateway(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		line1, press1 := f.Node("line-1"), f.Node("press-1")
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1", "press-2"))
		old := sealedOrder(t, line1, "shop")
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(3*time.Second, "shop is updated", runs(f, "shop", 2, "press-1", "press-2"))
		newest := sealedOrder(t, line1, "shop")
		head := press1.Status(t.Context()).Head
		applied := len(press1.Pretended.Applied())

		factory := line1.Certificate().Factory
		evil := func(issuer state.NodeID, number uint64, key crypto.PrivKey) state.Sealed {
			sealed, err := state.SealOrder(state.Order{
				Factory: factory, Issuer: issuer, Stamp: state.Stamp{Epoch: 1, Number: number}, Issued: time.Now(),
				App: &state.AppOrder{App: "shop", Revision: 66, Want: state.Gone, Selector: selector(t, "all")},
			}, key)
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		}
		changed := append(state.Sealed{}, newest...)
		changed[len(changed)/2] ^= 1
		bad := map[string]state.Sealed{
			"signed by itself, in the root's name": evil(factory, head.Number+1, line1.Key),
			"signed by itself, in its own name":    evil(line1.Certificate().ID, head.Number+1, line1.Key),
			"the root's, with one bit changed":     changed,
			"the root's, but old":                  old,
			"no order at all":                      state.Sealed("hello"),
		}

		line1.Stop()
		h := peerOf(t, f, "line-1", line1.Key)
		defer h.Close()
		topic := mesh.TierTopic(h.ID())
		if err := h.Own(topic); err != nil {
			t.Fatal(err)
		}
		h.Handle(mesh.ProtocolSession, func(ctx context.Context, s *mesh.Stream) {
			hello := &wire.FromChild{}
			if s.Read(hello, 1<<20) != nil {
				return
			}
			h.Admit(s.Peer())
			far := []*wire.Head{{Issuer: string(factory), Stamp: state.StampToWire(state.Stamp{Epoch: 1, Number: head.Number + 50})}}
			_ = s.Write(&wire.FromParent{Say: &wire.FromParent_Welcome{Welcome: &wire.Welcome{Heads: far}}})
			for _, sealed := range bad {
				_ = s.Write(&wire.FromParent{Say: &wire.FromParent_Orders{Orders: &wire.Orders{
					Issuer: string(factory), After: state.StampToWire(head), Through: far[0].GetStamp(), Orders: [][]byte{sealed}, Last: true,
				}}})
			}
			for ctx.Err() == nil && s.Write(&wire.FromParent{Say: &wire.FromParent_Beat{Beat: &wire.Beat{Heads: far}}}) == nil {
				for _, sealed := range bad {
					_ = h.Publish(topic, sealed)
				}
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
		f.Wait(20*time.Second, "both cells have refused what the gateway made up, and counted it", func() bool {
			for _, name := range []state.Name{"press-1", "press-2"} {
				refused := f.Node(name).Status(t.Context()).Refused
				if refused["order-refused"] < 4 || refused["order-corrupt"] < 4 || refused["order-stale"] < 2 {
					return false
				}
			}
			return true
		})
		t.Logf("refused at press-1: %v", press1.Status(t.Context()).Refused)
		if n := len(press1.Pretended.Applied()); n != applied || press1.Pretended.Running()["shop"] != 2 {
			t.Errorf("press-1 applied %d changes that a gateway made up", n-applied)
		}
		// The real gateway comes back: nothing that happened stands in the way.
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		line1.Start()
		deploy(t, f, "shop", "tier:line-1")
		f.Wait(10*time.Second, "the next order arrives", runs(f, "shop", 3, "press-1", "press-2"))
	})
}

// sealedOrder is an app's order as the node would pass it on.
func sealedOrder(t *testing.T, n *simulation.Node, app state.Name) state.Sealed {
	t.Helper()
	synctest.Wait()
	ledger, _, err := state.OpenLedger(n.Store, n.Certificate(), n.Certificate().Factory)
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := ledger.Missing(state.Head{}, state.Certificate{Gateway: true, Name: "x", Parent: "y"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sealed := range all {
		if o, err := state.OpenOrder(sealed, n.Certificate().Factory); err == nil && o.App != nil && o.App.App == app {
			return sealed
		}
	}
	t.Fatalf("%s holds no order of %s", n.Name, app)
	return nil
}
