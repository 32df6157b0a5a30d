package network_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"pharos/mesh"
	"pharos/testnet/network"
)

// node makes a host called name on n.
func node(t *testing.T, n *network.Network, name string) *mesh.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return nodeWithKey(t, n, name, key)
}

func nodeWithKey(t *testing.T, n *network.Network, name string, key crypto.PrivKey) *mesh.Host {
	t.Helper()
	h, err := mesh.New(mesh.Config{
		Key: key, Listen: []multiaddr.Multiaddr{n.Listen(name)}, Options: n.Options(name),
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// inbox collects what a follower hears.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (b *inbox) add(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, string(data))
}

func (b *inbox) list() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// join connects child to parent and makes gossip flow.
func join(t *testing.T, child, parent *mesh.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	parent.Admit(child.ID())
	if err := child.Connect(ctx, parent.ID(), parent.Addrs()); err != nil {
		t.Fatal(err)
	}
	child.Admit(parent.ID())
}

func TestStar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const children, messages = 30, 20
		n := network.New()
		parent := node(t, n, "parent")
		defer parent.Close()
		topic := mesh.TierTopic(parent.ID())
		if err := parent.Own(topic); err != nil {
			t.Fatal(err)
		}
		boxes := make([]inbox, children)
		hosts := make([]*mesh.Host, children)
		for i := range hosts {
			hosts[i] = node(t, n, fmt.Sprint("child-", i))
			defer hosts[i].Close()
			if _, err := hosts[i].Follow(topic, parent.ID(), boxes[i].add); err != nil {
				t.Fatal(err)
			}
			join(t, hosts[i], parent)
		}
		synctest.Wait()
		if got := len(parent.Followers(topic)); got != children {
			t.Fatalf("%d of %d children follow", got, children)
		}
		var want []string
		for i := range messages {
			want = append(want, fmt.Sprint("message ", i))
			if err := parent.Publish(topic, []byte(want[i])); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i := range boxes {
			if got := boxes[i].list(); !slices.Equal(got, want) {
				t.Errorf("child %d got %q", i, got)
			}
		}

		// A cut is silent: the message waits in the send buffer and arrives after it.
		n.Cut("parent", "child-7")
		if err := parent.Publish(topic, []byte("during")); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * time.Second) // of the bubble's clock
		synctest.Wait()
		for i := range boxes {
			if got, want := slices.Contains(boxes[i].list(), "during"), i != 7; got != want {
				t.Errorf("during the cut: child %d got it: %v, want %v", i, got, want)
			}
		}
		if !hosts[7].Connected(parent.ID()) {
			t.Error("the cut child was told of the cut")
		}
		n.Heal("parent", "child-7")
		synctest.Wait()
		if !slices.Contains(boxes[7].list(), "during") {
			t.Error("after the heal: the cut child did not get what was sent during the cut")
		}
		if sent, received := n.Bytes("parent"); sent == 0 || received == 0 {
			t.Errorf("parent's bytes: %d sent, %d received", sent, received)
		}
	})
}

// A child that loses its link for long, and its parent, must come together again
// after the heal, over and over.
func TestReconnectAfterLongCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network.New()
		parent, child := node(t, n, "parent"), node(t, n, "child")
		defer parent.Close()
		defer child.Close()
		topic := mesh.TierTopic(parent.ID())
		if err := parent.Own(topic); err != nil {
			t.Fatal(err)
		}
		var box inbox
		if _, err := child.Follow(topic, parent.ID(), box.add); err != nil {
			t.Fatal(err)
		}
		join(t, child, parent)
		synctest.Wait()
		for round := range 12 { // more often than pubsub itself retries a peer
			n.Cut("parent", "child")
			<-time.After(time.Duration(1+round*7) * time.Second) // short ones leave the old connection standing at the parent
			child.Disconnect(parent.ID())                        // as its heartbeat would
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := child.Connect(short, parent.ID(), parent.Addrs()); err == nil {
				t.Fatal("connected over a cut link")
			}
			cancel()
			n.Heal("parent", "child")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := child.Connect(ctx, parent.ID(), parent.Addrs()); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			cancel()
			<-time.After(5 * time.Second)
			synctest.Wait()
			want := fmt.Sprint("round ", round)
			if err := parent.Publish(topic, []byte(want)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !slices.Contains(box.list(), want) {
				t.Fatalf("round %d: message did not arrive; followers %v", round, parent.Followers(topic))
			}
		}
	})
}

