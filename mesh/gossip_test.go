package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// heard collects what a Follow function gets.
type heard struct {
	mu  sync.Mutex
	all []string
}

func (b *heard) add(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, string(data))
}

func (b *heard) list() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

func own(t *testing.T, h *Host) string {
	t.Helper()
	topic := TierTopic(h.ID())
	if err := h.Own(topic); err != nil {
		t.Fatal(err)
	}
	return topic
}

func follow(t *testing.T, child *Host, publisher peer.ID) *heard {
	t.Helper()
	b := &heard{}
	if _, err := child.Follow(TierTopic(publisher), publisher, b.add); err != nil {
		t.Fatal(err)
	}
	return b
}

func join(t *testing.T, child, parent *Host) {
	t.Helper()
	parent.Admit(child.ID())
	connect(t, child, parent)
	child.Admit(parent.ID())
}

func TestStarOverTCP(t *testing.T) {
	const children, messages = 20, 10
	parent := newHost(t, newKey(t))
	topic := own(t, parent)
	var boxes []*heard
	for range children {
		child := newHost(t, newKey(t))
		boxes = append(boxes, follow(t, child, parent.ID()))
		join(t, child, parent)
	}
	eventually(t, "all children follow", func() bool { return len(parent.Followers(topic)) == children })
	var want []string
	for i := range messages {
		want = append(want, fmt.Sprint("message ", i))
		if err := parent.Publish(topic, []byte(want[i])); err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range boxes {
		eventually(t, fmt.Sprintf("child %d has all messages", i), func() bool { return len(b.list()) >= messages })
		if got := b.list(); !slices.Equal(got, want) {
			t.Errorf("child %d got %q", i, got)
		}
	}
	if got := parent.Refused(); len(got) != 0 {
		t.Errorf("refused in peace: %v", got)
	}
}

func TestLargestMessage(t *testing.T) {
	parent, child := newHost(t, newKey(t)), newHost(t, newKey(t))
	topic := own(t, parent)
	b := follow(t, child, parent.ID())
	join(t, child, parent)
	eventually(t, "child follows", func() bool { return len(parent.Followers(topic)) == 1 })
	if err := parent.Publish(topic, make([]byte, MaxGossip)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "largest message arrives", func() bool { return len(b.list()) == 1 && len(b.list()[0]) == MaxGossip })
	if err := parent.Publish(topic, make([]byte, MaxGossip+1)); err == nil || !strings.Contains(err.Error(), "at most 65536") {
		t.Errorf("one byte more: %v", err)
	}
	if err := child.Publish(topic, nil); err == nil {
		t.Error("a child may publish on its parent's topic")
	}
}

func TestFollowStopAndAgain(t *testing.T) {
	parent, child := newHost(t, newKey(t)), newHost(t, newKey(t))
	topic := own(t, parent)
	join(t, child, parent)
	if err := parent.Own(topic); err == nil {
		t.Error("owned twice")
	}
	for round := range 3 {
		var b heard
		stop, err := child.Follow(topic, parent.ID(), b.add)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := child.Follow(topic, parent.ID(), b.add); err == nil {
			t.Error("followed twice")
		}
		eventually(t, "child follows", func() bool { return len(parent.Followers(topic)) == 1 })
		parent.Publish(topic, []byte("x"))
		eventually(t, fmt.Sprint("message in round ", round), func() bool { return len(b.list()) == 1 })
		stop()
		stop()
		eventually(t, "child doesn't follow", func() bool { return len(parent.Followers(topic)) == 0 })
	}
}

func TestFollowPanicIsRecovered(t *testing.T) {
	parent, child := newHost(t, newKey(t)), newHost(t, newKey(t))
	topic := own(t, parent)
	var b heard
	child.Follow(topic, parent.ID(), func(data []byte) {
		if string(data) == "bad" {
			panic("a follower's fault")
		}
		b.add(data)
	})
	join(t, child, parent)
	eventually(t, "child follows", func() bool { return len(parent.Followers(topic)) == 1 })
	parent.Publish(topic, []byte("bad"))
	parent.Publish(topic, []byte("good"))
	eventually(t, "the next message arrives", func() bool { return len(b.list()) == 1 })
}

func TestReconnect(t *testing.T) {
	parentKey, childKey := newKey(t), newKey(t)
	parent := newHost(t, parentKey)
	at := parent.ListenAddrs()
	topic := own(t, parent)
	flows := func(child *Host, b *heard, what string) {
		t.Helper()
		eventually(t, "child follows: "+what, func() bool { return len(parent.Followers(topic)) == 1 })
		if err := parent.Publish(topic, []byte(what)); err != nil {
			t.Fatal(err)
		}
		eventually(t, what, func() bool { return slices.Contains(b.list(), what) })
	}
	child := newHost(t, childKey)
	b := follow(t, child, parent.ID())
	join(t, child, parent)
	flows(child, b, "first")

	// The child restarts with the same key; the parent has it admitted still.
	for i := range 3 {
		child.Close()
		child = newHost(t, childKey)
		b = follow(t, child, parent.ID())
		connect(t, child, parent)
		child.Admit(parent.ID())
		flows(child, b, fmt.Sprint("child's restart ", i))
	}

	// The connection alone is lost, on either side's account.
	for i := range 6 {
		if i%2 == 0 {
			child.Disconnect(parent.ID())
		} else {
			parent.Disconnect(child.ID())
			eventually(t, "child sees it", func() bool { return !child.Connected(parent.ID()) })
		}
		connect(t, child, parent)
		flows(child, b, fmt.Sprint("lost connection ", i))
	}

	// The parent is gone for some dials, then back: no dial backoff is waited out.
	for i := range 3 {
		addrs := parent.Addrs()
		parent.Close()
		eventually(t, "child sees it", func() bool { return !child.Connected(parent.ID()) })
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 5e9)
			if err := child.Connect(ctx, parent.ID(), addrs); err == nil {
				t.Fatal("connected to a closed parent")
			}
			cancel()
		}
		parent = newHost(t, parentKey, at...)
		own(t, parent)
		parent.Admit(child.ID())
		connect(t, child, parent)
		flows(child, b, fmt.Sprint("parent's restart ", i))
	}
}

