package tiers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"pharos/state"
)

// The operations that front doors call lie in operate_*.go: reading the
// picture here, nodes and groups in operate_shape.go, apps in operate_apps.go.

// Status is this node about itself.
func (n *Node) Status(context.Context) state.SelfView {
	own := n.self.status()
	v := state.SelfView{
		Name: n.cert.Name, ID: n.cert.ID, Factory: n.cert.Factory, Role: n.cert.Role(), Parent: n.cert.ParentName,
		Connected: true, Since: n.started, Reason: own.Reason, Head: own.Report.Head, ParentHead: own.Report.Head,
		Engine: own.Report.Engine, Disk: n.disk(), Addresses: own.Report.Addresses, Expires: n.cert.Expires,
		Apps: own.Report.Apps, Refused: n.host.Refused(), Version: n.cfg.Version,
	}
	if u := n.uplink; u != nil {
		u.mu.Lock()
		v.Connected, v.Since, v.ParentHead = u.connected, u.since, u.parentHead
		if u.reason != "" {
			v.Reason = u.reason
		}
		u.mu.Unlock()
	}
	if n.tier != nil {
		c := n.picture.counts(n.cert.ID)
		v.Below = &c
	}
	return v
}

func (n *Node) disk() state.DiskView {
	d := state.DiskView{Path: n.cfg.Data, Used: n.store.Size()}
	var fs unix.Statfs_t
	if n.cfg.Data != "" && unix.Statfs(n.cfg.Data, &fs) == nil {
		d.Total, d.Free = fs.Blocks*uint64(fs.Bsize), fs.Bavail*uint64(fs.Bsize)
	}
	return d
}

// Watch gives a tick, coalesced, whenever something that the operations show
// may have changed; it is closed when ctx or the node ends.
func (n *Node) Watch(ctx context.Context) <-chan struct{} {
	ticks, done := n.picture.watch()
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		defer done()
		for {
			select {
			case <-ctx.Done():
				return
			case <-n.ended:
				return
			case <-ticks:
				poke(out)
			}
		}
	}()
	return out
}

// Nodes gives this node's subtree, itself first, parents before children and
// siblings by name. At a cell that is the cell alone.
func (n *Node) Nodes(context.Context) []state.NodeView {
	members := n.subtree()
	out := make([]state.NodeView, len(members))
	for i, st := range n.picture.views(members) {
		out[i] = nodeView(members[i], st)
	}
	return out
}

// subtree gives the roster below this node, itself included, in tree order.
func (n *Node) subtree() []state.Member {
	all := n.members()
	if _, known := n.ledger.Self(); !known {
		// Its certificate came before its roster document.
		all = append(all, state.Member{
			ID: n.cert.ID, Name: n.cert.Name, Gateway: n.cert.Gateway, Parent: n.cert.Parent, Path: []state.Name{n.cert.ParentName},
		})
	}
	way := func(m state.Member) []state.Name { return append(slices.Clone(m.Path), m.Name) }
	slices.SortFunc(all, func(a, b state.Member) int { return slices.Compare(way(a), way(b)) })
	return all
}

func nodeView(m state.Member, st state.NodeStatus) state.NodeView {
	v := state.NodeView{
		Name: m.Name, ID: m.ID, Role: m.Role(), Parent: m.ParentName(),
		Readiness: st.Readiness, Reason: st.Reason, Since: st.Since, Labels: m.Labels, Groups: m.Groups,
	}
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	if v.Groups == nil {
		v.Groups = []state.Name{}
	}
	return v
}

// Node gives all that is known of one node of the subtree.
func (n *Node) Node(_ context.Context, name state.Name) (state.NodeDetail, error) {
	m, err := n.find(name)
	if err != nil {
		return state.NodeDetail{}, err
	}
	head, st := n.ledger.Head(), n.picture.view(m)
	return state.NodeDetail{
		NodeView: nodeView(m, st), Path: append([]state.Name{}, m.Path...), Report: st.Report, Below: n.picture.below(m), Orders: &head,
	}, nil
}

// members gives, by name, the nodes below this one, and itself. The ledger
// remembers others too: who was removed, or has a place elsewhere now.
func (n *Node) members() []state.Member {
	return slices.DeleteFunc(n.ledger.Members(), func(m state.Member) bool { return !n.has(m) })
}

func (n *Node) has(m state.Member) bool {
	return !m.Removed && (m.ID == n.cert.ID || m.Below(n.cert.Name))
}

func (n *Node) memberNamed(name state.Name) (state.Member, bool) {
	for _, m := range n.members() {
		if m.Name == name {
			return m, true
		}
	}
	return state.Member{}, false
}

// find is memberNamed with an error that says what there is.
func (n *Node) find(name state.Name) (state.Member, error) {
	if m, has := n.memberNamed(name); has {
		return m, nil
	}
	return state.Member{}, &state.Problem{
		Kind: state.NotFound, Doing: fmt.Sprintf("looking for the node %q", state.Clip(string(name), state.MaxName)),
		Cause: fmt.Sprintf("%s knows no node of that name", n.cert.Name), Fix: n.suggest(name, "pharos node ls"),
	}
}

// suggest names what was probably meant, or where to look.
func (n *Node) suggest(name state.Name, list string) string {
	for _, m := range n.members() {
		if name != "" && (strings.HasPrefix(string(m.Name), string(name)) || strings.HasPrefix(string(name), string(m.Name))) {
			return fmt.Sprintf("did you mean %s? '%s' shows all", m.Name, list)
		}
	}
	return fmt.Sprintf("'%s' shows all", list)
}

// commands refuses an operation that only the root may do.
func (n *Node) commands(doing string) error {
	if n.cert.Role() == state.RoleRoot {
		return nil
	}
	root := "the root anchor"
	if me, known := n.ledger.Self(); known && len(me.Path) > 0 {
		root = string(me.Path[0])
	}
	return &state.Problem{
		Kind: state.Elsewhere, Doing: doing, Cause: fmt.Sprintf("%s is a %s, and the factory is commanded from its root", n.cert.Name, n.cert.Role()),
		Fix: "do it on " + root,
	}
}
