package api

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"pharos/state"
)

// Client asks the daemon at one socket. It is safe for use by several
// goroutines. All its errors are *state.Problem, apart from those of its
// callers' contexts.
type Client struct {
	socket string
	start  string
	http   *http.Client
}

// ClientConfig says which daemon to ask.
type ClientConfig struct {
	Socket string // path, "/var/lib/pharos/pharos.sock"
	Start  string // the command that starts the daemon, for people who find none: "pharos run"
}

// NewClient makes a client. It does not connect yet. Close it.
func NewClient(cfg ClientConfig) *Client {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return &Client{socket: cfg.Socket, start: cfg.Start, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", cfg.Socket)
		},
		DisableCompression: true,
	}}}
}

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

var errSlow = errors.New("no answer in time")

// explain makes a problem of an error on the way to the daemon or back.
func (c *Client) explain(ctx context.Context, err error) error {
	host := "unix://" + c.socket
	problem := func(cause, fix string) error {
		return &state.Problem{Kind: state.Unable, Cause: cause, Fix: fix, Err: err}
	}
	switch {
	case errors.Is(context.Cause(ctx), errSlow):
		return problem("the pharos daemon at "+host+" does not answer within "+callTimeout.String(), "look into its log; it may be out of disk or stuck")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrPermission):
		return problem("permission denied at "+host, "use the user that runs the daemon (sudo pharos …)")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return problem("no pharos daemon answers at "+host, "start it with '"+c.start+"', or point to another with --data or --host")
	}
	return &state.Problem{
		Kind: state.Unable, Doing: "asking the pharos daemon at " + host, Cause: state.Clip(err.Error(), state.MaxReason),
		Fix: "see whether it is still up: pharos status", Err: err,
	}
}

// Status is the daemon's own state.
func (c *Client) Status(ctx context.Context) (state.SelfView, error) {
	return getStatus.ask(ctx, c, "", none{})
}

// Tree is the subtree of this node, nested.
func (c *Client) Tree(ctx context.Context) ([]TreeNode, error) {
	return getTree.ask(ctx, c, "", none{})
}

// Nodes is the subtree of this node, parents before children.
func (c *Client) Nodes(ctx context.Context) ([]state.NodeView, error) {
	return getNodes.ask(ctx, c, "", none{})
}

// Node is all that is known of a node.
func (c *Client) Node(ctx context.Context, name state.Name) (state.NodeDetail, error) {
	return getNode.ask(ctx, c, name, none{})
}

// LabelNode sets and removes labels.
func (c *Client) LabelNode(ctx context.Context, name state.Name, change LabelChange) (state.NodeView, error) {
	if err := checkLabels(name, change); err != nil {
		return state.NodeView{}, err
	}
	return labelNode.ask(ctx, c, name, change)
}

// RemoveNode takes a node out of the factory.
func (c *Client) RemoveNode(ctx context.Context, name state.Name) error {
	_, err := deleteNode.ask(ctx, c, name, none{})
	return err
}

// Groups is every group.
func (c *Client) Groups(ctx context.Context) ([]state.GroupView, error) {
	return getGroups.ask(ctx, c, "", none{})
}

// Group is one group.
func (c *Client) Group(ctx context.Context, name state.Name) (state.GroupView, error) {
	return getGroup.ask(ctx, c, name, none{})
}

// CreateGroup makes an empty group.
func (c *Client) CreateGroup(ctx context.Context, name state.Name) error {
	_, err := createGroup.ask(ctx, c, name, none{})
	return err
}

// RemoveGroup takes its members out and forgets the group.
func (c *Client) RemoveGroup(ctx context.Context, name state.Name) error {
	_, err := deleteGroup.ask(ctx, c, name, none{})
	return err
}

// AddToGroup adds all of the nodes or none.
func (c *Client) AddToGroup(ctx context.Context, group state.Name, nodes []state.Name) (state.GroupView, error) {
	if err := checkNodes(group, nodes); err != nil {
		return state.GroupView{}, err
	}
	return addGroup.ask(ctx, c, group, Nodes{Nodes: nodes})
}

// RemoveFromGroup takes all of the nodes out or none.
func (c *Client) RemoveFromGroup(ctx context.Context, group state.Name, nodes []state.Name) (state.GroupView, error) {
	if err := checkNodes(group, nodes); err != nil {
		return state.GroupView{}, err
	}
	return leaveGroup.ask(ctx, c, group, Nodes{Nodes: nodes})
}

// CreateToken makes a join token.
func (c *Client) CreateToken(ctx context.Context, ask state.TokenRequest) (string, error) {
	if err := checkToken(ask); err != nil {
		return "", err
	}
	t, err := createToken.ask(ctx, c, "", ask)
	return t.Token, err
}

// Plan says what Deploy would do.
func (c *Client) Plan(ctx context.Context, ask state.DeployRequest) ([]state.Plan, error) {
	if err := checkDeploy(ask); err != nil {
		return nil, err
	}
	return plan.ask(ctx, c, "", ask)
}

// Deploy orders a new revision of an app. When it answers, the order can't be
// lost any more.
func (c *Client) Deploy(ctx context.Context, ask state.DeployRequest) (state.Accepted, error) {
	if err := checkDeploy(ask); err != nil {
		return state.Accepted{}, err
	}
	return deploy.ask(ctx, c, "", ask)
}

// Order starts, stops or removes an app.
func (c *Client) Order(ctx context.Context, app state.Name, want state.Want) (state.Accepted, error) {
	return orderApp.ask(ctx, c, app, WantChange{Want: want})
}

// Apps is every app.
func (c *Client) Apps(ctx context.Context) ([]state.AppView, error) {
	return getApps.ask(ctx, c, "", none{})
}

// App is one app on all its nodes.
func (c *Client) App(ctx context.Context, name state.Name) (state.AppDetail, error) {
	return getApp.ask(ctx, c, name, none{})
}

// History is an app's revisions, newest first.
func (c *Client) History(ctx context.Context, name state.Name) ([]state.Revision, error) {
	return getHistory.ask(ctx, c, name, none{})
}
