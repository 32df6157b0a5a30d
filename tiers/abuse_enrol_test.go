package tiers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/multiformats/go-multiaddr"

	"pharos/mesh"
	"pharos/state"
	"pharos/testnet/simulation"
)

// Strangers that open enrolments and say nothing must not keep others out.
func TestIdleStrangersKeepNobodyOut(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		line1 := f.Node("line-1")
		to, err := line1.Certificate().ID.Peer()
		if err != nil {
			t.Fatal(err)
		}
		var at []multiaddr.Multiaddr
		for _, a := range line1.Addresses() {
			at = append(at, multiaddr.StringCast(strings.Split(a, "/p2p/")[0]))
		}
		for i := range 3 {
			h, err := libp2p.New(append(f.Net.Options(fmt.Sprintf("mallory-%d", i)),
				libp2p.Identity(newKey(t)), libp2p.NoListenAddrs, libp2p.Security(noise.ID, noise.New),
				libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.DisableRelay(), libp2p.DisableMetrics(),
				libp2p.DisableIdentifyAddressDiscovery(), libp2p.Ping(false))...)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if err := h.Connect(t.Context(), peer.AddrInfo{ID: to, Addrs: at}); err != nil {
				t.Fatal(err)
			}
			for range 8 {
				s, err := h.NewStream(network.WithNoDial(t.Context(), ""), to, mesh.ProtocolEnrol)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Write([]byte{0xff, 0x01}); err != nil { // the length of a frame that never comes
					t.Fatal(err)
				}
			}
		}
		f.Pass(100 * time.Millisecond)
		text := token(t, f, state.TokenRequest{Name: "press-3", Parent: "line-1"})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := f.Join(ctx, "press-3", text); err != nil {
			t.Error(err)
		}
	})
}

// Nothing is promised that can't be kept: a token whose document could not be
// issued is not made.
func TestATokenWithTooManyLabels(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		labels := map[string]string{}
		for i := range 65 {
			labels[fmt.Sprintf("l%d", i)] = "x"
		}
		if _, err := f.Root().CreateToken(t.Context(), state.TokenRequest{Name: "press-3", Labels: labels}); state.KindOf(err) != state.Invalid || err == nil {
			t.Errorf("65 labels: %v", err)
		}
	})
}

// Whoever gives up joining has not to wait for a gateway that does not answer.
func TestJoiningIsGivenUpAtOnce(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		line1 := f.Node("line-1")
		text := token(t, f, state.TokenRequest{Name: "press-3", Parent: "line-1"})
		line1.Stop()
		h := peerOf(t, f, "line-1", line1.Key)
		asked := make(chan struct{}, 1)
		h.Handle(mesh.ProtocolEnrol, func(ctx context.Context, _ *mesh.Stream) {
			asked <- struct{}{}
			<-ctx.Done()
		})
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := f.Join(ctx, "press-3", text)
			failed <- err
		}()
		<-asked
		cancel()
		began := time.Now()
		if err := <-failed; err == nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		_ = h.Close()
	})
}
