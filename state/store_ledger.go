package state

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

// How the ledger lies in the store. Per issuer: the newest document of each
// key, its ratchet (stamp and hash, so that a document that is lost or broken
// can't let an older one in), and the head, with the number of keys there must
// be. A document, its ratchet and the head are written in one transaction.
//
// Documents prove themselves by their signature; ratchets and head carry a
// checksum.

func orderKey(issuer NodeID, key string) string   { return "order/" + string(issuer) + "/" + key }
func ratchetKey(issuer NodeID, key string) string { return "ratchet/" + string(issuer) + "/" + key }
func headKey(issuer NodeID) string                { return "head/" + string(issuer) }

// ratchet is the newest stamp that was accepted for a key, and of which bytes.
type ratchet struct {
	stamp Stamp
	hash  [sha256.Size]byte
}

func ratchetOf(o Order, sealed Sealed) ratchet { return ratchet{o.Stamp, sha256.Sum256(sealed)} }

func (r ratchet) bytes() []byte { return summed(append(putStamp(r.stamp), r.hash[:]...)) }

// ratchetFrom reads a ratchet; ok is false when it is broken.
func ratchetFrom(b []byte) (r ratchet, ok bool) {
	if b = unsummed(b); len(b) != 16+sha256.Size {
		return ratchet{}, false
	}
	return ratchet{getStamp(b), [sha256.Size]byte(b[16:])}, true
}

// summed adds a checksum, unsummed takes it off and gives nil when it is wrong.
func summed(b []byte) []byte { return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }

func unsummed(b []byte) []byte {
	if len(b) < 4 {
		return nil
	}
	b, sum := b[:len(b)-4], b[len(b)-4:]
	if crc32.ChecksumIEEE(b) != binary.BigEndian.Uint32(sum) {
		return nil
	}
	return b
}

func putStamp(s Stamp) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.Epoch), s.Number)
}

func getStamp(b []byte) Stamp {
	return Stamp{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// entry is one document to be written.
type entry struct {
	key     string
	sealed  Sealed
	ratchet ratchet
}

// commit writes documents, the head and how many keys the ledger has with
// them, in one transaction. history is the deploy behind an order, at the root.
func (s *Store) commit(issuer NodeID, entries []entry, head Head, keys int, app Name, history *Deployed) error {
	changes := []change{{headKey(issuer), summed(binary.BigEndian.AppendUint64(putStamp(head), uint64(keys)))}}
	for _, e := range entries {
		changes = append(changes,
			change{orderKey(issuer, e.key), e.sealed},
			change{ratchetKey(issuer, e.key), e.ratchet.bytes()})
	}
	if history != nil {
		b, err := json.Marshal(history)
		if err != nil {
			return fmt.Errorf("writing the history of %s: %w", app, err)
		}
		changes = append(changes, change{historyKey(app, history.Revision), b})
	}
	return s.keep.write(changes)
}

// sealedOrder reads one document, nil when there is none.
func (s *Store) sealedOrder(issuer NodeID, key string) (Sealed, error) {
	b, err := s.get(orderKey(issuer, key))
	return Sealed(b), err
}

// head reads a ledger's head and how many keys it must have. A broken one is
// the zero head: the parent then sends everything again.
func (s *Store) head(issuer NodeID) (Head, int, error) {
	b, err := s.get(headKey(issuer))
	if err != nil {
		return Head{}, 0, err
	}
	if b = unsummed(b); len(b) != 24 {
		return Head{}, 0, nil
	}
	return getStamp(b), int(binary.BigEndian.Uint64(b[16:])), nil
}
