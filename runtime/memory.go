package runtime

import (
	"slices"
	"strconv"
	"time"
)

// How deaths are judged and answered.
const (
	stableAfter  = 10 * time.Second // a run this long forgives the deaths before it
	firstPause   = time.Second      // before the second start in a row; doubles
	longestPause = 5 * time.Minute
	loopAfter    = 3 // deaths in a row that make a crash loop
	killsForgive = 5 // kills from outside within killsWindow that are no crash
	killsWindow  = time.Minute
)

// pause is how long to wait before start number n in a row: none, 1 s, 2 s …
func pause(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	if n > 12 {
		return longestPause
	}
	return min(firstPause<<(n-2), longestPause)
}

// slot is what a loop remembers of the place of one container ("web-1"). It
// lives as long as the loop does; what of it can be read from the engine again
// is read again.
type slot struct {
	id           string
	started      time.Time
	restartCount int    // Docker's, when last looked
	restarts     uint64 // all that were seen, by Docker or by us
	owed         bool   // Docker counted one whose new run was not seen yet
	deaths       int    // in a row, without a stable run between
	kills        []time.Time
	next         time.Time         // not to be started before
	judged       time.Time         // the end of the run whose death was judged
	gone         bool              // its container vanished without our doing
	replaced     bool              // we are taking its container away
	ordered      bool              // we stopped it, so that its next start is no restart
	anonymous    map[string]string // its anonymous volumes, for the container after it
}

// looping says that the container keeps dying.
func (s *slot) looping() bool { return s != nil && s.deaths >= loopAfter }

// failure is a job that did not work.
type failure struct {
	count  int
	next   time.Time
	reason string
}

// memory is what one app's loop remembers between its turns.
type memory struct {
	slots    map[string]*slot
	failures map[string]*failure // by job key
	killed   map[string]bool     // containers that somebody was seen to kill or stop
}

func newMemory() *memory {
	return &memory{slots: map[string]*slot{}, failures: map[string]*failure{}, killed: map[string]bool{}}
}

// slot of a key, never nil.
func (m *memory) slot(key string) *slot {
	s := m.slots[key]
	if s == nil {
		s = &slot{}
		m.slots[key] = s
	}
	return s
}

// look takes in what was observed. Slots with a job under way are left for the
// look after it.
func (m *memory) look(containers []Container, busy map[string]bool, now time.Time) {
	there := map[string]bool{}
	ids := map[string]bool{}
	for _, c := range containers {
		ids[c.ID] = true
		service, number, ok := slotOf(c)
		if !ok || isPending(c) {
			continue
		}
		key := slotKey(service, number)
		if there[key] || busy[containerKey(key)] {
			there[key] = true
			continue
		}
		there[key] = true
		m.lookAt(m.slot(key), c, now)
	}
	for key, s := range m.slots {
		if !there[key] && s.id != "" && !s.replaced && !busy[containerKey(key)] {
			if !s.gone { // what failed with the one that is gone says nothing of the next
				delete(m.failures, containerKey(key))
			}
			s.gone = true
		}
	}
	for id := range m.killed {
		if !ids[id] {
			delete(m.killed, id)
		}
	}
}

func (m *memory) lookAt(s *slot, c Container, now time.Time) {
	if s.id != c.ID {
		before := *s
		inherited, _ := strconv.ParseUint(c.Labels[labelRestarts], 10, 64)
		*s = slot{id: c.ID, restarts: inherited}
		if before.gone { // made again by us, or by somebody's hand
			s.restarts, s.deaths, s.next = max(inherited, before.restarts+1), before.deaths, before.next
		}
		s.restarts += uint64(max(c.RestartCount, 0))
	} else {
		s.gone = false
		rose := c.RestartCount - s.restartCount
		ranAgain := !s.started.IsZero() && c.Started.After(s.started)
		if rose > 0 {
			s.restarts += uint64(rose)
			s.byDocker(c, rose)
		}
		if ranAgain {
			if rose <= 0 && !s.owed && !s.ordered {
				s.restarts++
			}
			s.owed, s.ordered = false, false
			delete(m.killed, c.ID)
		} else if rose > 0 {
			s.owed = true
		}
	}
	s.anonymous = c.Anonymous
	s.started, s.restartCount = c.Started, c.RestartCount
	switch c.State {
	case "running":
		if now.Sub(c.Started) >= stableAfter {
			s.deaths = 0
		}
	case "exited", "dead":
		if !s.judged.Equal(c.Finished) {
			s.judged = c.Finished
			s.judge(c, m.killed[c.ID], now)
		}
	}
}

// byDocker takes in restarts by Docker's own policy, whose pauses are 100 ms
// doubling to a minute. A run that was stable forgives those before it.
func (s *slot) byDocker(c Container, rose int) {
	ran, dockers := c.Started.Sub(s.started), min(100*time.Millisecond<<min(c.RestartCount, 10), time.Minute)
	if c.State == "restarting" {
		ran, dockers = c.Finished.Sub(c.Started), 0
	}
	if ran >= stableAfter+dockers {
		s.deaths = 0
	}
	s.deaths += rose
}

// judge answers one death: how many in a row it makes, and when to start again.
func (s *slot) judge(c Container, killed bool, now time.Time) {
	if s.ordered || c.Started.IsZero() {
		return
	}
	if c.Finished.Sub(c.Started) >= stableAfter {
		s.deaths = 0
	}
	// Killed from outside is no crash of the app's: it is not held against it
	// unless somebody goes on killing.
	outside := killed || c.ExitCode == 137 && !c.OOMKilled
	s.kills = slices.DeleteFunc(s.kills, func(t time.Time) bool { return now.Sub(t) > killsWindow })
	if outside && len(s.kills) < killsForgive {
		s.kills = append(s.kills, now)
		s.deaths = max(s.deaths, 1)
	} else {
		s.deaths++
	}
	s.next = now.Add(pause(s.deaths))
}

// failed notes that a job did not work and when to try again.
func (m *memory) failed(key, reason string, first time.Duration, now time.Time) {
	f := m.failures[key]
	if f == nil {
		f = &failure{}
		m.failures[key] = f
	}
	f.count++
	f.reason = reason
	f.next = now.Add(min(first<<min(f.count-1, 12), longestPause))
}

// prune forgets the failures of jobs that nobody wants done any more.
func (m *memory) prune(jobs []job, busy map[string]bool) {
	for key := range m.failures {
		if !busy[key] && !slices.ContainsFunc(jobs, func(j job) bool { return j.key == key }) {
			delete(m.failures, key)
		}
	}
}

// forgive begins anew: a new order was given.
func (m *memory) forgive() {
	clear(m.failures)
	for _, s := range m.slots {
		s.deaths, s.next, s.kills = 0, time.Time{}, nil
	}
}

// done says that the container has ended well and is not to be started again.
// The rules are those of the package doc.
func (m *memory) done(c Container, s service, engineStarted time.Time) bool {
	if c.State != "exited" || c.ExitCode != 0 || c.Started.IsZero() || !s.mayEnd() {
		return false
	}
	if m.killed[c.ID] {
		return false
	}
	if service, number, ok := slotOf(c); ok && m.slots[slotKey(service, number)] != nil && m.slots[slotKey(service, number)].ordered {
		return false
	}
	if s.awaited {
		return true
	}
	return !s.serves() && c.Health == "" && !c.Finished.Before(engineStarted)
}
