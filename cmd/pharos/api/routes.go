package api

import (
	"context"
	"fmt"
	"net/http"

	"pharos/state"
)

// route is one line of the table.
type route struct {
	method, path string
	serve        func(w http.ResponseWriter, r *http.Request) error
}

// table is everything that the API does; nothing else is routed. Each line may
// be called by whoever can open the socket. Whether this node may do it (labels
// are the root's, for one) is for the operation to say.
func (s *Server) table() []route {
	ops := s.ops
	return []route{
		getStatus.to(func(ctx context.Context, _ question[none]) (state.SelfView, error) { return ops.Status(ctx), nil }),
		getTree.to(func(ctx context.Context, _ question[none]) ([]TreeNode, error) { return tree(ctx, ops) }),

		getNodes.to(func(ctx context.Context, _ question[none]) ([]state.NodeView, error) { return ops.Nodes(ctx), nil }),
		getNode.to(func(ctx context.Context, q question[none]) (state.NodeDetail, error) { return ops.Node(ctx, q.Name) }),
		deleteNode.to(func(ctx context.Context, q question[none]) (none, error) { return none{}, ops.RemoveNode(ctx, q.Name) }),
		labelNode.to(func(ctx context.Context, q question[LabelChange]) (state.NodeView, error) {
			if err := checkLabels(q.Name, q.Body); err != nil {
				return state.NodeView{}, err
			}
			return ops.LabelNode(ctx, q.Name, q.Body.Set, q.Body.Remove)
		}),

		getGroups.to(func(ctx context.Context, _ question[none]) ([]state.GroupView, error) { return ops.Groups(ctx), nil }),
		getGroup.to(func(ctx context.Context, q question[none]) (state.GroupView, error) { return ops.Group(ctx, q.Name) }),
		createGroup.to(func(ctx context.Context, q question[none]) (none, error) { return none{}, ops.CreateGroup(ctx, q.Name) }),
		deleteGroup.to(func(ctx context.Context, q question[none]) (none, error) { return none{}, ops.RemoveGroup(ctx, q.Name) }),
		addGroup.to(func(ctx context.Context, q question[Nodes]) (state.GroupView, error) {
			if err := checkNodes(q.Name, q.Body.Nodes); err != nil {
				return state.GroupView{}, err
			}
			return ops.AddToGroup(ctx, q.Name, q.Body.Nodes)
		}),
		leaveGroup.to(func(ctx context.Context, q question[Nodes]) (state.GroupView, error) {
			if err := checkNodes(q.Name, q.Body.Nodes); err != nil {
				return state.GroupView{}, err
			}
			return ops.RemoveFromGroup(ctx, q.Name, q.Body.Nodes)
		}),

		createToken.to(func(ctx context.Context, q question[state.TokenRequest]) (Token, error) {
			if err := checkToken(q.Body); err != nil {
				return Token{}, err
			}
			token, err := ops.CreateToken(ctx, q.Body)
			return Token{Token: token}, err
		}),

		plan.to(func(ctx context.Context, q question[state.DeployRequest]) ([]state.Plan, error) {
			if err := checkDeploy(q.Body); err != nil {
				return nil, err
			}
			return ops.Plan(ctx, q.Body)
		}),
		deploy.to(func(ctx context.Context, q question[state.DeployRequest]) (state.Accepted, error) {
			if err := checkDeploy(q.Body); err != nil {
				return state.Accepted{}, err
			}
			return ops.Deploy(ctx, q.Body)
		}),

		getApps.to(func(ctx context.Context, _ question[none]) ([]state.AppView, error) { return ops.Apps(ctx), nil }),
		getApp.to(func(ctx context.Context, q question[none]) (state.AppDetail, error) { return ops.App(ctx, q.Name) }),
		getHistory.to(func(ctx context.Context, q question[none]) ([]state.Revision, error) { return ops.History(ctx, q.Name) }),
		orderApp.to(func(ctx context.Context, q question[WantChange]) (state.Accepted, error) {
			if !q.Body.Want.Valid() {
				return state.Accepted{}, &state.Problem{
					Kind: state.Invalid, Doing: fmt.Sprintf("ordering %s", q.Name),
					Cause: fmt.Sprintf("%q can't be wanted of an app", state.Clip(string(q.Body.Want), 20)), Fix: "want run, stopped or gone",
				}
			}
			return ops.Order(ctx, q.Name, q.Body.Want)
		}),
		followApp.raw(s.follow),
	}
}

// checkToken checks the names and labels in a request for a token.
func checkToken(ask state.TokenRequest) error {
	if _, err := state.ParseName("node", string(ask.Name)); err != nil {
		return err
	}
	if ask.Parent != "" {
		if _, err := state.ParseName("node", string(ask.Parent)); err != nil {
			return err
		}
	}
	if ask.Life < 0 || ask.Life > state.MaxTokenLife {
		return &state.Problem{
			Kind: state.Invalid, Doing: fmt.Sprintf("making a token for %s", ask.Name),
			Cause: fmt.Sprintf("a life of %s is not possible", ask.Life), Fix: fmt.Sprintf("let it live at most %s", state.MaxTokenLife),
		}
	}
	for k, v := range ask.Labels {
		if _, _, err := state.ParseLabel(k + "=" + v); err != nil {
			return err
		}
	}
	return nil
}

// checkLabels checks the form of a change of labels.
func checkLabels(node state.Name, change LabelChange) error {
	if len(change.Set)+len(change.Remove) == 0 {
		return &state.Problem{
			Kind: state.Invalid, Doing: fmt.Sprintf("labelling %s", node), Cause: "no label is named",
			Fix: "set one like arch=arm64, remove one like arch-",
		}
	}
	for k, v := range change.Set {
		if _, _, err := state.ParseLabel(k + "=" + v); err != nil {
			return err
		}
	}
	for _, k := range change.Remove {
		if _, _, err := state.ParseLabel(k + "="); err != nil {
			return err
		}
	}
	return nil
}
