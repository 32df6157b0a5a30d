package mesh

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"
)

func newKey(t *testing.T) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newHost makes a host on loopback TCP; at gives an address instead of a new one.
func newHost(t *testing.T, key crypto.PrivKey, at ...multiaddr.Multiaddr) *Host {
	t.Helper()
	if len(at) == 0 {
		at = []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")}
	}
	h, err := New(Config{Key: key, Listen: at, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// eventually polls until ok, for at most 20 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		}
	}
}

func connect(t *testing.T, child, parent *Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := child.Connect(ctx, parent.ID(), parent.Addrs()); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	rsa, _, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	taken := newHost(t, newKey(t))
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"no key":            {Config{}, "create the node's identity"},
		"rsa":               {Config{Key: rsa}, "only ed25519"},
		"negative children": {Config{Key: newKey(t), Children: -1}, "-1 children"},
		"port in use":       {Config{Key: newKey(t), Listen: taken.ListenAddrs()}, "using the port"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := New(c.cfg)
			if err == nil {
				h.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

func TestConnectErrors(t *testing.T) {
	a, b := newHost(t, newKey(t)), newHost(t, newKey(t))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for name, addrs := range map[string][]string{
		"none": nil, "malformed": {"10.0.0.1:7450", "/ip4/300.1.1.1/tcp/1", ""}, "another's": newHost(t, newKey(t)).Addrs(),
	} {
		if err := a.Connect(ctx, b.ID(), addrs); err == nil || !strings.Contains(err.Error(), "/ip4/") {
			t.Errorf("%s: error %v does not say what an address looks like", name, err)
		}
	}
	if err := a.Connect(ctx, a.ID(), a.Addrs()); err == nil {
		t.Error("connected to itself")
	}
	// Malformed ones don't spoil good ones; /p2p may be left out.
	bare, _, _ := strings.Cut(b.Addrs()[0], "/p2p/")
	if err := a.Connect(ctx, b.ID(), []string{"nonsense", bare}); err != nil {
		t.Fatal(err)
	}
	if !a.Connected(b.ID()) {
		t.Error("not connected")
	}
	if err := a.Connect(ctx, b.ID(), nil); err != nil {
		t.Errorf("already connected, but: %v", err)
	}
	eventually(t, "addresses known", func() bool { return len(a.Known(b.ID())) > 0 })
}

func TestAddrs(t *testing.T) {
	h := newHost(t, newKey(t), multiaddr.StringCast("/ip4/0.0.0.0/tcp/0"))
	addrs := h.Addrs()
	if len(addrs) == 0 {
		t.Fatal("no addresses")
	}
	for _, a := range addrs {
		if strings.Contains(a, "0.0.0.0") || strings.Contains(a, "/tcp/0") || !strings.HasSuffix(a, "/p2p/"+h.ID().String()) {
			t.Errorf("not dialable: %s", a)
		}
	}
	if last := addrs[len(addrs)-1]; len(addrs) > 1 && !strings.Contains(last, "127.0.0.1") {
		t.Errorf("loopback is not last: %v", addrs)
	}
}
