package state

import (
	"time"

	"pharos/state/wire"
)

// Counts is what an anchor says of its whole subtree in a few numbers.
type Counts struct {
	Nodes     map[Readiness]int `json:"nodes"`
	Apps      map[AppState]int  `json:"apps"`      // one per app and node
	Oldest    Head              `json:"oldest"`    // the oldest head of a node below
	Freshness time.Time         `json:"freshness"` // when the report heard longest ago was heard
}

// Add folds one node into the counts. heard is when its status was last
// confirmed, here or by the gateway between.
func (c *Counts) Add(s NodeStatus, heard time.Time) {
	if c.Nodes == nil {
		c.Nodes, c.Apps = map[Readiness]int{}, map[AppState]int{}
		c.Oldest, c.Freshness = s.Report.Head, heard
	}
	c.Nodes[s.Readiness]++
	for _, a := range s.Report.Apps {
		c.Apps[a.State]++
	}
	if s.Report.Head.Before(c.Oldest) {
		c.Oldest = s.Report.Head
	}
	if heard.Before(c.Freshness) {
		c.Freshness = heard
	}
}

// CountsToWire turns counts into their wire form.
func CountsToWire(c Counts) *wire.Counts {
	m := &wire.Counts{
		Nodes: map[string]uint32{}, Apps: map[string]uint32{},
		Oldest: StampToWire(c.Oldest), Freshness: c.Freshness.UnixMilli(),
	}
	for k, v := range c.Nodes {
		m.Nodes[string(k)] = uint32(v)
	}
	for k, v := range c.Apps {
		m.Apps[string(k)] = uint32(v)
	}
	return m
}

// CountsFromWire reads counts; keys that mean nothing here are dropped.
func CountsFromWire(m *wire.Counts) Counts {
	c := Counts{
		Nodes: map[Readiness]int{}, Apps: map[AppState]int{},
		Oldest: StampFromWire(m.GetOldest()), Freshness: millis(m.GetFreshness()),
	}
	for _, r := range []Readiness{Ready, NotReady, Unknown} {
		if n := m.GetNodes()[string(r)]; n > 0 {
			c.Nodes[r] = int(n)
		}
	}
	for _, s := range []AppState{AppPending, AppPulling, AppStarting, AppReady, AppDegraded, AppFailed, AppStopped, AppRemoving} {
		if n := m.GetApps()[string(s)]; n > 0 {
			c.Apps[s] = int(n)
		}
	}
	return c
}
