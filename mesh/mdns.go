package mesh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/zeroconf/v2"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// This file speaks mDNS as go-libp2p's own mdns package does (text records
// "dnsaddr=<multiaddr>"), on the same zeroconf library, but not through it: that
// package looks for peers over IPv4 and IPv6 or not at all, so that it finds
// nobody on a machine without IPv6, says nothing of it, and then never closes.

const (
	dnsaddrPrefix = "dnsaddr="
	mdnsDomain    = "local"
	// mdnsPort fills a field that readers ignore: ports are in the text records.
	mdnsPort = 7450
	// mdnsAddrs is the most addresses announced: a packet should fit 1500 bytes.
	mdnsAddrs = 8
	// mdnsFresh is how long one session runs at most. The zeroconf library
	// remembers every announcement for over an hour, true or not.
	mdnsFresh = 15 * time.Minute
)

// errNoMulticast: this machine is on no network yet, or on none with multicast.
var errNoMulticast = errors.New("no interface with an address that does multicast: connect the network, or give the parent's address by hand")

// discoverOnce announces us and looks for others until ctx ends, this machine's
// addresses change (nil), or something fails. heard gets each announcement once.
func (h *Host) discoverOnce(ctx context.Context, service string, heard func(text []string)) error {
	ifaces, addrs, err := h.mdnsSurroundings()
	if err != nil {
		return err
	}
	if len(addrs) > 0 {
		server, err := h.announceMDNS(service, addrs, ifaces)
		if err != nil {
			return fmt.Errorf("announce: %w", err)
		}
		defer server.Shutdown()
	}

	browse, cancel := context.WithCancel(ctx)
	entries := make(chan *zeroconf.ServiceEntry, 16)
	ended := make(chan error, 1)
	go func() {
		ended <- zeroconf.Browse(browse, service, mdnsDomain, entries,
			zeroconf.SelectIfaces(ifaces), zeroconf.SelectIPTraffic(families(ifaces)))
	}()
	defer func() {
		cancel()
		for { // it may be waiting to hand over an entry
			select {
			case <-entries:
			case <-ended:
				return
			}
		}
	}()

	poll := time.NewTicker(discoverPoll)
	defer poll.Stop()
	fresh := time.NewTimer(mdnsFresh)
	defer fresh.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-entries:
			if !ok {
				entries = nil // what ended it comes on the other channel
			} else {
				heard(e.Text)
			}
		case err := <-ended:
			ended <- err
			return fmt.Errorf("look for others: %w", cmpOr(err))
		case <-fresh.C:
			return nil
		case <-poll.C:
			nowIfaces, nowAddrs, err := h.mdnsSurroundings()
			if err != nil || !slices.EqualFunc(ifaces, nowIfaces, func(a, b net.Interface) bool { return a.Index == b.Index }) ||
				!slices.EqualFunc(addrs, nowAddrs, func(a, b multiaddr.Multiaddr) bool { return a.Equal(b) }) {
				return err
			}
		}
	}
}

func cmpOr(err error) error {
	if err == nil {
		return errors.New("it ended by itself")
	}
	return err
}

// mdnsSurroundings returns the interfaces to multicast on and the addresses to
// announce: loopback only when we listen on nothing else.
func (h *Host) mdnsSurroundings() ([]net.Interface, []multiaddr.Multiaddr, error) {
	all, _, err := lan()
	if err != nil {
		return nil, nil, err
	}
	ifaces := slices.DeleteFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagMulticast == 0 })
	if len(ifaces) == 0 {
		return nil, nil, errNoMulticast
	}
	addrs, err := dialable(h.host.Network().ListenAddresses())
	if err != nil {
		return nil, nil, err
	}
	if far := slices.DeleteFunc(slices.Clone(addrs), manet.IsIPLoopback); len(far) > 0 {
		addrs = far
	}
	addrs = slices.DeleteFunc(addrs, func(a multiaddr.Multiaddr) bool { _, err := manet.ToIP(a); return err != nil })
	return ifaces, addrs[:min(len(addrs), mdnsAddrs)], nil
}

// announceMDNS registers us under a name made for this session: a name heard before
// is not handed on again by those who look for it.
func (h *Host) announceMDNS(service string, addrs []multiaddr.Multiaddr, ifaces []net.Interface) (*zeroconf.Server, error) {
	var text, ips []string
	for _, a := range addrs {
		text = append(text, dnsaddrPrefix+a.String()+"/p2p/"+h.ID().String())
		if ip, err := manet.ToIP(a); err == nil && !slices.Contains(ips, ip.String()) {
			ips = append(ips, ip.String())
		}
	}
	name := strings.ToLower(rand.Text())
	return zeroconf.RegisterProxy(name, service, mdnsDomain, mdnsPort, name, ips, text, ifaces)
}

// families says over which of IPv4 and IPv6 multicast can be joined. To ask for
// one that no interface has makes the zeroconf library give up the other too.
func families(ifaces []net.Interface) zeroconf.IPType {
	var t zeroconf.IPType
	for _, i := range ifaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			switch {
			case !ok:
			case ipnet.IP.To4() != nil:
				t |= zeroconf.IPv4
			default:
				t |= zeroconf.IPv6
			}
		}
	}
	return t
}
