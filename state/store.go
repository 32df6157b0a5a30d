package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/sys/unix"
)

// Store is what a node keeps: a Badger database in the node's data folder.
// Every write is synced to disk before it is acknowledged.
//
// It is safe for use by many goroutines. One process at a time may open it.
type Store struct {
	db     *badger.DB
	dir    string // empty in memory
	closed chan struct{}
	wait   sync.WaitGroup
}

// reserve is the free space, in bytes, below which the store refuses writes:
// Badger maps its files into memory, and a full disk would end the process.
const reserve = 32 << 20

// OpenStore opens the store below a data folder, and makes it when there is
// none. It refuses a folder that another process has open.
func OpenStore(data string, log *slog.Logger) (*Store, error) {
	dir := filepath.Join(data, "store")
	doing := "opening the store in " + dir
	db, err := badger.Open(small(badger.DefaultOptions(dir).WithSyncWrites(true)).WithLogger(badgerLog{log}))
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "Cannot acquire directory lock"):
		return nil, &Problem{
			Kind: Taken, Doing: doing, Cause: "another pharos process has it open", Err: err,
			Fix: "stop the 'pharos run' of this folder first, or give another one with --data",
		}
	default:
		return nil, Because(Corrupt, doing, err, "check the disk and the folder's permissions")
	}
	s := &Store{db: db, dir: dir, closed: make(chan struct{})}
	s.wait.Go(s.collect)
	return s, nil
}

// MemoryStore is a store that is gone when it is closed: for simulations. It
// takes projects of up to about 700 KiB.
func MemoryStore() (*Store, error) {
	// Without a value log, Badger takes values of a megabyte at most.
	db, err := badger.Open(small(badger.DefaultOptions("").WithInMemory(true)).WithLogger(nil).
		WithMemTableSize(16 << 20).WithValueThreshold(1 << 20))
	if err != nil {
		return nil, err
	}
	return &Store{db: db, closed: make(chan struct{})}, nil
}

// small sizes Badger for a device: its defaults are a server's.
func small(o badger.Options) badger.Options {
	o = o.WithMemTableSize(4 << 20).WithNumMemtables(2).WithValueThreshold(64 << 10).
		WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(8).WithNumCompactors(2).
		WithBaseTableSize(1 << 20).WithBaseLevelSize(4 << 20).
		WithBlockCacheSize(0).WithIndexCacheSize(0).WithCompression(options.None).
		WithMetricsEnabled(false).WithDetectConflicts(false)
	if !o.InMemory {
		o = o.WithValueLogFileSize(4 << 20)
	}
	return o
}

// Close waits for what is under way and closes the database.
func (s *Store) Close() error {
	close(s.closed)
	s.wait.Wait()
	return s.db.Close()
}

// collect gives back the space of values that were replaced.
func (s *Store) collect() {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-tick.C:
			for s.db.RunValueLogGC(0.5) == nil {
			}
		}
	}
}

// Size is what the store takes on disk, in bytes.
func (s *Store) Size() uint64 {
	lsm, vlog := s.db.Size()
	return uint64(lsm + vlog)
}

// update runs one transaction: all of it is on disk when update returns nil,
// none of it otherwise.
func (s *Store) update(fn func(tx *badger.Txn) error) error {
	if s.dir != "" {
		var disk unix.Statfs_t
		if err := unix.Statfs(s.dir, &disk); err == nil && disk.Bavail*uint64(disk.Bsize) < reserve {
			return &Problem{
				Kind: Unable, Doing: "writing to " + s.dir,
				Cause: fmt.Sprintf("the disk has less than %d MiB left", reserve>>20),
				Fix:   "free some space on this machine; running apps go on meanwhile",
			}
		}
	}
	if err := s.db.Update(fn); err != nil {
		return fmt.Errorf("writing to the store: %w", err)
	}
	return nil
}

// get reads a value, nil when there is none.
func (s *Store) get(key string) (value []byte, err error) {
	err = s.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get([]byte(key))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		value, err = item.ValueCopy(nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s from the store: %w", key, err)
	}
	return value, nil
}

func (s *Store) put(key string, value []byte) error {
	return s.update(func(tx *badger.Txn) error { return tx.Set([]byte(key), value) })
}

func (s *Store) delete(key string) error {
	return s.update(func(tx *badger.Txn) error { return tx.Delete([]byte(key)) })
}

// each calls fn for every key below prefix, in order; the key comes without it.
func (s *Store) each(prefix string, fn func(key string, value []byte) error) error {
	return s.db.View(func(tx *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix, o.PrefetchSize = []byte(prefix), 16
		it := tx.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			value, err := it.Item().ValueCopy(nil)
			if err != nil {
				return fmt.Errorf("reading %s from the store: %w", it.Item().Key(), err)
			}
			if err := fn(strings.TrimPrefix(string(it.Item().Key()), prefix), value); err != nil {
				return err
			}
		}
		return nil
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
		return err
	}
	return s.put(key, b)
}

func putStamp(s Stamp) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.Epoch), s.Number)
}

func getStamp(b []byte) Stamp {
	if len(b) < 16 {
		return Stamp{}
	}
	return Stamp{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// badgerLog lets through what somebody has to know of Badger's chatter.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(f string, a ...any) {
	l.log.Error("store: " + strings.TrimSpace(fmt.Sprintf(f, a...)))
}
func (l badgerLog) Warningf(f string, a ...any) {
	l.log.Warn("store: " + strings.TrimSpace(fmt.Sprintf(f, a...)))
}
func (l badgerLog) Infof(string, ...any)  {}
func (l badgerLog) Debugf(string, ...any) {}