func TestAdmissionInAnyOrder(t *testing.T) {
	steps := map[string]func(*mesh.Host, *mesh.Host){
		"parent":  func(p, c *mesh.Host) { p.Admit(c.ID()) },
		"child":   func(p, c *mesh.Host) { c.Admit(p.ID()) },
		"connect": func(p, c *mesh.Host) { c.Connect(context.Background(), p.ID(), p.Addrs()) },
	}
	for _, order := range [][]string{
		{"parent", "child", "connect"}, {"child", "parent", "connect"}, {"connect", "parent", "child"},
		{"connect", "child", "parent"}, {"parent", "connect", "child"}, {"child", "connect", "parent"},
	} {
		for _, pause := range []time.Duration{0, 100 * time.Millisecond, 8 * time.Second} {
			t.Run(fmt.Sprint(order, pause), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := network.New()
					n.Delay(3 * time.Millisecond)
					parent, child := node(t, n, "parent"), node(t, n, "child")
					defer parent.Close()
					defer child.Close()
					topic := mesh.TierTopic(parent.ID())
					if err := parent.Own(topic); err != nil {
						t.Fatal(err)
					}
					var box inbox
					if _, err := child.Follow(topic, parent.ID(), box.add); err != nil {
						t.Fatal(err)
					}
					for _, s := range order {
						steps[s](parent, child)
						<-time.After(pause)
					}
					start := time.Now()
					for len(parent.Followers(topic)) == 0 {
						if time.Since(start) > 10*time.Second {
							t.Fatalf("child does not follow 10 s after the last step; refused: %v, %v", parent.Refused(), child.Refused())
						}
						<-time.After(10 * time.Millisecond)
					}
					t.Logf("child follows %v after the last step", time.Since(start))
					// pubsub's own quick retries, then one in two seconds: never a hot loop.
					if got := parent.Refused()[mesh.RefusedStrangerGossip]; got > 20 {
						t.Errorf("%d gossip streams refused while the child waited", got)
					}
					parent.Publish(topic, []byte("x"))
					<-time.After(time.Second)
					if len(box.list()) != 1 {
						t.Errorf("got %q", box.list())
					}
				})
			})
		}
	}
}

func TestStrangersAreClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network.New()
		parent := node(t, n, "parent")
		defer parent.Close()
		member, stranger := node(t, n, "member"), node(t, n, "stranger")
		defer member.Close()
		defer stranger.Close()
		join(t, member, parent)
		if err := stranger.Connect(t.Context(), parent.ID(), parent.Addrs()); err != nil {
			t.Fatal(err)
		}
		<-time.After(mesh.StrangerStay - time.Second)
		if !parent.Connected(stranger.ID()) {
			t.Error("stranger closed too early")
		}
		<-time.After(2 * time.Second)
		if parent.Connected(stranger.ID()) {
			t.Error("stranger still connected")
		}
		if !parent.Connected(member.ID()) {
			t.Error("member's connection was closed")
		}
		if got := parent.Refused()[mesh.RefusedStrangerConnection]; got != 1 {
			t.Errorf("counted %d, want 1", got)
		}
	})
}

func TestStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network.New()
		parent := node(t, n, "parent")
		defer parent.Close()
		for i := range mesh.MaxStrangers + 12 {
			h := node(t, n, fmt.Sprint("stranger-", i))
			defer h.Close()
			h.Connect(t.Context(), parent.ID(), parent.Addrs())
		}
		member := node(t, n, "member")
		defer member.Close()
		join(t, member, parent)
		synctest.Wait()
		if got := parent.Refused()[mesh.RefusedStrangerConnection]; got != 12 {
			t.Errorf("%d strangers refused, want 12", got)
		}
		if !parent.Connected(member.ID()) {
			t.Error("a member was refused because of strangers")
		}
	})
}

// Write must not hang on a peer that is cut off, nor on one that never reads.
func TestWriteGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network.New()
		parent, child := node(t, n, "parent"), node(t, n, "child")
		defer parent.Close()
		defer child.Close()
		parent.Handle(mesh.ProtocolSession, func(ctx context.Context, s *mesh.Stream) { <-ctx.Done() })
		join(t, child, parent)
		s, err := child.Open(t.Context(), parent.ID(), mesh.ProtocolSession)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for err == nil {
			err = s.Write(wrapperspb.Bytes(make([]byte, 32<<10)))
		}
		if took := time.Since(start); took < mesh.WriteTimeout || took > mesh.WriteTimeout+5*time.Second {
			t.Errorf("gave up after %v: %v", took, err)
		}
	})
}
