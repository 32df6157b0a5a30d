package api

import (
	"context"

	"pharos/state"
)

// Operations is what the API lets its callers do: the operations of a node,
// implemented by *tiers.Node. All errors are *state.Problem or wrap one.
type Operations interface {
	// Status is this node's own, of any role.
	Status(ctx context.Context) state.SelfView

	// Nodes is this anchor's subtree, itself first, parents before children.
	Nodes(ctx context.Context) []state.NodeView
	Node(ctx context.Context, name state.Name) (state.NodeDetail, error)
	LabelNode(ctx context.Context, name state.Name, set map[string]string, remove []string) (state.NodeView, error)
	RemoveNode(ctx context.Context, name state.Name) error

	Groups(ctx context.Context) []state.GroupView
	Group(ctx context.Context, name state.Name) (state.GroupView, error)
	CreateGroup(ctx context.Context, name state.Name) error
	RemoveGroup(ctx context.Context, name state.Name) error
	AddToGroup(ctx context.Context, group state.Name, nodes []state.Name) (state.GroupView, error)
	RemoveFromGroup(ctx context.Context, group state.Name, nodes []state.Name) (state.GroupView, error)

	CreateToken(ctx context.Context, ask state.TokenRequest) (token string, err error)

	// Plan says what Deploy would do, one plan per node.
	Plan(ctx context.Context, ask state.DeployRequest) ([]state.Plan, error)
	Deploy(ctx context.Context, ask state.DeployRequest) (state.Accepted, error)
	Order(ctx context.Context, app state.Name, want state.Want) (state.Accepted, error)

	Apps(ctx context.Context) []state.AppView
	App(ctx context.Context, name state.Name) (state.AppDetail, error)
	History(ctx context.Context, name state.Name) ([]state.Revision, error)

	// Watch ticks whenever something that the others show may have changed;
	// the channel is closed when ctx ends.
	Watch(ctx context.Context) <-chan struct{}
}
