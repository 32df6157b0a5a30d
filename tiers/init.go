package tiers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"pharos/mesh"
	"pharos/state"
)

// InitRoot makes a data folder that of the root anchor of a new factory, whose
// ID is the new key's. It refuses a folder that belongs to a factory already.
func InitRoot(data string, name state.Name) (state.Certificate, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return state.Certificate{}, state.Because(state.Unable, "making the data folder "+data, err, "give another folder with --data")
	}
	key, store, err := claim(data)
	if err != nil {
		return state.Certificate{}, err
	}
	cert, err := Found(store, key, name)
	return cert, errors.Join(err, store.Close())
}

// Found makes a store that of a new factory's root: its certificate, and the
// first order, which is its own roster document.
func Found(store *state.Store, key crypto.PrivKey, name state.Name) (state.Certificate, error) {
	id, err := state.IDOf(key.GetPublic())
	if err != nil {
		return state.Certificate{}, err
	}
	now := time.Now()
	cert := state.Certificate{
		Factory: id, ID: id, Name: name, Gateway: true,
		Issued: now, Expires: now.Add(state.CertificateLife),
	}
	sealed, err := state.SealCertificate(cert, key)
	if err != nil {
		return cert, err
	}
	ledger, _, err := state.OpenLedger(store, cert, id)
	if err != nil {
		return cert, err
	}
	if _, known := ledger.Self(); !known {
		if _, err := ledger.Issue(key, func(o *state.Order) {
			o.Issued = now
			o.Member = &state.Member{ID: id, Name: name, Gateway: true}
		}, nil); err != nil {
			return cert, err
		}
	}
	// Last: a folder with a certificate is whole.
	return cert, store.PutCertificate(sealed)
}

// claim opens a data folder that is in no factory yet, with its key, which it
// makes when there is none.
func claim(data string) (crypto.PrivKey, *state.Store, error) {
	store, err := state.OpenStore(data, discard)
	if err != nil {
		return nil, nil, err
	}
	key, err := func() (crypto.PrivKey, error) {
		sealed, err := store.Certificate()
		if err != nil {
			return nil, err
		}
		if sealed != nil {
			return nil, alreadyIn(data, sealed)
		}
		key, err := mesh.LoadIdentity(identityPath(data))
		if errors.Is(err, fs.ErrNotExist) {
			return mesh.CreateIdentity(identityPath(data))
		}
		return key, err
	}()
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return key, store, nil
}

func alreadyIn(data string, sealed state.Sealed) error {
	cert, err := state.OpenCertificate(sealed, "")
	if err != nil {
		return err
	}
	return &state.Problem{
		Kind: state.Taken, Doing: "using the data folder " + data,
		Cause: fmt.Sprintf("it is that of %s %s of factory %s", cert.Role(), cert.Name, cert.Factory.Short()),
		Fix:   "start it with 'pharos run', or give another folder with --data",
	}
}
