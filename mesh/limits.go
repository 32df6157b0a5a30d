package mesh

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

const (
	// DefaultChildren is what limits are sized for when Config.Children is 0.
	DefaultChildren = 1000
	// MaxStrangers is how many connections of peers that are not admitted, and
	// that we did not dial, are held at once.
	MaxStrangers = 128
	// StrangerStay is how long such a connection is held.
	StrangerStay = 30 * time.Second
	// maxStrangerStreams is how many streams one such peer may hold at once in
	// handlers of ours.
	maxStrangerStreams = 8
)

// Memory is counted by what a peer could make us hold: a stream promises its
// sender a window of 256 KiB, used or not.
const (
	streamWindow   = 256 << 10
	strangerMemory = 8 << 20
	memberStreams  = 256
	memberMemory   = memberStreams * streamWindow
)

// newResourceManager sizes libp2p's limits for a tier of children direct
// children: its defaults refuse the 253rd, or the 65th on a small machine, and
// the ninth behind one address.
func newResourceManager(children int) (network.ResourceManager, error) {
	conns := children + MaxStrangers + 64 // headroom: reconnects that overlap, our own dials
	n := func(v int) rcmgr.LimitVal { return rcmgr.LimitVal(v) }
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: n(2 * conns), ConnsInbound: n(2 * conns), ConnsOutbound: n(64 + children/4),
			FD:      n(2*conns + 64),
			Streams: n(16*conns + 4096), StreamsInbound: n(16*conns + 4096), StreamsOutbound: n(16*conns + 4096),
			Memory: rcmgr.LimitVal64(int64(conns)*16*streamWindow + 1<<30),
		},
		// Transient: not yet past the handshake, or no protocol chosen yet. After
		// a parent's restart all children knock at once.
		Transient: rcmgr.ResourceLimits{
			Conns: n(conns), ConnsInbound: n(conns), ConnsOutbound: n(64),
			FD:      n(conns),
			Streams: n(4 * conns), StreamsInbound: n(4 * conns), StreamsOutbound: n(4 * conns),
			Memory: rcmgr.LimitVal64(int64(conns) * 8 * streamWindow),
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: 8, ConnsInbound: 4, ConnsOutbound: 8, FD: 8,
			Streams: 48, StreamsInbound: 24, StreamsOutbound: 24,
			Memory: strangerMemory,
		},
	}
	perAddress := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: 2 * conns}}
	perSite := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: 2 * conns}}
	m, err := rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithLimitPerSubnet(perAddress, perSite),
		rcmgr.WithConnRateLimiters(connRateLimiter(conns)),
		rcmgr.WithMetricsDisabled(),
	)
	if err != nil {
		return nil, fmt.Errorf("set limits for %d children: %w", children, err)
	}
	return m, nil
}

// setPeerLimits gives a peer what its admission allows it: the few streams of a
// stranger, or enough for a gateway to relay many logs and shells at once.
func (h *Host) setPeerLimits(id peer.ID, member bool) {
	limit := &rcmgr.BaseLimit{
		Conns: 8, ConnsInbound: 4, ConnsOutbound: 8, FD: 8,
		Streams: 48, StreamsInbound: 24, StreamsOutbound: 24, Memory: strangerMemory,
	}
	if member {
		limit.Streams, limit.StreamsInbound, limit.StreamsOutbound = 2*memberStreams, memberStreams, memberStreams
		limit.Memory = memberMemory
	}
	// The simulated network's resource manager has no limits to set.
	_ = h.host.Network().ResourceManager().ViewPeer(id, func(s network.PeerScope) error {
		if l, ok := s.(rcmgr.ResourceScopeLimiter); ok {
			l.SetLimit(limit)
		}
		return nil
	})
}

// connRateLimiter bounds new connections per address. Libp2p's default, one per
// five seconds after the first 16, both ways, would lock out a tier behind one
// address after a restart, and our own reconnecting.
func connRateLimiter(conns int) *rate.Limiter {
	limit := rate.Limit{RPS: float64(conns), Burst: 4 * conns}
	return &rate.Limiter{SubnetRateLimiter: rate.SubnetLimiter{
		IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit}},
		IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: limit}},
		GracePeriod:      time.Minute,
	}}
}
