package state

import (
	"encoding/binary"
	"time"
)

// What a node keeps of itself.

// Certificate gives the node's own certificate as it is stored, nil when the
// node is not enrolled.
func (s *Store) Certificate() (Sealed, error) {
	b, err := s.get("self/certificate")
	return Sealed(b), err
}

// PutCertificate keeps the node's own certificate.
func (s *Store) PutCertificate(c Sealed) error { return s.put("self/certificate", c) }

// NextGeneration gives the number of this start of the node, higher than any
// before. The clock helps where the disk forgot, and is not relied on.
func (s *Store) NextGeneration() (uint64, error) {
	s.count.Lock()
	defer s.count.Unlock()
	b, err := s.get("self/generation")
	if err != nil {
		return 0, err
	}
	var last uint64
	if len(b) == 8 {
		last = binary.BigEndian.Uint64(b)
	}
	n := max(last+1, uint64(max(time.Now().Unix(), 0)))
	return n, s.put("self/generation", binary.BigEndian.AppendUint64(nil, n))
}

// Listen gives the addresses that the node listened on last time.
func (s *Store) Listen() (addresses []string, err error) {
	_, err = s.getJSON("self/listen", &addresses)
	return addresses, err
}

// PutListen keeps the addresses that the node listens on, so that it can be
// found there again after a restart.
func (s *Store) PutListen(addresses []string) error { return s.putJSON("self/listen", addresses) }

// ParentAddresses gives the parent's addresses that are known.
func (s *Store) ParentAddresses() (addresses []string, err error) {
	_, err = s.getJSON("parent/addresses", &addresses)
	return addresses, err
}

// PutParentAddresses keeps the parent's addresses.
func (s *Store) PutParentAddresses(addresses []string) error {
	return s.putJSON("parent/addresses", addresses)
}

// Runs gives the apps that were handed to this node's runtime and are not
// known to be gone.
func (s *Store) Runs() (map[Name]bool, error) {
	out := map[Name]bool{}
	err := s.each("runs/", func(key string, _ []byte) error {
		out[Name(key)] = true
		return nil
	})
	return out, err
}

// PutRuns notes that an app is about to be handed to the runtime.
func (s *Store) PutRuns(app Name) error { return s.put("runs/"+string(app), nil) }

// DeleteRuns notes that nothing of an app is left on this node.
func (s *Store) DeleteRuns(app Name) error { return s.delete("runs/" + string(app)) }
