// Package network is one simulated local network for libp2p hosts in a single
// process: connections over memory, carried by the ordinary noise and yamux, with
// links that can be cut, healed and slowed. It works inside a testing/synctest
// bubble, where nothing of it counts as running while it waits.
//
// Use: give each host a name, put [Network.Options] and [Network.Listen] of that
// name into its mesh.Config, and cut links between names. Addresses look like
// /ip4/10.0.0.7/tcp/7450, so that everything that reads addresses treats them as
// it treats real ones.
//
// A cut link behaves as a pulled cable does under TCP: nobody is told. What is
// written waits in a send buffer of [SendBuffer] bytes per direction, and when
// that is full Write blocks until its deadline, a heal or a close. After a heal
// what waited arrives, complete and in order, and so does a close that happened
// meanwhile. A dial over a cut link waits for a heal until its context ends or
// [DialTimeout] has passed. Loss and reordering on the wire are not simulated:
// TCP would hide them.
//
// What it refuses: dialing an address that nobody listens on (refused at once),
// and listening twice on one.
package network

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	corenet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"
)

const (
	// SendBuffer is how many bytes one direction of a connection holds that have
	// not been taken, and acknowledged, by the other end.
	SendBuffer = 256 << 10
	// DialTimeout is how long a dial waits for an answer over a cut link.
	DialTimeout = 5 * time.Second

	port          = 7450
	firstEphemera = 20000
)

// Network is one simulated network. Make it with New, inside the bubble when
// there is one. Its methods may be called by many goroutines.
type Network struct {
	mu        sync.Mutex
	hosts     map[string]*machine
	addresses map[string]*listener // by host:port
	byIP      map[string]*machine
	conns     map[*conn]struct{}
	cuts      map[way]bool
	isolated  map[string]bool
	delay     atomic.Int64
	changed   chan struct{} // closed and replaced when links change: dials wait on it
	nextPort  int
}

// way is one direction between two hosts.
type way struct{ from, to string }

// machine is one host's place on the network.
type machine struct {
	name, ip       string
	sent, received atomic.Uint64
}

// New makes a network without hosts, without delay, all links whole.
func New() *Network {
	return &Network{
		hosts: map[string]*machine{}, addresses: map[string]*listener{}, byIP: map[string]*machine{},
		conns: map[*conn]struct{}{}, cuts: map[way]bool{}, isolated: map[string]bool{},
		changed: make(chan struct{}), nextPort: firstEphemera,
	}
}

// machine returns the host called name, and gives it an address at its first call.
func (n *Network) machine(name string) *machine {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.hosts[name]
	if m == nil {
		i := len(n.hosts) + 1
		m = &machine{name: name, ip: fmt.Sprintf("10.%d.%d.%d", i>>16&0xff, i>>8&0xff, i&0xff)}
		n.hosts[name] = m
		n.byIP[m.ip] = m
	}
	return m
}

// Options returns what to put into mesh.Config.Options for the host called name:
// the transport, and a resource manager without limits. A host that is closed and
// made again under its name has the address it had.
func (n *Network) Options(name string) []libp2p.Option {
	m := n.machine(name)
	return []libp2p.Option{
		libp2p.Transport(func(u transport.Upgrader) (*simTransport, error) {
			return &simTransport{n: n, m: m, upgrader: u}, nil
		}),
		libp2p.ResourceManager(&corenet.NullResourceManager{}),
	}
}

// Listen returns the address that the host called name is to listen on.
func (n *Network) Listen(name string) multiaddr.Multiaddr {
	return tcpAddr(n.machine(name).ip, port)
}

func tcpAddr(ip string, port int) multiaddr.Multiaddr {
	return multiaddr.StringCast(fmt.Sprintf("/ip4/%s/tcp/%d", ip, port))
}

// Cut makes what a and b send each other vanish until Heal; see the package doc.
func (n *Network) Cut(a, b string) {
	n.change(func() { n.cuts[way{a, b}], n.cuts[way{b, a}] = true, true })
}

// CutOneWay cuts only what a sends to b. What b sends still arrives, but isn't
// acknowledged: b's send buffer fills up. New connections fail both ways.
func (n *Network) CutOneWay(a, b string) { n.change(func() { n.cuts[way{a, b}] = true }) }

// Heal undoes Cut and CutOneWay between a and b, both ways. It doesn't end an
// isolation.
func (n *Network) Heal(a, b string) {
	n.change(func() { delete(n.cuts, way{a, b}); delete(n.cuts, way{b, a}) })
}

// HealAll undoes all cuts and all isolations.
func (n *Network) HealAll() { n.change(func() { clear(n.cuts); clear(n.isolated) }) }

// Isolate cuts the host called name off from all others, until Rejoin.
func (n *Network) Isolate(name string) { n.change(func() { n.isolated[name] = true }) }

// Rejoin undoes Isolate. It doesn't heal what was cut between two hosts.
func (n *Network) Rejoin(name string) { n.change(func() { delete(n.isolated, name) }) }

// Delay makes everything written from now on take d from host to host, on all
// links, and a dial twice that. The default is 0.
func (n *Network) Delay(d time.Duration) { n.delay.Store(int64(d)) }

// Bytes returns how many bytes the host called name has sent (as accepted by
// Write) and received (as given by Read), over all its connections ever.
func (n *Network) Bytes(name string) (sent, received uint64) {
	m := n.machine(name)
	return m.sent.Load(), m.received.Load()
}

func (n *Network) latency() time.Duration { return time.Duration(n.delay.Load()) }

// change alters the links, and tells connections and waiting dials.
func (n *Network) change(alter func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	alter()
	for c := range n.conns {
		there := n.cutLocked(c.local.name, c.remote.name)
		back := n.cutLocked(c.remote.name, c.local.name)
		c.out.setCut(there, back)
		c.in.setCut(back, there)
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *Network) cutLocked(from, to string) bool {
	return n.cuts[way{from, to}] || n.isolated[from] || n.isolated[to]
}
