package tiers

import (
	"sync"
	"time"
)

// refusedLogEvery is the shortest time between two log lines of one cause: an
// attacker must not be able to fill the disk with our own log.
const refusedLogEvery = 10 * time.Second

// refusals is when each cause was logged last.
type refusals struct {
	mu     sync.Mutex
	logged map[string]time.Time
}

// refused counts one refusal and, unless the cause was logged shortly before,
// logs it. cause is one of few fixed words, never text from outside.
func (n *Node) refused(cause string, attrs ...any) {
	n.host.CountRefused(cause)
	r := &n.refusals
	r.mu.Lock()
	last, seen := r.logged[cause]
	quiet := seen && time.Since(last) < refusedLogEvery
	if !quiet {
		r.logged[cause] = time.Now()
	}
	r.mu.Unlock()
	if !quiet {
		n.log.Warn("refused: "+cause, attrs...)
	}
}
