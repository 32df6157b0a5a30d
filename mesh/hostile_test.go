package mesh

import (
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// attacker is a bare libp2p host with a bare gossipsub that speaks our protocol
// and keeps none of our rules.
type attacker struct {
	host.Host
	ps *pubsub.PubSub
}

func newAttacker(t *testing.T, key crypto.PrivKey) *attacker {
	t.Helper()
	h, err := libp2p.New(libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.DisableMetrics(),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); h.Close() })
	ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithFloodPublish(true),
		pubsub.WithGossipSubProtocols([]protocol.ID{ProtocolGossip}, pubsub.GossipSubDefaultFeatures))
	if err != nil {
		t.Fatal(err)
	}
	return &attacker{h, ps}
}

func (a *attacker) dial(t *testing.T, to *Host) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	info, err := peer.AddrInfoFromString(to.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	return a.Connect(ctx, *info)
}

// listen subscribes and counts messages.
func (a *attacker) listen(t *testing.T, topic *pubsub.Topic) <-chan string {
	t.Helper()
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 100)
	go func() {
		for {
			m, err := sub.Next(context.Background())
			if err != nil {
				return
			}
			if m.ReceivedFrom != a.ID() {
				out <- string(m.Data)
			}
		}
	}()
	return out
}

func TestStrangerHearsNothing(t *testing.T) {
	parent, child := newHost(t, newKey(t)), newHost(t, newKey(t))
	name := own(t, parent)
	b := follow(t, child, parent.ID())
	join(t, child, parent)

	a := newAttacker(t, newKey(t))
	topic, err := a.ps.Join(name)
	if err != nil {
		t.Fatal(err)
	}
	got := a.listen(t, topic)
	if err := a.dial(t, parent); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stranger's gossip is refused", func() bool { return parent.Refused()[RefusedStrangerGossip] > 0 })
	s, err := a.NewStream(t.Context(), parent.ID(), ProtocolGossip)
	if err == nil {
		s.Write([]byte{0})
		if _, err = io.ReadAll(s); err == nil {
			t.Error("a stranger's gossip stream was not reset")
		}
	}
	eventually(t, "child follows", func() bool { return len(parent.Followers(name)) == 1 })
	topic.Publish(t.Context(), []byte("forged"))
	parent.Publish(name, []byte("secret"))
	eventually(t, "the child has it", func() bool { return len(b.list()) > 0 })
	if ids := parent.Followers(name); len(ids) != 1 || ids[0] != child.ID() {
		t.Errorf("followers: %v", ids)
	}
	if list := b.list(); len(list) != 1 || list[0] != "secret" {
		t.Errorf("the child heard %q", list)
	}
	select {
	case m := <-got:
		t.Errorf("the stranger heard %q", m)
	default:
	}

	// Expelled members are strangers again.
	parent.Expel(child.ID())
	eventually(t, "the expelled child is disconnected", func() bool { return !child.Connected(parent.ID()) })
	connect(t, child, parent)
	eventually(t, "nobody follows", func() bool { return len(parent.Followers(name)) == 0 })
	parent.Publish(name, []byte("after"))
	before := parent.Refused()[RefusedStrangerGossip]
	eventually(t, "the expelled child's gossip is refused", func() bool { return parent.Refused()[RefusedStrangerGossip] > before })
	if len(b.list()) != 1 {
		t.Errorf("the expelled child heard %q", b.list())
	}
}

func TestChildCanNotPublish(t *testing.T) {
	parent, sibling := newHost(t, newKey(t)), newHost(t, newKey(t))
	name := own(t, parent)
	b := follow(t, sibling, parent.ID())
	join(t, sibling, parent)

	a := newAttacker(t, newKey(t))
	parent.Admit(a.ID())
	topic, err := a.ps.Join(name)
	if err != nil {
		t.Fatal(err)
	}
	got := a.listen(t, topic)
	if err := a.dial(t, parent); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both follow", func() bool { return len(parent.Followers(name)) == 2 })

	// Its own gossipsub has nobody to send to, since the parent doesn't subscribe:
	// so the message goes over a stream of its own making.
	msgs := make(chan []byte, 1)
	forge(t, a, name, msgs)
	forged := <-msgs
	eventually(t, "the foreign message is counted", func() bool {
		// Its pubsub's own stream may be taken for the newer one: so try again.
		if s, err := a.NewStream(t.Context(), parent.ID(), ProtocolGossip); err == nil {
			_, _ = s.Write(forged)
		}
		return parent.Refused()[RefusedForeignPublisher] > 0
	})
	parent.Publish(name, []byte("true"))
	eventually(t, "the sibling hears the parent", func() bool { return len(b.list()) > 0 })
	if list := b.list(); len(list) != 1 || list[0] != "true" {
		t.Errorf("the sibling heard %q", list)
	}
	_ = got
}

func TestOtherKeysAreRefused(t *testing.T) {
	parent := newHost(t, newKey(t))
	secp, _, err := crypto.GenerateSecp256k1Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa, _, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range []crypto.PrivKey{secp, rsa} {
		a := newAttacker(t, key)
		a.dial(t, parent) // may say nil: the refusal comes after the handshake
		eventually(t, "counted", func() bool { return parent.Refused()[RefusedNotEd25519] >= uint64(i+1) })
		if parent.Connected(a.ID()) {
			t.Errorf("connected with a key of type %s", key.Type())
		}
	}
}
