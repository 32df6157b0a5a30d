package state

import "time"

// This file is what front doors show: the picture an anchor has of its
// subtree. The JSON names are stable; scripts depend on them.

// NodeView is a node as `pharos node ls` shows it.
type NodeView struct {
	Name      Name              `json:"name"`
	ID        NodeID            `json:"id"`
	Role      Role              `json:"role"`
	Parent    Name              `json:"parent"` // empty for the root
	Readiness Readiness         `json:"readiness"`
	Reason    string            `json:"reason"`
	Since     time.Time         `json:"since"`
	Labels    map[string]string `json:"labels"`
	Groups    []Name            `json:"groups"`
}

// NodeDetail is a node as `pharos node inspect` shows it.
type NodeDetail struct {
	NodeView
	Path   []Name     `json:"path"`
	Report NodeReport `json:"report"`           // the last one; of any age when not Ready
	Below  *Counts    `json:"below,omitempty"`  // anchors: its subtree, itself not counted
	Orders *Head      `json:"orders,omitempty"` // up to where the node should be
}

// GroupView is a group and its members.
type GroupView struct {
	Name    Name   `json:"name"`
	Members []Name `json:"members"` // sorted
	Apps    []Name `json:"apps"`    // whose selector names the group
}

// AppView is an app as `pharos app ls` shows it.
type AppView struct {
	Name     Name             `json:"name"`
	Revision uint64           `json:"revision"`
	Want     Want             `json:"want"`
	Selector Selector         `json:"selector"`
	Nodes    int              `json:"nodes"`  // that the selector names, or that still have it
	States   map[AppState]int `json:"states"` // of those nodes, by state
	Ready    int              `json:"ready"`  // nodes that are as wanted, in the newest revision
	Deployed time.Time        `json:"deployed"`
}

// AppNode is an app on one node, as `pharos app ps` shows it.
type AppNode struct {
	Node      Name        `json:"node"`
	State     AppState    `json:"state"`
	Revision  uint64      `json:"revision"` // that the node reports; 0 before its first report
	Stamp     Stamp       `json:"stamp"`    // of the order that the report is about
	Services  []Container `json:"services"`
	Reason    string      `json:"reason"` // of the app or, when the node is not Ready, of the node
	Logs      []string    `json:"logs,omitempty"`
	Readiness Readiness   `json:"readiness"` // of the node
	Parent    Name        `json:"parent"`
	Done      bool        `json:"done"` // as the newest order wants it
}

// AppDetail is an app as `pharos app inspect` shows it.
type AppDetail struct {
	AppView
	Compose string    `json:"compose"` // the normalised project
	On      []AppNode `json:"on"`      // sorted by node
}

// Revision is one deploy of an app, as `pharos app history` shows it.
type Revision struct {
	Revision uint64    `json:"revision"`
	Selector Selector  `json:"selector"`
	Deployed time.Time `json:"deployed"`
	Current  bool      `json:"current"`
	Images   []string  `json:"images"`
	Compose  string    `json:"compose,omitempty"`
}

// SelfView is this node as `pharos status` shows it.
type SelfView struct {
	Name       Name              `json:"name"`
	ID         NodeID            `json:"id"`
	Factory    NodeID            `json:"factory"`
	Role       Role              `json:"role"`
	Parent     Name              `json:"parent"`
	Connected  bool              `json:"connected"` // to the parent; always true for the root
	Since      time.Time         `json:"since"`     // of Connected
	Reason     string            `json:"reason,omitempty"`
	Head       Head              `json:"head"`
	ParentHead Head              `json:"parentHead"` // as last heard
	Engine     EngineReport      `json:"engine"`
	Disk       DiskView          `json:"disk"`
	Addresses  []string          `json:"addresses"`
	Expires    time.Time         `json:"expires"` // of the certificate
	Apps       []AppReport       `json:"apps"`    // on this node
	Below      *Counts           `json:"below,omitempty"`
	Refused    map[string]uint64 `json:"refused"` // what hostile or mistaken peers tried, by cause, since the start
	Version    string            `json:"version"`
}

// DiskView is the file system under the data folder, in bytes.
type DiskView struct {
	Path  string `json:"path"`
	Total uint64 `json:"total"`
	Free  uint64 `json:"free"`
	Used  uint64 `json:"used"` // by Pharos itself
}

// DeployRequest asks an anchor to run a project on what the selector names.
type DeployRequest struct {
	App      Name     `json:"app"`
	Selector Selector `json:"selector"`
	Compose  []byte   `json:"compose"` // as runtime/compose.Load gives it
}

// Accepted is the anchor's word that an order can't be lost any more.
type Accepted struct {
	App      Name   `json:"app"`
	Revision uint64 `json:"revision"`
	Stamp    Stamp  `json:"stamp"`
	Nodes    []Name `json:"nodes"` // that it names now, sorted
}

// TokenRequest asks the root for a join token.
type TokenRequest struct {
	Name    Name              `json:"name"`
	Gateway bool              `json:"gateway"`
	Parent  Name              `json:"parent"` // empty: the root
	Labels  map[string]string `json:"labels"`
	Life    time.Duration     `json:"life"` // nanoseconds; 0: 30 minutes
}

// Limits of a join token's life.
const (
	DefaultTokenLife = 30 * time.Minute
	MaxTokenLife     = 7 * 24 * time.Hour
)
