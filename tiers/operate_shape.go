package tiers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pharos/state"
)

// CreateToken makes a single-use join token. A newer token for a name replaces
// an older one that was not used.
func (n *Node) CreateToken(_ context.Context, r state.TokenRequest) (string, error) {
	doing := fmt.Sprintf("making a join token for %q", state.Clip(string(r.Name), state.MaxName))
	if err := n.commands(doing); err != nil {
		return "", err
	}
	if _, err := state.ParseName("node", string(r.Name)); err != nil {
		return "", err
	}
	invalid := func(cause, fix string) (string, error) {
		return "", &state.Problem{Kind: state.Invalid, Doing: doing, Cause: cause, Fix: fix}
	}
	for k, v := range r.Labels {
		if _, _, err := state.ParseLabel(k + "=" + v); err != nil {
			return "", err
		}
	}
	if len(r.Labels) > state.MaxLabels {
		return invalid(fmt.Sprintf("it would have over %d labels", state.MaxLabels), "give fewer")
	}
	if r.Life == 0 {
		r.Life = state.DefaultTokenLife
	}
	if r.Life < 0 || r.Life > state.MaxTokenLife {
		return invalid(fmt.Sprintf("it would be valid for %v", r.Life), fmt.Sprintf("give a --ttl up to %v", state.MaxTokenLife))
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	if m, has := n.memberNamed(r.Name); has {
		return "", &state.Problem{
			Kind: state.Taken, Doing: doing, Cause: fmt.Sprintf("there is a %s of that name", m.Role()),
			Fix: fmt.Sprintf("choose another name, or remove that node first: pharos node rm %s", r.Name),
		}
	}
	parent, _ := n.ledger.Self()
	if r.Parent != "" {
		var err error
		if parent, err = n.find(r.Parent); err != nil {
			return "", err
		}
	}
	if parent.Role() == state.RoleCell {
		return invalid(fmt.Sprintf("%s is a cell and can't have nodes below it", parent.Name), "give a gateway or the root as --parent")
	}
	if len(parent.Path)+1 >= state.MaxDepth {
		return invalid(fmt.Sprintf("the tree would be over %d tiers deep", state.MaxDepth), "give a --parent nearer to the root")
	}
	// The token names the parent's ID once; behind each address it would only
	// make the token longer to paste.
	var addresses []string
	for _, a := range n.picture.view(parent).Report.Addresses {
		addresses = append(addresses, strings.TrimSuffix(a, "/p2p/"+string(parent.ID)))
	}
	token, key, err := state.NewJoinToken(n.cert.Factory, r.Name, parent.ID, addresses)
	if err != nil {
		return "", err
	}
	if err := n.clearTokens(r.Name); err != nil {
		return "", err
	}
	return token.String(), n.store.PutToken(state.TokenRecord{
		Key: key, Name: r.Name, Gateway: r.Gateway, Parent: parent.ID, Labels: r.Labels, Expires: time.Now().Add(r.Life),
	})
}

// clearTokens forgets the unused tokens of a name, and all unused ones that
// expired long ago.
func (n *Node) clearTokens(name state.Name) error {
	all, err := n.store.Tokens()
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.UsedBy == "" && (t.Name == name || time.Since(t.Expires) > state.MaxTokenLife) {
			if err := n.store.DeleteToken(t.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// LabelNode sets and removes labels of a node.
func (n *Node) LabelNode(_ context.Context, name state.Name, set map[string]string, remove []string) (state.NodeView, error) {
	if err := n.commands(fmt.Sprintf("labelling %s", name)); err != nil {
		return state.NodeView{}, err
	}
	for k, v := range set {
		if _, _, err := state.ParseLabel(k + "=" + v); err != nil {
			return state.NodeView{}, err
		}
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	old, err := n.find(name)
	if err != nil {
		return state.NodeView{}, err
	}
	m := old.Clone()
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
	maps.Copy(m.Labels, set)
	for _, k := range remove {
		if _, has := old.Labels[k]; !has {
			return state.NodeView{}, &state.Problem{
				Kind: state.NotFound, Doing: fmt.Sprintf("removing the label %q of %s", state.Clip(k, 63), name), Cause: "it has no such label",
				Fix: fmt.Sprintf("'pharos node inspect %s' shows its labels", name),
			}
		}
		delete(m.Labels, k)
	}
	if len(m.Labels) > state.MaxLabels {
		return state.NodeView{}, &state.Problem{Kind: state.Invalid, Doing: fmt.Sprintf("labelling %s", name), Cause: fmt.Sprintf("it would have over %d labels", state.MaxLabels)}
	}
	if !maps.Equal(m.Labels, old.Labels) {
		if err := n.issueMember(m); err != nil {
			return state.NodeView{}, err
		}
	}
	return nodeView(m, n.picture.view(m)), nil
}

// RemoveNode takes a node out of the factory. Its apps go on running: only
// orders stop apps.
func (n *Node) RemoveNode(_ context.Context, name state.Name) error {
	doing := fmt.Sprintf("removing the node %s", name)
	if err := n.commands(doing); err != nil {
		return err
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	m, err := n.find(name)
	if err != nil {
		return err
	}
	if m.ID == n.cert.ID {
		return &state.Problem{Kind: state.Invalid, Doing: doing, Cause: "it is the root itself", Fix: "a factory ends when its root is no longer run"}
	}
	for _, other := range n.ledger.Members() {
		if !other.Removed && other.Below(name) {
			return &state.Problem{
				Kind: state.Refused, Doing: doing, Cause: fmt.Sprintf("%s is below it", other.Name),
				Fix: "remove the nodes below it first",
			}
		}
	}
	m = m.Clone()
	m.Removed = true
	return n.issueMember(m)
}

// Groups gives all groups, by name.
func (n *Node) Groups(context.Context) []state.GroupView {
	names, err := n.store.Groups()
	if err != nil {
		n.log.Error("can't read the groups", "error", err)
	}
	// A gateway has no list of its own: it knows those its nodes are in.
	for _, m := range n.members() {
		names = append(names, m.Groups...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	out := make([]state.GroupView, 0, len(names))
	for _, g := range names {
		out = append(out, n.groupView(g))
	}
	return out
}

func (n *Node) groupView(g state.Name) state.GroupView {
	v := state.GroupView{Name: g, Members: []state.Name{}, Apps: []state.Name{}}
	for _, m := range n.members() {
		if slices.Contains(m.Groups, g) {
			v.Members = append(v.Members, m.Name)
		}
	}
	for _, o := range n.ledger.Apps() {
		if o.App.Want != state.Gone && slices.ContainsFunc(o.App.Selector.Terms, func(t state.Term) bool { return t.By == state.ByGroup && t.Name == g }) {
			v.Apps = append(v.Apps, o.App.App)
		}
	}
	return v
}

// Group gives one group.
func (n *Node) Group(ctx context.Context, name state.Name) (state.GroupView, error) {
	for _, g := range n.Groups(ctx) {
		if g.Name == name {
			return g, nil
		}
	}
	return state.GroupView{}, noGroup(name)
}

func noGroup(name state.Name) error {
	return &state.Problem{
		Kind: state.NotFound, Doing: fmt.Sprintf("looking for the group %q", state.Clip(string(name), state.MaxName)),
		Cause: "there is no group of that name", Fix: fmt.Sprintf("'pharos group ls' shows all; 'pharos group create %s' makes it", state.Clip(string(name), state.MaxName)),
	}
}

// CreateGroup makes an empty group.
func (n *Node) CreateGroup(ctx context.Context, name state.Name) error {
	doing := fmt.Sprintf("making the group %s", state.Clip(string(name), state.MaxName))
	if err := n.commands(doing); err != nil {
		return err
	}
	if _, err := state.ParseName("group", string(name)); err != nil {
		return err
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	if _, err := n.Group(ctx, name); err == nil {
		return &state.Problem{Kind: state.Taken, Doing: doing, Cause: "there is a group of that name", Fix: fmt.Sprintf("'pharos group inspect %s' shows it", name)}
	}
	return n.store.PutGroup(name)
}

// RemoveGroup takes all members out of a group, and then the group away. An
// app that only the group brought to a node is removed there.
func (n *Node) RemoveGroup(ctx context.Context, name state.Name) error {
	if err := n.commands(fmt.Sprintf("removing the group %s", name)); err != nil {
		return err
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	g, err := n.Group(ctx, name)
	if err != nil {
		return err
	}
	if err := n.regroup(name, g.Members, false); err != nil {
		return err
	}
	return n.store.DeleteGroup(name)
}

// AddToGroup puts nodes into a group: all of them, or none when one is unknown.
func (n *Node) AddToGroup(ctx context.Context, group state.Name, nodes []state.Name) (state.GroupView, error) {
	return n.changeGroup(ctx, group, nodes, true)
}

// RemoveFromGroup takes nodes out of a group: all of them, or none.
func (n *Node) RemoveFromGroup(ctx context.Context, group state.Name, nodes []state.Name) (state.GroupView, error) {
	return n.changeGroup(ctx, group, nodes, false)
}

func (n *Node) changeGroup(ctx context.Context, group state.Name, nodes []state.Name, in bool) (state.GroupView, error) {
	if err := n.commands(fmt.Sprintf("changing the group %s", group)); err != nil {
		return state.GroupView{}, err
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	g, err := n.Group(ctx, group)
	if err != nil {
		return g, err
	}
	for _, name := range nodes {
		m, err := n.find(name)
		switch {
		case err != nil:
			return g, err
		case !in && !slices.Contains(g.Members, name):
			return g, &state.Problem{
				Kind: state.NotFound, Doing: fmt.Sprintf("taking %s out of the group %s", name, group), Cause: "it is not in it",
				Fix: fmt.Sprintf("'pharos group inspect %s' shows who is", group),
			}
		case in && len(m.Groups) >= state.MaxGroups:
			return g, &state.Problem{Kind: state.Invalid, Doing: fmt.Sprintf("adding %s to the group %s", name, group), Cause: fmt.Sprintf("it is in %d groups", state.MaxGroups)}
		}
	}
	if err := n.regroup(group, nodes, in); err != nil {
		return g, err
	}
	return n.groupView(group), nil
}

// regroup issues the new roster documents of the nodes whose membership changes.
func (n *Node) regroup(group state.Name, nodes []state.Name, in bool) error {
	for _, name := range nodes {
		m, err := n.find(name)
		if err != nil {
			return err
		}
		if slices.Contains(m.Groups, group) == in {
			continue
		}
		m = m.Clone()
		if in {
			m.Groups = append(m.Groups, group)
			slices.SortFunc(m.Groups, func(a, b state.Name) int { return strings.Compare(string(a), string(b)) })
		} else {
			m.Groups = slices.DeleteFunc(m.Groups, func(g state.Name) bool { return g == group })
		}
		if err := n.issueMember(m); err != nil {
			return err
		}
	}
	return nil
}
