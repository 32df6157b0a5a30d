package mesh

import (
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Causes under which mesh itself counts refusals, as found in [Host.Refused].
const (
	RefusedStrangerGossip     = "stranger-gossip"     // a gossip stream, from or to a peer that isn't admitted
	RefusedStrangerStream     = "stranger-stream"     // a members-only protocol, or too many streams at once, by a peer that isn't admitted
	RefusedStrangerConnection = "stranger-connection" // too many strangers, or one that stayed too long
	RefusedNotEd25519         = "not-ed25519"         // a peer with another kind of key
	RefusedForeignPublisher   = "foreign-publisher"   // a gossip message by, or from, another than the topic's publisher
	RefusedSubscription       = "subscription"        // too many subscriptions at once
	RefusedFrame              = "frame"               // a frame over its limit, or malformed
	RefusedSlowFollower       = "slow-follower"       // a gossip message dropped because a child doesn't keep up
	RefusedSlowHandler        = "slow-handler"        // a gossip message dropped because our own Follow function doesn't keep up
)

// refusedLogEvery is the shortest time between two log lines of one cause: an
// attacker must not be able to fill the disk with our own log.
const refusedLogEvery = 10 * time.Second

// refusals counts what was refused, by cause, and logs it at a bounded rate.
// The causes are fixed words, never text from outside: the map stays small.
type refusals struct {
	log    *slog.Logger
	mu     sync.Mutex
	counts map[string]uint64
	logged map[string]time.Time
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, counts: map[string]uint64{}, logged: map[string]time.Time{}}
}

// add counts one refusal and, unless the cause was logged shortly before, logs it
// with attrs and the total so far.
func (r *refusals) add(cause string, attrs ...any) {
	r.mu.Lock()
	r.counts[cause]++
	total := r.counts[cause]
	last, seen := r.logged[cause]
	now := time.Now()
	quiet := seen && now.Sub(last) < refusedLogEvery
	if !quiet {
		r.logged[cause] = now
	}
	r.mu.Unlock()
	if !quiet {
		r.log.Warn("refused", append([]any{"cause", cause, "total", total}, attrs...)...)
	}
}

func (r *refusals) snapshot() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// Refused returns how often something was refused since the host was made, by
// cause: the Refused… constants of this package and those given to
// [Host.CountRefused]. The map is the caller's.
func (h *Host) Refused() map[string]uint64 { return h.refused.snapshot() }

// CountRefused counts a refusal that happened above mesh. cause must be one of
// few fixed words, never text that came from a peer.
func (h *Host) CountRefused(cause string) { h.refused.add(cause) }
