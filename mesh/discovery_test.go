package mesh

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// Needs one interface, up, with multicast and an address: any machine on a
// network has it. Where there is none (a bare container), it is checked that
// Discover keeps trying and stops cleanly, since that is what it's for.
func TestDiscover(t *testing.T) {
	any := multiaddr.StringCast("/ip4/0.0.0.0/tcp/0")
	a, b := newHost(t, newKey(t), any), newHost(t, newKey(t), any)
	service := "pharos-test-" + a.ID().String()[40:]
	var mu sync.Mutex
	seen := map[peer.ID][]string{}
	stopA, err := a.Discover(service, func(id peer.ID, addrs []string) {
		mu.Lock()
		defer mu.Unlock()
		seen[id] = addrs
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stopA()
	stopB, err := b.Discover(service, func(peer.ID, []string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer stopB()
	if _, _, err := a.mdnsSurroundings(); err != nil {
		t.Logf("this machine has no network to look on: %v", err)
		return
	}
	start := time.Now()
	eventually(t, "a finds b", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen[b.ID()]) > 0
	})
	t.Logf("found after %v: %v", time.Since(start), seen)
	mu.Lock()
	addrs := seen[b.ID()]
	if seen[a.ID()] != nil {
		t.Error("it found itself")
	}
	mu.Unlock()
	if err := a.Connect(t.Context(), b.ID(), addrs); err != nil {
		t.Error(err)
	}
}

func TestDiscoverRefusesBadNames(t *testing.T) {
	h := newHost(t, newKey(t))
	for _, name := range []string{"", "a.b", "_x", "a b", strings.Repeat("x", 63)} {
		if _, err := h.Discover(name, nil); err == nil {
			t.Errorf("%q accepted", name)
		}
	}
}

// What comes by mDNS comes from anybody.
func TestLearnFromAnybody(t *testing.T) {
	h := newHost(t, newKey(t))
	other := newHost(t, newKey(t)).Addrs()[0]
	got := map[peer.ID][]string{}
	h.learn([]string{
		"", "dnsaddr=", "dnsaddr=nonsense", "dnsaddr=/ip4/1.2.3.4/tcp/1", "other=1",
		"dnsaddr=" + h.Addrs()[0], "dnsaddr=/p2p/" + h.ID().String(),
		"dnsaddr=/ip4/1.2.3.4/tcp/1/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC",
		"dnsaddr=" + other,
	}, func(id peer.ID, addrs []string) { got[id] = addrs; panic("a listener's fault") })
	if len(got) != 1 {
		t.Errorf("learned %v", got)
	}
	for _, addrs := range got {
		if len(addrs) != 1 || addrs[0] != other {
			t.Errorf("learned %v", addrs)
		}
	}
}
