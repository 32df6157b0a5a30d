package state

import (
	"fmt"
	"slices"
	"time"

	"pharos/state/wire"
)

// This file turns documents into their wire form and back. Back is where
// everything from outside is checked.

func stampToWire(s Stamp) *wire.Stamp { return &wire.Stamp{Epoch: s.Epoch, Number: s.Number} }

func stampFromWire(s *wire.Stamp) Stamp {
	return Stamp{Epoch: s.GetEpoch(), Number: s.GetNumber()}
}

// StampToWire and StampFromWire are for the frames of tiers.
func StampToWire(s Stamp) *wire.Stamp { return stampToWire(s) }

// StampFromWire reads a stamp; a missing one is zero.
func StampFromWire(s *wire.Stamp) Stamp { return stampFromWire(s) }

func malformed(what, why string) error {
	return &Problem{Kind: Corrupt, Doing: "reading a " + what, Cause: why}
}

func orderToWire(o Order) *wire.Order {
	m := &wire.Order{
		Factory: string(o.Factory), Issuer: string(o.Issuer),
		Stamp: stampToWire(o.Stamp), IssuedAt: o.Issued.UnixMilli(),
	}
	if a := o.App; a != nil {
		m.Body = &wire.Order_App{App: &wire.AppOrder{
			App: string(a.App), Revision: a.Revision, Want: string(a.Want),
			Selector: a.Selector.String(), Compose: a.Compose,
		}}
	} else {
		m.Body = &wire.Order_Member{Member: memberToWire(*o.Member)}
	}
	return m
}

func orderFromWire(m *wire.Order) (Order, error) {
	o := Order{
		Factory: NodeID(m.GetFactory()), Issuer: NodeID(m.GetIssuer()),
		Stamp: stampFromWire(m.GetStamp()), Issued: time.UnixMilli(m.GetIssuedAt()),
	}
	if o.Stamp.Epoch == 0 || o.Stamp.Number == 0 {
		return o, malformed("order", "it has no stamp")
	}
	switch body := m.GetBody().(type) {
	case *wire.Order_App:
		a, err := appOrderFromWire(body.App)
		o.App = &a
		return o, err
	case *wire.Order_Member:
		member, err := memberFromWire(body.Member)
		o.Member = &member
		return o, err
	}
	return o, malformed("order", "it is about nothing this version knows")
}

func appOrderFromWire(m *wire.AppOrder) (AppOrder, error) {
	a := AppOrder{Revision: m.GetRevision(), Want: Want(m.GetWant()), Compose: m.GetCompose()}
	var err error
	if a.App, err = ParseName("app", m.GetApp()); err != nil {
		return a, err
	}
	if a.Selector, err = ParseSelector(m.GetSelector()); err != nil {
		return a, err
	}
	switch {
	case !a.Want.Valid():
		return a, malformed("app order", fmt.Sprintf("it wants %q", Clip(string(a.Want), 20)))
	case a.Revision == 0:
		return a, malformed("app order", "it has no revision")
	case len(a.Compose) > MaxCompose:
		return a, malformed("app order", "its project is too large")
	}
	return a, nil
}

func memberToWire(m Member) *wire.Member {
	return &wire.Member{
		Id: string(m.ID), Name: string(m.Name), Gateway: m.Gateway, Parent: string(m.Parent),
		Path: namesToStrings(m.Path), Groups: namesToStrings(m.Groups), Labels: m.Labels, Removed: m.Removed,
	}
}

// MaxDepth is how deep a factory's tree may be.
const MaxDepth = 16

func memberFromWire(m *wire.Member) (Member, error) {
	out := Member{
		ID: NodeID(m.GetId()), Gateway: m.GetGateway(), Parent: NodeID(m.GetParent()),
		Labels: m.GetLabels(), Removed: m.GetRemoved(),
	}
	var err error
	if _, err = out.ID.Peer(); err != nil {
		return out, err
	}
	if out.Name, err = ParseName("node", m.GetName()); err != nil {
		return out, err
	}
	if out.Path, err = namesFromStrings("node", m.GetPath()); err != nil {
		return out, err
	}
	if out.Groups, err = namesFromStrings("group", m.GetGroups()); err != nil {
		return out, err
	}
	if len(out.Path) > MaxDepth || (out.Parent == "") != (len(out.Path) == 0) {
		return out, malformed("roster document", "its place in the tree makes no sense")
	}
	return out, nil
}

func namesToStrings(names []Name) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}