// A child that comes back while its parent still holds the old connection.
func TestNewConnectionReplacesOld(t *testing.T) {
	key := newKey(t)
	parent := newHost(t, newKey(t))
	topic := own(t, parent)
	first, second := newHost(t, key), newHost(t, key)
	follow(t, first, parent.ID())
	b := follow(t, second, parent.ID())
	join(t, first, parent)
	eventually(t, "child follows", func() bool { return len(parent.Followers(topic)) == 1 })
	join(t, second, parent)
	eventually(t, "old connection closed", func() bool { return !first.Connected(parent.ID()) })
	eventually(t, "messages reach the new one", func() bool {
		parent.Publish(topic, []byte("x"))
		return len(b.list()) > 0
	})
}

// Pubsub forgets a child's subscription when its own stream to the child ends,
// and stops to open streams after four of them ended: the gate mends both.
func TestGossipSurvivesItsStreams(t *testing.T) {
	parent, child := newHost(t, newKey(t)), newHost(t, newKey(t))
	topic := own(t, parent)
	b := follow(t, child, parent.ID())
	join(t, child, parent)
	for round := range 6 {
		eventually(t, fmt.Sprint("child follows in round ", round), func() bool { return len(parent.Followers(topic)) == 1 })
		what := fmt.Sprint("round ", round)
		eventually(t, what, func() bool {
			parent.Publish(topic, []byte(what))
			return slices.Contains(b.list(), what)
		})
		for _, c := range parent.host.Network().ConnsToPeer(child.ID()) {
			for _, s := range c.GetStreams() {
				if s.Protocol() == ProtocolGossip && s.Stat().Direction == network.DirOutbound {
					s.Reset()
				}
			}
		}
		eventually(t, "pubsub noticed", func() bool {
			parent.gossip.gate.mu.Lock()
			defer parent.gossip.gate.mu.Unlock()
			return time.Since(parent.gossip.gate.outward[child.ID()]) < time.Second || len(parent.gossip.gate.wanted) > 0
		})
	}
}
