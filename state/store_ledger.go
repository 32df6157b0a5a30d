package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// How the ledger lies in the store. Per issuer: the newest document of each
// key, its ratchet (stamp and hash, so that a document that is lost or broken
// can't let an older one in), and the head. A document, its ratchet and, where
// it moves, the head are written in one transaction.

func orderKey(issuer NodeID, key string) string   { return "order/" + string(issuer) + "/" + key }
func ratchetKey(issuer NodeID, key string) string { return "ratchet/" + string(issuer) + "/" + key }
func headKey(issuer NodeID) string                { return "head/" + string(issuer) }

// ratchet is the newest stamp that was accepted for a key, and of which bytes.
type ratchet struct {
	stamp Stamp
	hash  [sha256.Size]byte
}

func (r ratchet) bytes() []byte { return append(putStamp(r.stamp), r.hash[:]...) }

func ratchetFrom(b []byte) (ratchet, error) {
	if len(b) != 16+sha256.Size {
		return ratchet{}, fmt.Errorf("%d bytes instead of %d", len(b), 16+sha256.Size)
	}
	return ratchet{getStamp(b), [sha256.Size]byte(b[16:])}, nil
}

// entry is one document to be written.
type entry struct {
	key     string
	sealed  Sealed
	ratchet ratchet
	history *Deployed // root: the deploy behind it
	app     Name
}

// commit writes documents and, when it is not nil, the head, in one transaction.
func (s *Store) commit(issuer NodeID, entries []entry, head *Head) error {
	if len(entries) == 0 && head == nil {
		return nil
	}
	return s.update(func(tx *badger.Txn) error {
		for _, e := range entries {
			if err := tx.Set([]byte(orderKey(issuer, e.key)), e.sealed); err != nil {
				return err
			}
			if err := tx.Set([]byte(ratchetKey(issuer, e.key)), e.ratchet.bytes()); err != nil {
				return err
			}
			if e.history == nil {
				continue
			}
			b, err := json.Marshal(e.history)
			if err != nil {
				return err
			}
			if err := tx.Set([]byte(historyKey(e.app, e.history.Revision)), b); err != nil {
				return err
			}
		}
		if head == nil {
			return nil
		}
		return tx.Set([]byte(headKey(issuer)), putStamp(*head))
	})
}

// sealedOrder reads one document, nil when there is none.
func (s *Store) sealedOrder(issuer NodeID, key string) (Sealed, error) {
	b, err := s.get(orderKey(issuer, key))
	return Sealed(b), err
}

// stored is what load finds for a key: a document that may be missing or not
// what its ratchet says.
type stored struct {
	ratchet ratchet
	sealed  Sealed // nil when missing or changed on disk
}

// load reads the ledger of an issuer.
func (s *Store) load(issuer NodeID) (map[string]stored, Head, error) {
	all := map[string]stored{}
	err := s.each(ratchetKey(issuer, ""), func(key string, value []byte) error {
		r, err := ratchetFrom(value)
		if err != nil {
			return &Problem{Kind: Corrupt, Doing: "reading the ratchet of " + key, Cause: err.Error()}
		}
		all[key] = stored{ratchet: r}
		return nil
	})
	if err != nil {
		return nil, Head{}, err
	}
	err = s.each(orderKey(issuer, ""), func(key string, value []byte) error {
		hash := sha256.Sum256(value)
		if st, has := all[key]; has && bytes.Equal(st.ratchet.hash[:], hash[:]) {
			st.sealed = value
			all[key] = st
		}
		return nil
	})
	if err != nil {
		return nil, Head{}, err
	}
	head, err := s.get(headKey(issuer))
	return all, getStamp(head), err
}
