package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	corenet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// simTransport is the network as one host's libp2p sees it.
type simTransport struct {
	n        *Network
	m        *machine
	upgrader transport.Upgrader
}

var _ transport.Transport = (*simTransport)(nil)

func (t *simTransport) Protocols() []int { return []int{multiaddr.P_TCP} }
func (t *simTransport) Proxy() bool      { return false }

func (t *simTransport) CanDial(a multiaddr.Multiaddr) bool {
	p := a.Protocols()
	return len(p) == 2 && p[0].Code == multiaddr.P_IP4 && p[1].Code == multiaddr.P_TCP
}

func (t *simTransport) Dial(ctx context.Context, to multiaddr.Multiaddr, id peer.ID) (transport.CapableConn, error) {
	c, err := t.dial(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("dial %s from %s: %w", to, t.m.name, err)
	}
	return t.upgrader.Upgrade(ctx, t, c, corenet.DirOutbound, id, &corenet.NullScope{})
}

func (t *simTransport) dial(ctx context.Context, to multiaddr.Multiaddr) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, DialTimeout, os.ErrDeadlineExceeded)
	defer cancel()
	_, address, err := manet.DialArgs(to)
	if err != nil {
		return nil, err
	}
	ip, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	for {
		near, far, l, changed, err := t.n.connect(t.m, ip, address)
		if err != nil {
			return nil, err
		}
		if near == nil { // the link is cut
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		if err := t.n.handshake(ctx, l, far); err != nil {
			return nil, errors.Join(err, near.Close(), far.Close())
		}
		return near, nil
	}
}

// handshake takes one round trip, and hands the far end to the listener.
func (n *Network) handshake(ctx context.Context, l *listener, far *conn) error {
	if d := n.latency(); d > 0 {
		select {
		case <-time.After(2 * d):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case l.queue <- far:
		return nil
	case <-l.done:
		return syscall.ECONNREFUSED
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// connect makes both ends of a connection from m to address, or, when the link is
// cut, returns a channel that closes once links have changed.
func (n *Network) connect(m *machine, ip, address string) (near, far *conn, l *listener, changed <-chan struct{}, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.byIP[ip]
	if to == nil {
		return nil, nil, nil, nil, syscall.EHOSTUNREACH
	}
	if n.cutLocked(m.name, to.name) || n.cutLocked(to.name, m.name) {
		return nil, nil, nil, n.changed, nil
	}
	l = n.addresses[address]
	if l == nil {
		return nil, nil, nil, nil, syscall.ECONNREFUSED
	}
	from := tcpAddr(m.ip, n.nextPort)
	if n.nextPort++; n.nextPort > 65535 {
		n.nextPort = firstEphemera
	}
	there := newPipe(n.latency, m.count(&m.sent), to.count(&to.received))
	back := newPipe(n.latency, to.count(&to.sent), m.count(&m.received))
	near = &conn{n: n, local: m, remote: to, out: there, in: back, laddr: from, raddr: l.addr}
	far = &conn{n: n, local: to, remote: m, out: back, in: there, laddr: l.addr, raddr: from}
	n.conns[near], n.conns[far] = struct{}{}, struct{}{}
	return near, far, l, nil, nil
}

func (t *simTransport) Listen(a multiaddr.Multiaddr) (transport.Listener, error) {
	_, address, err := manet.DialArgs(a)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a, err)
	}
	ip, portText, err := net.SplitHostPort(address)
	if err != nil || ip != t.m.ip || portText == "0" {
		return nil, fmt.Errorf("listen on %s: host %s has the address %s and needs a port", a, t.m.name, t.m.ip)
	}
	l := &listener{n: t.n, addr: a, key: address, queue: make(chan *conn, 128), done: make(chan struct{})}
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	if t.n.addresses[address] != nil {
		return nil, fmt.Errorf("listen on %s: %w", a, syscall.EADDRINUSE)
	}
	t.n.addresses[address] = l
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(l)), nil
}

// listener is a bound address.
type listener struct {
	n     *Network
	addr  multiaddr.Multiaddr
	key   string
	queue chan *conn
	done  chan struct{}
	once  sync.Once
}

var _ manet.Listener = (*listener)(nil)

func (l *listener) Accept() (manet.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, transport.ErrListenerClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.n.mu.Lock()
		delete(l.n.addresses, l.key)
		l.n.mu.Unlock()
		close(l.done)
		for { // those never accepted
			select {
			case c := <-l.queue:
				_ = c.Close()
			default:
				return
			}
		}
	})
	return nil
}

func (l *listener) Multiaddr() multiaddr.Multiaddr { return l.addr }
func (l *listener) Addr() net.Addr                 { return netAddr(l.addr) }

func netAddr(a multiaddr.Multiaddr) net.Addr {
	ip, _ := a.ValueForProtocol(multiaddr.P_IP4)
	text, _ := a.ValueForProtocol(multiaddr.P_TCP)
	port, _ := strconv.Atoi(text)
	return &net.TCPAddr{IP: net.ParseIP(ip), Port: port}
}
