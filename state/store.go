package state

import (
	"encoding/json"
	"fmt"
	"sync"
)

// Store is what a node keeps: a Badger database in the node's data folder, or
// a map in memory. Every write to disk is synced before it is acknowledged.
//
// It is safe for use by many goroutines. One process at a time may open it.
type Store struct {
	keep  keeper
	count sync.Mutex // of NextGeneration
	once  sync.Once  // of Close
	ended error
}

// keeper is where a store keeps its bytes: on disk (store_disk.go), or in
// memory (store_memory.go).
type keeper interface {
	// read gives a value, nil when there is none.
	read(key string) ([]byte, error)
	// write does all of it or, when it returns an error, none of it.
	write(changes []change) error
	// each calls fn for every key below prefix, in order.
	each(prefix string, fn func(key string, value func() ([]byte, error)) error) error
	// room is an error when writes are refused for want of space.
	room() error
	size() uint64
	close() error
}

// change is one key's new value; nil takes the key away.
type change struct {
	key   string
	value []byte
}

// Close waits for what is under way and closes the store. Closing it again
// does nothing more.
func (s *Store) Close() error {
	s.once.Do(func() { s.ended = s.keep.close() })
	return s.ended
}

// Room is an error, a *Problem, when the disk is so full that writes are
// refused: to be told before an order is lost on it.
func (s *Store) Room() error { return s.keep.room() }

// Size is what the store takes on disk or in memory, in bytes.
func (s *Store) Size() uint64 { return s.keep.size() }

func (s *Store) get(key string) ([]byte, error) {
	value, err := s.keep.read(key)
	if err != nil {
		return nil, fmt.Errorf("reading %s from the store: %w", key, err)
	}
	return value, nil
}

func (s *Store) put(key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return s.keep.write([]change{{key, value}})
}

func (s *Store) delete(key string) error { return s.keep.write([]change{{key, nil}}) }

// each calls fn for every key below prefix, in order; the key comes without it.
// A value that can't be read comes as nil: one broken value must not hide the
// others.
func (s *Store) each(prefix string, fn func(key string, value []byte) error) error {
	return s.keep.each(prefix, func(key string, read func() ([]byte, error)) error {
		value, err := read()
		if err != nil {
			value = nil
		}
		return fn(key[len(prefix):], value)
	})
}

func (s *Store) getJSON(key string, v any) (found bool, err error) {
	b, err := s.get(key)
	if err != nil || b == nil {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, &Problem{Kind: Corrupt, Doing: "reading " + key + " from the store", Cause: err.Error(), Err: err}
	}
	return true, nil
}

func (s *Store) putJSON(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing %s to the store: %w", key, err)
	}
	return s.put(key, b)
}
