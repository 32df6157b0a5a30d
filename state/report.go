package state

import "time"

// AppState is how an app is on one node.
type AppState string

// The states of an app on a node. AppGone is the last report of an app: the
// node has nothing left of it (volumes apart), and forgets it.
const (
	AppPending  AppState = "Pending"
	AppPulling  AppState = "Pulling"
	AppStarting AppState = "Starting"
	AppReady    AppState = "Ready"
	AppDegraded AppState = "Degraded" // some of its services are not as wanted
	AppFailed   AppState = "Failed"   // it can't become as wanted by itself, or keeps dying
	AppStopped  AppState = "Stopped"
	AppRemoving AppState = "Removing"
	AppGone     AppState = "Gone"
)

// Valid says whether s is one of the states.
func (s AppState) Valid() bool {
	switch s {
	case AppPending, AppPulling, AppStarting, AppRemoving:
		return true
	}
	return s.Settled()
}

// Settled says that nothing is under way: the state stays until something happens.
func (s AppState) Settled() bool {
	switch s {
	case AppReady, AppDegraded, AppFailed, AppStopped, AppGone:
		return true
	}
	return false
}

// Container is one container of an app's service, as Docker has it.
type Container struct {
	Service  string `json:"name"`
	State    string `json:"state"`  // Docker's word: created, running, restarting, exited, …; "missing" when there is none
	Health   string `json:"health"` // healthy, unhealthy, starting; empty without a check
	Restarts uint64 `json:"restarts"`
	Name     string `json:"container"` // the container's name
	ID       string `json:"id"`        // the container's ID, 64 hex digits
	Image    string `json:"image"`
	Hash     string `json:"hash"` // com.docker.compose.config-hash
	ExitCode int64  `json:"exitCode"`
}

// AppReport is what a node says of one app. Each replaces the one before.
type AppReport struct {
	App        Name        `json:"app"`
	Revision   uint64      `json:"revision"`
	Stamp      Stamp       `json:"stamp"` // of the order that it is about
	State      AppState    `json:"state"`
	Reason     string      `json:"reason,omitempty"` // one line, when not as wanted
	Since      time.Time   `json:"since"`
	Containers []Container `json:"services"`
	Networks   []string    `json:"networks,omitempty"` // keys of the app's networks that exist
	Volumes    []string    `json:"volumes,omitempty"`  // keys of the app's volumes that exist
	Logs       []string    `json:"logs,omitempty"`     // last lines of the failing container, at most MaxLogLines
}

// Limits of a report. What is longer is clipped, what is more is left out.
const (
	MaxLogLines   = 10
	MaxLogLine    = 400  // bytes
	MaxReason     = 500  // bytes
	MaxReportApps = 500  // apps of one node
	MaxContainers = 1000 // containers of one app, and networks, and volumes
	MaxAddresses  = 32   // of one node
	MaxAddress    = 256  // bytes
)

// EngineReport is what a node says of its container engine.
type EngineReport struct {
	Kind    string `json:"kind"`              // docker, simulated
	Version string `json:"version,omitempty"` // "20.10.24"
	Problem string `json:"problem,omitempty"` // why it does not answer
}

// NodeReport is what a node says of itself. (Generation, Sequence) tells one
// report from another: a generation is one start of the node's process. Which
// of two is the newer one, the session tells that brought them.
type NodeReport struct {
	Generation uint64       `json:"generation"`
	Sequence   uint64       `json:"sequence"`
	Head       Head         `json:"head"`
	Engine     EngineReport `json:"engine"`
	Addresses  []string     `json:"addresses,omitempty"` // where it can be dialled
	Apps       []AppReport  `json:"apps"`                // sorted by name
	Problem    string       `json:"problem,omitempty"`   // why the node is not ready, of its own knowledge
}

// App finds the report of an app.
func (r NodeReport) App(app Name) (AppReport, bool) {
	for _, a := range r.Apps {
		if a.App == app {
			return a, true
		}
	}
	return AppReport{}, false
}

// NodeStatus is what an anchor knows of a node below it: its readiness, and
// the latest whole report. Each replaces the one before.
type NodeStatus struct {
	Node      NodeID
	Readiness Readiness
	Reason    string
	Since     time.Time
	Silent    bool // not heard: so nothing below it is known either
	Report    NodeReport
}
