package state

import "fmt"

// Verb is what an action of a plan does to a thing.
type Verb string

// The verbs, in the order in which a plan's actions of one service come.
const (
	Pull    Verb = "pull"
	Create  Verb = "create"
	Replace Verb = "replace" // stop and remove the old container, create the new
	Start   Verb = "start"
	Stop    Verb = "stop"
	Remove  Verb = "remove"
)

// Action is one step of a plan: "replace container shop-web-1 (its image changed)".
type Action struct {
	Verb  Verb   `json:"verb"`
	What  string `json:"what"` // image, network, volume, container
	Name  string `json:"name"`
	Cause string `json:"cause"`
}

func (a Action) String() string {
	return fmt.Sprintf("%s %s %s (%s)", a.Verb, a.What, a.Name, a.Cause)
}

// Plan is what would be done on one node for one app. An empty one means that
// nothing would change.
type Plan struct {
	Node    Name     `json:"node"`
	Actions []Action `json:"actions"`
	Note    string   `json:"note,omitempty"` // "NotReady since 12:03: planned from its last report"
}
