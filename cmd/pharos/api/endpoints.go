package api

import (
	"fmt"
	"net/http"

	"pharos/state"
)

// Limits of a request's body, in bytes.
const (
	smallBody  = 256 << 10 // group members: some thousand names of 63 bytes
	deployBody = 2 * state.MaxCompose
)

// A project is sent in base64, beside a selector; this does not compile when
// the largest would not fit.
const _ = uint(deployBody - (state.MaxCompose+2)/3*4 - 2*state.MaxSelector)

// MaxGroupNodes is how many nodes one request may add or remove.
const MaxGroupNodes = smallBody / (state.MaxName + 3)

// The endpoints: everything that can be asked, with the body of the question
// and of the answer.
var (
	getStatus = endpoint[none, state.SelfView]{method: http.MethodGet, path: "/api/v2/status"}
	getTree   = endpoint[none, []TreeNode]{method: http.MethodGet, path: "/api/v2/tree"}

	getNodes   = endpoint[none, []state.NodeView]{method: http.MethodGet, path: "/api/v2/nodes"}
	getNode    = endpoint[none, state.NodeDetail]{method: http.MethodGet, path: "/api/v2/nodes/{name}", of: "node"}
	deleteNode = endpoint[none, none]{method: http.MethodDelete, path: "/api/v2/nodes/{name}", of: "node"}
	labelNode  = endpoint[LabelChange, state.NodeView]{method: http.MethodPost, path: "/api/v2/nodes/{name}/labels", of: "node", limit: smallBody}

	getGroups   = endpoint[none, []state.GroupView]{method: http.MethodGet, path: "/api/v2/groups"}
	getGroup    = endpoint[none, state.GroupView]{method: http.MethodGet, path: "/api/v2/groups/{name}", of: "group"}
	createGroup = endpoint[none, none]{method: http.MethodPut, path: "/api/v2/groups/{name}", of: "group"}
	deleteGroup = endpoint[none, none]{method: http.MethodDelete, path: "/api/v2/groups/{name}", of: "group"}
	addGroup    = endpoint[Nodes, state.GroupView]{method: http.MethodPost, path: "/api/v2/groups/{name}/add", of: "group", limit: smallBody}
	leaveGroup  = endpoint[Nodes, state.GroupView]{method: http.MethodPost, path: "/api/v2/groups/{name}/remove", of: "group", limit: smallBody}

	createToken = endpoint[state.TokenRequest, Token]{method: http.MethodPost, path: "/api/v2/tokens", limit: smallBody}

	plan   = endpoint[state.DeployRequest, []state.Plan]{method: http.MethodPost, path: "/api/v2/plan", limit: deployBody}
	deploy = endpoint[state.DeployRequest, state.Accepted]{method: http.MethodPost, path: "/api/v2/deploy", limit: deployBody}

	getApps    = endpoint[none, []state.AppView]{method: http.MethodGet, path: "/api/v2/apps"}
	getApp     = endpoint[none, state.AppDetail]{method: http.MethodGet, path: "/api/v2/apps/{name}", of: "app"}
	getHistory = endpoint[none, []state.Revision]{method: http.MethodGet, path: "/api/v2/apps/{name}/history", of: "app"}
	orderApp   = endpoint[WantChange, state.Accepted]{method: http.MethodPost, path: "/api/v2/apps/{name}/order", of: "app", limit: smallBody}
	followApp  = endpoint[none, none]{method: http.MethodGet, path: "/api/v2/apps/{name}/follow", of: "app"} // answers Events
)

// LabelChange sets and removes labels of one node.
type LabelChange struct {
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"` // keys
}

// Nodes names nodes.
type Nodes struct {
	Nodes []state.Name `json:"nodes"`
}

// Token is a join token as an operator carries it.
type Token struct {
	Token string `json:"token"`
}

// WantChange asks for an app to be run, stopped or gone.
type WantChange struct {
	Want state.Want `json:"want"`
}

// checkDeploy says what both sides can see to be wrong with a deploy. The
// client asks before it sends: a server that refuses a body half way leaves
// its caller with a broken pipe instead of a reason.
func checkDeploy(ask state.DeployRequest) error {
	doing := fmt.Sprintf("deploying %s", state.Clip(string(ask.App), state.MaxName))
	if _, err := state.ParseName("app", string(ask.App)); err != nil {
		return err
	}
	switch {
	case len(ask.Compose) > state.MaxCompose:
		return &state.Problem{
			Kind: state.Invalid, Doing: doing, Cause: fmt.Sprintf("the project is %d bytes long, the limit is %d", len(ask.Compose), state.MaxCompose),
			Fix: "move large inline contents into an image",
		}
	case len(ask.Compose) == 0:
		return &state.Problem{Kind: state.Invalid, Doing: doing, Cause: "the project is empty", Fix: "give a Compose file with services"}
	case len(ask.Selector.Terms) == 0:
		return &state.Problem{
			Kind: state.Invalid, Doing: doing, Cause: "no selector says where to",
			Fix: "name nodes like press-7, group:painting, tier:line-1, label:arch=arm64 or all",
		}
	}
	return nil
}

func checkNodes(group state.Name, nodes []state.Name) error {
	if len(nodes) == 0 || len(nodes) > MaxGroupNodes {
		return &state.Problem{
			Kind: state.Invalid, Doing: fmt.Sprintf("changing the group %s", group),
			Cause: fmt.Sprintf("%d nodes are named", len(nodes)), Fix: fmt.Sprintf("name 1 to %d nodes at a time", MaxGroupNodes),
		}
	}
	for _, n := range nodes {
		if _, err := state.ParseName("node", string(n)); err != nil {
			return err
		}
	}
	return nil
}
