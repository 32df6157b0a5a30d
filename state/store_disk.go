package state

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/sys/unix"
)

// reserve is the free space, in bytes, below which the store refuses writes:
// Badger maps its files into memory, and a full disk would end the process.
const reserve = 32 << 20

// disk is a Badger database.
type disk struct {
	db     *badger.DB
	dir    string
	closed chan struct{}
	wait   sync.WaitGroup
}

// OpenStore opens the store below a data folder, and makes it when there is
// none. It refuses a folder that another process has open.
func OpenStore(data string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dir := filepath.Join(data, "store")
	doing := "opening the store in " + dir
	db, err := openBadger(small(badger.DefaultOptions(dir)).WithLogger(badgerLog{log}))
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "Cannot acquire directory lock"):
		return nil, &Problem{
			Kind: Taken, Doing: doing, Cause: "another pharos process has it open", Err: err,
			Fix: "stop the 'pharos run' of this folder first, or give another one with --data",
		}
	case full(dir) != nil:
		return nil, &Problem{
			Kind: Unable, Doing: doing, Cause: full(dir).Error(), Err: err,
			Fix: "free some space on this machine, then start it again; its containers run on meanwhile",
		}
	default:
		return nil, Because(Corrupt, doing, err, "check the disk and the folder's permissions")
	}
	d := &disk{db: db, dir: dir, closed: make(chan struct{})}
	d.wait.Go(d.collect)
	return &Store{keep: d}, nil
}

// openBadger is badger.Open, which panics over some broken files, and faults on
// a full disk: it maps its files into memory, and a page can't be had.
func openBadger(o badger.Options) (db *badger.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // set now, set back at the end
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("its files are broken: %v", r)
		}
	}()
	return badger.Open(o)
}

// small sizes Badger for a device: its defaults are a server's. A transaction
// may then have about 600 KiB, not counting values over 64 KiB.
func small(o badger.Options) badger.Options {
	return o.WithSyncWrites(true).
		WithMemTableSize(4 << 20).WithNumMemtables(2).WithValueThreshold(64 << 10).WithValueLogFileSize(4 << 20).
		WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(8).WithNumCompactors(2).
		WithBaseTableSize(1 << 20).WithBaseLevelSize(4 << 20).
		WithBlockCacheSize(0).WithIndexCacheSize(0).WithCompression(options.None).
		WithMetricsEnabled(false).WithDetectConflicts(false).
		// Without these, a broken byte on disk is a panic in Badger, or a wrong
		// value. With them it is a value that is missing, which we notice.
		WithChecksumVerificationMode(options.OnBlockRead).WithVerifyValueChecksum(true)
}

func (d *disk) close() error {
	close(d.closed)
	d.wait.Wait()
	return d.db.Close()
}

// collect gives back the space of values that were replaced.
func (d *disk) collect() {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-d.closed:
			return
		case <-tick.C:
			for d.db.RunValueLogGC(0.5) == nil {
			}
		}
	}
}

// size counts the blocks that the files really have: Badger makes them larger
// than what is in them, and adds up its own sizes only once a minute.
func (d *disk) size() (total uint64) {
	files, err := os.ReadDir(d.dir)
	if err != nil {
		return 0
	}
	for _, f := range files {
		var st unix.Stat_t
		if unix.Stat(filepath.Join(d.dir, f.Name()), &st) == nil {
			total += uint64(st.Blocks) * 512
		}
	}
	return total
}

func (d *disk) room() error {
	if err := full(d.dir); err != nil {
		return &Problem{
			Kind: Unable, Doing: "writing to " + d.dir, Cause: err.Error(), Err: err,
			Fix: "free some space on this machine; running apps go on meanwhile",
		}
	}
	return nil
}

// full says whether the disk under a folder has less than the reserve left.
func full(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) < reserve {
		return fmt.Errorf("the disk has less than %d MiB left", reserve>>20)
	}
	return nil
}

// write runs one transaction: all of it is on disk when it returns nil.
func (d *disk) write(changes []change) error {
	if err := d.room(); err != nil {
		return err
	}
	err := d.db.Update(func(tx *badger.Txn) error {
		for _, c := range changes {
			var err error
			if c.value == nil {
				err = tx.Delete([]byte(c.key))
			} else {
				err = tx.Set([]byte(c.key), c.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		// Badger prints whole values in some of its errors.
		return Because(Unable, "writing to "+d.dir, errors.New(Clip(err.Error(), MaxReason)), "check the disk of this machine")
	}
	return nil
}

func (d *disk) read(key string) (value []byte, err error) {
	err = d.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get([]byte(key))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		value, err = item.ValueCopy([]byte{})
		return err
	})
	if errors.Is(err, badger.ErrDBClosed) {
		err = errClosed
	}
	return value, err
}

func (d *disk) each(prefix string, fn func(string, func() ([]byte, error)) error) error {
	err := d.db.View(func(tx *badger.Txn) error {
		// Values are read one by one: sixteen projects ahead is a device's memory.
		it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte(prefix)})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			if err := fn(string(item.KeyCopy(nil)), func() ([]byte, error) { return item.ValueCopy([]byte{}) }); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, badger.ErrDBClosed) {
		err = errClosed
	}
	return err
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
