package state

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
)

// MemoryStore is a store that is gone when it is closed: for simulations. It
// is a map: Badger in memory takes 5 MiB and ten goroutines for every node of
// a simulation, and no value over 64 KiB.
func MemoryStore() (*Store, error) {
	return &Store{keep: &memory{values: map[string][]byte{}}}, nil
}

var errClosed = errors.New("the store is closed")

type memory struct {
	mu     sync.RWMutex
	values map[string][]byte // nil once closed
}

func (m *memory) room() error { return nil }

func (m *memory) read(key string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.values == nil {
		return nil, errClosed
	}
	return bytes.Clone(m.values[key]), nil
}

func (m *memory) write(changes []change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		return errClosed
	}
	for _, c := range changes {
		if c.value == nil {
			delete(m.values, c.key)
		} else {
			m.values[c.key] = bytes.Clone(c.value)
		}
	}
	return nil
}

func (m *memory) each(prefix string, fn func(string, func() ([]byte, error)) error) error {
	m.mu.RLock()
	closed := m.values == nil
	found := map[string][]byte{}
	var keys []string
	for key, value := range m.values {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
			found[key] = value // never changed in place
		}
	}
	m.mu.RUnlock()
	if closed {
		return errClosed
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := fn(key, func() ([]byte, error) { return bytes.Clone(found[key]), nil }); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) size() (n uint64) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for key, value := range m.values {
		n += uint64(len(key) + len(value))
	}
	return n
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values = nil
	return nil
}
