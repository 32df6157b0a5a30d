package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"
)

// Connect dials id at addrs, strings as [Host.Addrs] gives them, with or without
// their /p2p part; returns at once when there is a connection; and gives up when
// ctx ends. Addresses that can't be read, or are another peer's, are skipped with
// a log line. Each call dials anew: how long to pause between tries is the
// caller's affair, libp2p's own pauses are cleared first.
//
// A nil error says that a connection stood. The other side may still refuse it a
// moment later: only an answer on a stream says that it doesn't.
func (h *Host) Connect(ctx context.Context, id peer.ID, addrs []string) error {
	if !h.begin() {
		return fmt.Errorf("connect to %s: %w", id, ErrClosed)
	}
	defer h.end()
	if id == h.ID() {
		return fmt.Errorf("connect to %s: that is this node itself: check which addresses it was given", id)
	}
	if h.Connected(id) {
		return nil
	}
	dial := h.parseAddrs(id, addrs)
	if len(dial) == 0 {
		return fmt.Errorf("connect to %s: none of the %d addresses given can be used (%.5q): give one such as /ip4/10.0.0.1/tcp/7450", id, len(addrs), addrs)
	}
	if s, ok := h.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(id)
	}
	// Only these addresses: old ones of a parent that moved would be dialed first.
	h.host.Peerstore().ClearAddrs(id)
	ctx, cancel := h.until(ctx)
	defer cancel()
	if err := h.host.Connect(ctx, peer.AddrInfo{ID: id, Addrs: dial}); err != nil {
		return &unreachable{id: id, addrs: dial, err: err}
	}
	return nil
}

// unreachable is a dial that failed at every address. Libp2p's own error says
// so in a paragraph per address; this one says it in a line.
type unreachable struct {
	id    peer.ID
	addrs []multiaddr.Multiaddr
	err   error
}

func (u *unreachable) Unwrap() error { return u.err }

func (u *unreachable) Error() string {
	why := []string{}
	var dial *swarm.DialError
	if errors.As(u.err, &dial) {
		for _, e := range dial.DialErrors {
			if cause := innermost(e.Cause).Error(); !slices.Contains(why, cause) {
				why = append(why, cause)
			}
		}
	}
	if len(why) == 0 {
		why = append(why, innermost(u.err).Error())
	}
	return fmt.Sprintf("nobody we know answers at %v (%.200s)", u.addrs, strings.Join(why, "; "))
}

// innermost is what an error comes down to: "connection refused".
func innermost(err error) error {
	for {
		below := errors.Unwrap(err)
		if below == nil {
			return err
		}
		err = below
	}
}

// until ends with ctx or with the host.
func (h *Host) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (h *Host) parseAddrs(id peer.ID, addrs []string) []multiaddr.Multiaddr {
	const most = 64 // addresses may come from outside
	var out []multiaddr.Multiaddr
	for _, s := range addrs[:min(len(addrs), most)] {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			h.log.Warn("address skipped: can't be read", "peer", id, "address", fmt.Sprintf("%.200q", s), "err", err)
			continue
		}
		at, of := peer.SplitAddr(a)
		if at == nil || (of != "" && of != id) {
			h.log.Warn("address skipped: not this peer's", "peer", id, "address", a)
			continue
		}
		out = append(out, at)
	}
	return out
}

// Known returns the addresses, with /p2p, that id is known to listen on: those
// it was dialed at and those it told after connecting. To be kept for later.
func (h *Host) Known(id peer.ID) []string {
	var out []string
	for _, a := range h.host.Peerstore().Addrs(id) {
		out = append(out, a.String()+"/p2p/"+id.String())
	}
	return out
}

// Disconnect closes all connections with id; nil when there are none.
func (h *Host) Disconnect(id peer.ID) error {
	if err := h.host.Network().ClosePeer(id); err != nil {
		return fmt.Errorf("disconnect from %s: %w", id, err)
	}
	return nil
}

// Connected says whether there is a connection with id, as far as we know: a
// link that died silently is noticed by a heartbeat of the layer above first.
func (h *Host) Connected(id peer.ID) bool {
	return h.host.Network().Connectedness(id) == network.Connected
}

// connected is called by the swarm for each new connection, before any stream.
func (h *Host) connected(c network.Conn) {
	id := c.RemotePeer()
	member := h.members.has(id)
	if c.Stat().Direction == network.DirInbound {
		h.replaceOlder(c)
		if !member && !h.strays.watch(c) {
			h.refused.add(RefusedStrangerConnection, "peer", id, "address", c.RemoteMultiaddr(), "why", "too many")
			h.spawn(func() { c.Close() })
			return
		}
		if !member && h.members.has(id) { // admitted meanwhile
			h.strays.forget(c)
			member = true
		}
	}
	if member {
		h.setPeerLimits(id, true)
		h.gossip.want(id)
	}
}

// replaceOlder closes the connections that id dialed before c. Only the child
// dials, and once at a time: a second connection means that it has lost the first
// one, which we would go on writing gossip to until TCP notices.
func (h *Host) replaceOlder(c network.Conn) {
	for _, old := range h.host.Network().ConnsToPeer(c.RemotePeer()) {
		if old != c && old.Stat().Direction == network.DirInbound && !old.Stat().Opened.After(c.Stat().Opened) {
			h.spawn(func() { old.Close() })
		}
	}
}

// disconnected is called by the swarm when a connection has ended.
func (h *Host) disconnected(c network.Conn) {
	h.strays.forget(c)
	h.members.wake()
	if id := c.RemotePeer(); !h.Connected(id) && !h.members.has(id) {
		// What strangers tell of their addresses is no use to us.
		h.host.Peerstore().UpdateAddrs(id, peerstore.RecentlyConnectedAddrTTL, peerstore.TempAddrTTL)
	}
}

var errNotDialed = errors.New("mesh dials only what Connect asks for")
