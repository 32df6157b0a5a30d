package mesh

import (
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// dockerBridge matches the interfaces that Docker makes for its networks: every
// app adds one, and no other machine can reach us through it.
var dockerBridge = regexp.MustCompile(`^(docker[0-9]+|docker_gwbridge|br-[0-9a-f]{12})$`)

// lan returns the interfaces that lead to other machines, loopback included, and
// their addresses as they are now, without Docker's bridges and without IPv6
// link-local addresses, which can't be dialed without naming an interface.
func lan() ([]net.Interface, []net.IP, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	var ifaces []net.Interface
	var ips []net.IP
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || dockerBridge.MatchString(i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away since it was listed
		}
		n := len(ips)
		for _, a := range addrs {
			if ipnet, ok := a.(*net.IPNet); ok && !(ipnet.IP.To4() == nil && ipnet.IP.IsLinkLocalUnicast()) {
				ips = append(ips, ipnet.IP)
			}
		}
		if len(ips) > n {
			ifaces = append(ifaces, i)
		}
	}
	return ifaces, ips, nil
}

// dialable resolves listen addresses to those that other machines can dial.
// Loopback addresses come last: they serve tests, and nodes on one machine.
func dialable(listen []multiaddr.Multiaddr) ([]multiaddr.Multiaddr, error) {
	_, ips, err := lan()
	if err != nil {
		return nil, err
	}
	var out []multiaddr.Multiaddr
	for _, l := range listen {
		if !manet.IsIPUnspecified(l) {
			out = append(out, l)
			continue
		}
		first, rest := multiaddr.SplitFirst(l)
		for _, ip := range ips {
			if (ip.To4() != nil) != (first.Protocol().Code == multiaddr.P_IP4) {
				continue
			}
			a, err := manet.FromIP(ip)
			if err != nil {
				return nil, err
			}
			out = append(out, a.Encapsulate(rest))
		}
	}
	slices.SortStableFunc(out, func(a, b multiaddr.Multiaddr) int {
		switch la, lb := manet.IsIPLoopback(a), manet.IsIPLoopback(b); {
		case la == lb:
			return strings.Compare(a.String(), b.String())
		case la:
			return 1
		}
		return -1
	})
	return slices.CompactFunc(out, func(a, b multiaddr.Multiaddr) bool { return a.Equal(b) }), nil
}
