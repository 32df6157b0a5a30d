package tiers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"pharos/mesh"
	"pharos/state"
	"pharos/tiers/wire"
)

var discard = slog.New(slog.DiscardHandler)

// shortHash names a factory in few letters of either case.
func shortHash(id state.NodeID) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:5])
}

// JoinConfig is what a machine needs to enrol.
type JoinConfig struct {
	Data  string // made when it is not there
	Token string
	MDNS  bool // look for the parent on the LAN besides the token's addresses
	Log   *slog.Logger

	Mesh []libp2p.Option // for simulations
}

// Join enrols this machine: its parent-to-be passes the request up to the
// root, and the root's signed certificate is kept. It may be called again with
// the same token when it was interrupted: the root gives the same answer.
//
// It refuses a folder that is in a factory already, and an answer that is not
// signed by the factory that the token names. It tries until ctx ends.
func Join(ctx context.Context, cfg JoinConfig) (state.Certificate, error) {
	if cfg.Log == nil {
		cfg.Log = discard
	}
	token, err := state.ParseJoinToken(cfg.Token)
	if err != nil {
		return state.Certificate{}, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return state.Certificate{}, state.Because(state.Unable, "making the data folder "+cfg.Data, err, "give another folder with --data")
	}
	key, store, err := claim(cfg.Data)
	if err != nil {
		return state.Certificate{}, err
	}
	cert, err := Enrol(ctx, store, key, token, cfg)
	return cert, errors.Join(err, store.Close())
}

// Enrol is Join with a store and a key at hand.
func Enrol(ctx context.Context, store *state.Store, key crypto.PrivKey, token state.JoinToken, cfg JoinConfig) (state.Certificate, error) {
	doing := fmt.Sprintf("joining factory %s as %s", token.Factory.Short(), token.Name)
	parent, err := token.Parent.Peer()
	if err != nil {
		return state.Certificate{}, err
	}
	host, err := mesh.New(mesh.Config{Key: key, Log: cfg.Log, Options: cfg.Mesh})
	if err != nil {
		return state.Certificate{}, state.Because(state.Unable, doing, err, "")
	}
	defer host.Close() //nolint:errcheck // nothing of it is needed any more
	heard := make(chan []string, 1)
	if cfg.MDNS {
		stop, err := host.Discover(serviceName(token.Factory), func(id peer.ID, addrs []string) {
			if id == parent {
				select {
				case heard <- addrs:
				default:
				}
			}
		})
		if err != nil {
			return state.Certificate{}, state.Because(state.Unable, doing, err, "use --mdns=false")
		}
		defer stop()
	}
	addresses := token.Addresses
	last := errors.New("no address of the parent is known: is it on this network, and running?")
	for {
		if len(addresses) > 0 {
			sealed, cert, err := askToJoin(ctx, host, parent, addresses, key, token)
			switch {
			case err == nil:
				// The addresses first: with the certificate the folder is whole.
				if err := store.PutParentAddresses(addresses); err != nil {
					return cert, err
				}
				return cert, store.PutCertificate(sealed)
			case isAnswer(err):
				return state.Certificate{}, err
			}
			last = err
			cfg.Log.Info("trying again to join", "error", err)
		}
		wait := time.NewTimer(longestPause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return state.Certificate{}, state.Because(state.Unable, doing, last,
				"check that the parent runs and that this machine reaches it, then use the same token again until it expires")
		case addrs := <-heard:
			addresses = append(addrs, addresses...)
			addresses = addresses[:min(len(addresses), maxAddresses)]
		case <-wait.C:
		}
		wait.Stop()
	}
}

// isAnswer says that the factory has answered: asking again changes nothing.
// A gateway that can't reach the root right now is worth asking again.
func isAnswer(err error) bool {
	var p *state.Problem
	return errors.As(err, &p) && p.Kind != state.Unable
}

func askToJoin(ctx context.Context, host *mesh.Host, parent peer.ID, addresses []string, key crypto.PrivKey, token state.JoinToken) (state.Sealed, state.Certificate, error) {
	none := state.Certificate{}
	dial, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	if err := host.Connect(dial, parent, addresses); err != nil {
		return nil, none, fmt.Errorf("dialling the parent: %w", err)
	}
	request, err := token.Request(key)
	if err != nil {
		return nil, none, err
	}
	within, cancel := context.WithTimeout(ctx, enrolWithin)
	defer cancel()
	answer, err := exchange(within, host, parent, &wire.EnrolRequest{Request: request})
	if err != nil {
		return nil, none, err
	}
	if p := answer.GetRefused(); p != nil {
		return nil, none, state.ProblemFromWire(p)
	}
	sealed := state.Sealed(answer.GetCertificate())
	cert, err := state.OpenCertificate(sealed, token.Factory)
	if err != nil {
		return nil, none, err
	}
	id, err := state.IDOf(key.GetPublic())
	if err != nil {
		return nil, none, err
	}
	if cert.ID != id || cert.Name != token.Name || cert.Parent != token.Parent {
		return nil, none, &state.Problem{Kind: state.Refused, Doing: "joining the factory", Cause: "the certificate that came back is not the one that was asked for", Fix: "ask for a new token: pharos token create"}
	}
	return sealed, cert, nil
}

// exchange asks a peer, who is connected, for an enrolment, and reads the answer,
// until ctx ends.
func exchange(ctx context.Context, host *mesh.Host, to peer.ID, request *wire.EnrolRequest) (*wire.EnrolAnswer, error) {
	stream, err := host.Open(ctx, to, mesh.ProtocolEnrol)
	if err != nil {
		return nil, fmt.Errorf("asking to enrol: %w", err)
	}
	defer stream.Reset() //nolint:errcheck // it is done
	defer context.AfterFunc(ctx, func() { _ = stream.Reset() })()
	if err := stream.Write(request); err != nil {
		return nil, fmt.Errorf("asking to enrol: %w", err)
	}
	answer := &wire.EnrolAnswer{}
	if err := stream.Read(answer, maxEnrol); err != nil {
		return nil, fmt.Errorf("reading the answer to the enrolment: %w", cmp.Or(ctx.Err(), err))
	}
	return answer, nil
}
