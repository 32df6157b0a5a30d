package state

import (
	"testing"
	"testing/synctest"
	"time"
)

// slow is a keeper whose writes take as long as those of a tired memory card.
type slow struct {
	keeper
	takes time.Duration
}

func (s *slow) write(c []change) error {
	<-time.After(s.takes)
	return s.keeper.write(c)
}

// A heartbeat asks the ledger for its head and what it holds, and must not come
// late because a disk is syncing. Nothing is seen before it is on disk.
func TestReadersDoNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore(t)
		l := ledgerOn(t, store, "line-1")
		gossip(t, l, order(t, 1, app(t, "a", 1, "all")), Fresh)
		store.keep = &slow{keeper: store.keep, takes: 10 * time.Second}
		taken := make(chan error)
		go func() {
			_, err := l.FromGossip(order(t, 2, app(t, "a", 2, "all")))
			taken <- err
		}()
		synctest.Wait() // until the write has begun
		began := time.Now()
		wantHead(t, l, 1)
		l.Holding(certOf("press-1"))
		l.Members()
		if o, found := l.Newest("a"); !found || o.App.Revision != 1 {
			t.Errorf("revision %d is seen before it is on disk", o.App.Revision)
		}
		if _, through, err := l.Missing(Head{}, certOf("press-1"), nil); err != nil || through.Number != 1 {
			t.Errorf("through %s, %v", through, err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("readers waited %v for the disk", took)
		}
		if err := <-taken; err != nil {
			t.Fatal(err)
		}
		wantHead(t, l, 2)
	})
}
