package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
)

// ErrClosed is wrapped by what is asked of a host after Close.
var ErrClosed = errors.New("mesh host is closed")

// Config is what a host is made from.
type Config struct {
	// Key is the node's identity: an ed25519 key. Needed.
	Key crypto.PrivKey
	// Listen holds the addresses to listen on, e.g. /ip4/0.0.0.0/tcp/7450. With
	// none the host only dials, as a cell may.
	Listen []multiaddr.Multiaddr
	// Children is how many direct children connection and memory limits are
	// sized for; 0 means DefaultChildren.
	Children int
	// Log gets what happens; nil means nobody.
	Log *slog.Logger
	// Options, when there are any, bring the transport and the resource manager
	// in place of TCP and of limits sized for Children, e.g. the simulated
	// network's. Everything else stays as it is.
	Options []libp2p.Option
}

// Host is a node on the network. Its methods may be called by many goroutines.
type Host struct {
	host    host.Host
	log     *slog.Logger
	refused *refusals
	members *members
	strays  *strangers
	gossip  *gossip

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // handlers and goroutines; begun only while not closed
	closing sync.Once
}

// New makes a host and starts to listen. It fails when the key is missing or no
// ed25519 key, when none of the addresses can be listened on, or when Children is
// negative. The caller must Close it.
func New(cfg Config) (*Host, error) {
	if cfg.Key == nil {
		return nil, errors.New("make mesh host: no key: load or create the node's identity first")
	}
	if _, ok := cfg.Key.(*crypto.Ed25519PrivateKey); !ok {
		return nil, fmt.Errorf("make mesh host: the key is of type %s: only ed25519 identities are used", cfg.Key.Type())
	}
	if cfg.Children < 0 {
		return nil, fmt.Errorf("make mesh host: %d children: give 0 for the default of %d, or more", cfg.Children, DefaultChildren)
	}
	if cfg.Children == 0 {
		cfg.Children = DefaultChildren
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &Host{log: cfg.Log, refused: newRefusals(cfg.Log), members: newMembers()}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.strays = newStrangers(h)

	options := []libp2p.Option{
		libp2p.Identity(cfg.Key),
		libp2p.NoListenAddrs, // listened on below, once everything that answers is in place
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ConnectionGater((*gater)(h)),
		// Nothing may be trimmed: strangers are bounded by us, members are few.
		libp2p.ConnectionManager(&connmgr.NullConnMgr{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPrivate(), // nobody is asked whether we can be reached
		libp2p.Ping(false),
		libp2p.UserAgent("pharos"),
	}
	if len(cfg.Options) > 0 {
		options = append(options, cfg.Options...)
	} else {
		limits, err := newResourceManager(cfg.Children)
		if err != nil {
			return nil, fmt.Errorf("make mesh host: %w", err)
		}
		options = append(options,
			libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
			libp2p.ResourceManager(limits))
	}
	var err error
	if h.host, err = libp2p.New(options...); err != nil {
		h.cancel()
		return nil, fmt.Errorf("make mesh host: %w", err)
	}
	h.host.Network().Notify((*notifiee)(h))
	if h.gossip, err = newGossip(h); err != nil {
		return nil, errors.Join(fmt.Errorf("make mesh host: start gossip: %w", err), h.Close())
	}
	if len(cfg.Listen) > 0 {
		if err := h.host.Network().Listen(cfg.Listen...); err != nil {
			err = fmt.Errorf("make mesh host: listen on %v: %w: is another node using the port?", cfg.Listen, err)
			return nil, errors.Join(err, h.Close())
		}
		if got := len(h.host.Network().ListenAddresses()); got < len(cfg.Listen) {
			h.log.Warn("some addresses can't be listened on", "wanted", cfg.Listen, "listening", h.host.Network().ListenAddresses())
		}
	}
	return h, nil
}

// guard calls fn, which is not mesh's own, so that a panic in it, perhaps caused
// by something from outside, doesn't end the node.
func (h *Host) guard(what string, fn func()) {
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("panic recovered, the node goes on; please report this", "in", what, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	fn()
}

// begin counts a piece of work that Close has to wait for; false means that the
// host is closed and the work must not start. Each true needs one call of end.
func (h *Host) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running.Add(1)
	return true
}

func (h *Host) end() { h.running.Done() }

// spawn runs fn in a goroutine that Close waits for; after Close it does nothing.
func (h *Host) spawn(fn func()) {
	if !h.begin() {
		return
	}
	go func() {
		defer h.end()
		fn()
	}()
}

// Close ends every connection, handler, follower and discovery of this host, and
// waits for them; handlers see their context end and their streams break. It
// must not be called from a handler or a Follow or Discover function.
func (h *Host) Close() error {
	var err error
	h.closing.Do(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.cancel()
		h.strays.stop()
		err = h.host.Close()
		h.running.Wait()
	})
	if err != nil {
		return fmt.Errorf("close mesh host: %w", err)
	}
	return nil
}

// ID is this node's peer ID.
func (h *Host) ID() peer.ID { return h.host.ID() }

// Addrs returns the addresses under which others may dial this node, each with
// its /p2p/<id>. Where it listens on all interfaces, those of each interface are
// named as they are now, without Docker's bridges; loopback addresses come last.
func (h *Host) Addrs() []string {
	addrs, err := dialable(h.host.Network().ListenAddresses())
	if err != nil {
		h.log.Warn("can't list this machine's interfaces: addresses are given as they are listened on", "err", err)
		addrs = h.host.Network().ListenAddresses()
	}
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String()+"/p2p/"+h.ID().String())
	}
	return out
}

// ListenAddrs returns what this host really listens on, with the port that was
// chosen where 0 was asked for: to keep a port over restarts.
func (h *Host) ListenAddrs() []multiaddr.Multiaddr {
	return slices.Clone(h.host.Network().ListenAddresses())
}

// notifiee is how libp2p tells the host of connections that come and go. Its
// methods must not block: the swarm waits for them.
type notifiee Host

var _ network.Notifiee = (*notifiee)(nil)

func (n *notifiee) Connected(_ network.Network, c network.Conn)    { (*Host)(n).connected(c) }
func (n *notifiee) Disconnected(_ network.Network, c network.Conn) { (*Host)(n).disconnected(c) }
func (*notifiee) Listen(network.Network, multiaddr.Multiaddr)      {}
func (*notifiee) ListenClose(network.Network, multiaddr.Multiaddr) {}
