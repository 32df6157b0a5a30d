package mesh

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

const (
	// discoverPoll is how often this machine's addresses are looked at: mDNS fixes
	// interfaces and addresses at its start.
	discoverPoll = 10 * time.Second
	// discoverPause is the first pause before mDNS is tried again, e.g. when there
	// is no interface yet; it doubles up to discoverPoll.
	discoverPause = time.Second
)

// Discover announces this node on the local network by mDNS, if it listens, under
// the service name (e.g. "pharos-<factory ID>": letters, digits and hyphens, at
// most 62), and calls found, one call at a time, for each other node that does,
// whenever one is learned of anew: at its start, when its addresses change, or
// ours. found should keep the addresses: it isn't called again because a dial
// failed. Names and addresses come unproved from anybody on the network: only a
// connection proves who is there.
//
// It goes on through missing and changing interfaces until stop, which waits for
// found and must not be called from within it, or Close.
func (h *Host) Discover(service string, found func(id peer.ID, addrs []string)) (stop func(), err error) {
	if service == "" || len(service) > 62 || strings.ContainsFunc(service, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return nil, fmt.Errorf("discover %q: a service name has 1 to 62 letters, digits and hyphens", service)
	}
	ctx, cancel := context.WithCancel(h.ctx)
	done := make(chan struct{})
	if !h.begin() {
		cancel()
		return nil, fmt.Errorf("discover %q: %w", service, ErrClosed)
	}
	go func() {
		defer h.end()
		defer close(done)
		h.discover(ctx, "_"+service+"._udp", found)
	}()
	return sync.OnceFunc(func() { cancel(); <-done }), nil
}

// discover keeps one mDNS session going, and replaces it when it fails or when
// this machine's addresses change.
func (h *Host) discover(ctx context.Context, service string, found func(peer.ID, []string)) {
	pause := discoverPause
	for ctx.Err() == nil {
		started := time.Now()
		err := h.discoverOnce(ctx, service, func(text []string) { h.learn(text, found) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			h.log.Info("mDNS starts anew: this machine's addresses have changed", "addresses", h.Addrs())
			pause = discoverPause
			continue
		}
		if time.Since(started) > time.Minute {
			pause = discoverPause
		}
		h.log.Warn("mDNS can't run now and is tried again: other nodes can't be found by themselves meanwhile", "service", service, "err", err, "pause", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, discoverPoll)
	}
}

// learn reads the text records of one announcement, and hands on what it says.
func (h *Host) learn(text []string, found func(peer.ID, []string)) {
	const most = 32
	byPeer := map[peer.ID][]string{}
	for _, t := range text[:min(len(text), most)] {
		s, ok := strings.CutPrefix(t, dnsaddrPrefix)
		if !ok {
			continue
		}
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			h.log.Debug("mDNS: an address that can't be read", "err", err)
			continue
		}
		at, id := peer.SplitAddr(a)
		if at == nil || id == "" || id == h.ID() {
			continue
		}
		key, err := id.ExtractPublicKey()
		if _, ok := key.(*crypto.Ed25519PublicKey); err != nil || !ok {
			h.refused.add(RefusedNotEd25519, "peer", id, "by", "mDNS")
			continue
		}
		byPeer[id] = append(byPeer[id], a.String())
	}
	for id, addrs := range byPeer {
		h.guard("a Discover function", func() { found(id, addrs) })
	}
}
