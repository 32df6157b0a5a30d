package api

import (
	"context"
	"errors"
	"maps"

	"pharos/state"
)

// TreeNode is a node with what is below it, as `pharos tree` shows it.
type TreeNode struct {
	state.NodeView
	Apps     map[state.AppState]int `json:"apps"`            // its own apps, as it last reported them
	Below    *Sum                   `json:"below,omitempty"` // of anchors: everything below, itself not counted
	Children []TreeNode             `json:"children"`
}

// Sum counts a subtree.
type Sum struct {
	Nodes map[state.Readiness]int `json:"nodes"`
	Apps  map[state.AppState]int  `json:"apps"` // one per app and node
}

// tree draws together what Nodes and App say (an App for each app is far
// cheaper than a Node for each node). The result has one element, this node,
// unless the roster is missing a parent; nothing is left out then.
func tree(ctx context.Context, ops Operations) ([]TreeNode, error) {
	views := ops.Nodes(ctx)
	apps, err := appStates(ctx, ops)
	if err != nil {
		return nil, err
	}
	here := map[state.Name]bool{}
	for _, v := range views {
		here[v.Name] = true
	}
	children := map[state.Name][]TreeNode{}
	var roots []TreeNode
	// Parents come before children: backwards, every node's children are complete.
	for i := len(views) - 1; i >= 0; i-- {
		v := views[i]
		n := TreeNode{NodeView: v, Apps: apps[v.Name], Children: reversed(children[v.Name])}
		if v.Role != state.RoleCell {
			n.Below = sum(n.Children)
		}
		if v.Parent != "" && v.Parent != v.Name && here[v.Parent] {
			children[v.Parent] = append(children[v.Parent], n)
		} else {
			roots = append(roots, n)
		}
	}
	return reversed(roots), nil
}

// appStates counts each node's apps by state.
func appStates(ctx context.Context, ops Operations) (map[state.Name]map[state.AppState]int, error) {
	out := map[state.Name]map[state.AppState]int{}
	for _, a := range ops.Apps(ctx) {
		app, err := ops.App(ctx, a.Name)
		var problem *state.Problem
		switch {
		case errors.As(err, &problem) && problem.Kind == state.NotFound:
			continue // gone just now
		case err != nil:
			return nil, err
		}
		for _, on := range app.On {
			if out[on.Node] == nil {
				out[on.Node] = map[state.AppState]int{}
			}
			out[on.Node][on.State]++
		}
	}
	return out, nil
}

func sum(children []TreeNode) *Sum {
	s := &Sum{Nodes: map[state.Readiness]int{}, Apps: map[state.AppState]int{}}
	for _, c := range children {
		s.Nodes[c.Readiness]++
		addAll(s.Apps, c.Apps)
		if c.Below != nil {
			addAll(s.Nodes, c.Below.Nodes)
			addAll(s.Apps, c.Below.Apps)
		}
	}
	return s
}

func addAll[K comparable](to, from map[K]int) {
	for k, n := range maps.All(from) {
		to[k] += n
	}
}

func reversed(nodes []TreeNode) []TreeNode {
	out := make([]TreeNode, 0, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		out = append(out, nodes[i])
	}
	return out
}