func namesFromStrings(what string, in []string) ([]Name, error) {
	var out []Name
	for _, s := range in {
		n, err := ParseName(what, s)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func certificateToWire(c Certificate) *wire.Certificate {
	return &wire.Certificate{
		Factory: string(c.Factory), Id: string(c.ID), Name: string(c.Name), Gateway: c.Gateway,
		Parent: string(c.Parent), ParentName: string(c.ParentName),
		IssuedAt: c.Issued.Unix(), ExpiresAt: c.Expires.Unix(),
	}
}

func certificateFromWire(m *wire.Certificate) (Certificate, error) {
	c := Certificate{
		Factory: NodeID(m.GetFactory()), ID: NodeID(m.GetId()), Gateway: m.GetGateway(), Parent: NodeID(m.GetParent()),
		Issued: time.Unix(m.GetIssuedAt(), 0), Expires: time.Unix(m.GetExpiresAt(), 0),
	}
	ids := []NodeID{c.Factory, c.ID}
	if c.Parent != "" {
		ids = append(ids, c.Parent)
	}
	for _, id := range ids {
		if _, err := id.Peer(); err != nil {
			return c, err
		}
	}
	var err error
	if c.Name, err = ParseName("node", m.GetName()); err != nil {
		return c, err
	}
	if c.Parent != "" {
		c.ParentName, err = ParseName("node", m.GetParentName())
	}
	return c, err
}

// StatusToWire turns a node's status into its wire form.
func StatusToWire(s NodeStatus) *wire.NodeStatus {
	r := s.Report
	report := &wire.NodeReport{
		Generation: r.Generation, Sequence: r.Sequence, Head: stampToWire(r.Head),
		Engine:    &wire.Engine{Kind: r.Engine.Kind, Version: r.Engine.Version, Problem: r.Engine.Problem},
		Addresses: r.Addresses, Problem: r.Problem,
	}
	for _, a := range r.Apps {
		app := &wire.AppReport{
			App: string(a.App), Revision: a.Revision, Stamp: stampToWire(a.Stamp), State: string(a.State), Reason: a.Reason,
			Since: a.Since.UnixMilli(), Networks: a.Networks, Volumes: a.Volumes, Logs: a.Logs,
		}
		for _, c := range a.Containers {
			app.Containers = append(app.Containers, &wire.Container{
				Service: c.Service, Name: c.Name, Id: c.ID, State: c.State, Health: c.Health,
				Restarts: c.Restarts, Image: c.Image, Hash: c.Hash, ExitCode: c.ExitCode,
			})
		}
		report.Apps = append(report.Apps, app)
	}
	return &wire.NodeStatus{
		Node: string(s.Node), Readiness: string(s.Readiness), Reason: s.Reason, Since: s.Since.UnixMilli(), Silent: s.Silent, Report: report,
	}
}

// StatusFromWire reads a node's status, clipping what is longer than it may be:
// a report that is partly too long is still worth having.
func StatusFromWire(m *wire.NodeStatus) (NodeStatus, error) {
	s := NodeStatus{
		Node: NodeID(m.GetNode()), Readiness: Readiness(m.GetReadiness()),
		Reason: Clip(m.GetReason(), MaxReason), Since: time.UnixMilli(m.GetSince()), Silent: m.GetSilent(),
	}
	if _, err := s.Node.Peer(); err != nil {
		return s, err
	}
	if s.Readiness != Ready && s.Readiness != NotReady && s.Readiness != Unknown {
		return s, malformed("node status", fmt.Sprintf("its readiness is %q", Clip(string(s.Readiness), 20)))
	}
	r := m.GetReport()
	s.Report = NodeReport{
		Generation: r.GetGeneration(), Sequence: r.GetSequence(), Head: stampFromWire(r.GetHead()),
		Engine: EngineReport{
			Kind: Clip(r.GetEngine().GetKind(), 40), Version: Clip(r.GetEngine().GetVersion(), 80),
			Problem: Clip(r.GetEngine().GetProblem(), MaxReason),
		},
		Addresses: r.GetAddresses(), Problem: Clip(r.GetProblem(), MaxReason),
	}
	for _, a := range r.GetApps() {
		app, err := appReportFromWire(a)
		if err != nil {
			return s, err
		}
		s.Report.Apps = append(s.Report.Apps, app)
	}
	return s, nil
}

func appReportFromWire(m *wire.AppReport) (AppReport, error) {
	name, err := ParseName("app", m.GetApp())
	if err != nil {
		return AppReport{}, err
	}
	a := AppReport{
		App: name, Revision: m.GetRevision(), Stamp: stampFromWire(m.GetStamp()), State: AppState(Clip(m.GetState(), 20)),
		Reason: Clip(m.GetReason(), MaxReason), Since: time.UnixMilli(m.GetSince()),
		Networks: m.GetNetworks(), Volumes: m.GetVolumes(),
	}
	for i, line := range m.GetLogs() {
		if i == MaxLogLines {
			break
		}
		a.Logs = append(a.Logs, Clip(line, MaxLogLine))
	}
	for _, c := range m.GetContainers() {
		a.Containers = append(a.Containers, Container{
			Service: c.GetService(), Name: c.GetName(), ID: c.GetId(), State: c.GetState(), Health: c.GetHealth(),
			Restarts: c.GetRestarts(), Image: c.GetImage(), Hash: c.GetHash(), ExitCode: c.GetExitCode(),
		})
	}
	return a, nil
}

// ProblemToWire lets a problem cross tiers.
func ProblemToWire(p *Problem) *wire.Problem {
	return &wire.Problem{Kind: string(p.Kind), Doing: p.Doing, Node: string(p.Node), Cause: p.Cause, Fix: p.Fix}
}

// ProblemFromWire reads a problem that another node told.
func ProblemFromWire(m *wire.Problem) *Problem {
	return &Problem{
		Kind: Kind(Clip(m.GetKind(), 20)), Doing: Clip(m.GetDoing(), MaxReason), Node: Name(Clip(m.GetNode(), MaxName)),
		Cause: Clip(m.GetCause(), MaxReason), Fix: Clip(m.GetFix(), MaxReason),
	}
}

// sortedUnique sorts names and drops doubles, in place.
func sortedUnique(names []Name) []Name {
	slices.Sort(names)
	return slices.Compact(names)
}
