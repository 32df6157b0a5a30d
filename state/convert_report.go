package state

import (
	"fmt"

	"pharos/state/wire"
)

// This file turns what nodes say of themselves, and problems, into their wire
// form and back. Both ways it is cut to its limits and made plain: container
// logs may hold any bytes, and a frame of ours only valid UTF-8.

func plainAll(in []string, most, length int) []string {
	var out []string
	for _, s := range in[:min(len(in), most)] {
		out = append(out, plain(s, length))
	}
	return out
}

// Limits of words and names in reports, in bytes.
const (
	maxWord  = 80  // a state, a version
	maxThing = 512 // the name of an image, container, network or volume
)

// StatusToWire turns a node's status into its wire form.
func StatusToWire(s NodeStatus) *wire.NodeStatus {
	r := s.Report
	report := &wire.NodeReport{
		Generation: r.Generation, Sequence: r.Sequence, Head: StampToWire(r.Head),
		Engine: &wire.Engine{
			Kind: plain(r.Engine.Kind, maxWord), Version: plain(r.Engine.Version, maxWord), Problem: plain(r.Engine.Problem, MaxReason),
		},
		Addresses: plainAll(r.Addresses, MaxAddresses, MaxAddress), Problem: plain(r.Problem, MaxReason),
	}
	for _, a := range r.Apps[:min(len(r.Apps), MaxReportApps)] {
		app := &wire.AppReport{
			App: string(a.App), Revision: a.Revision, Stamp: StampToWire(a.Stamp), State: string(a.State),
			Reason: plain(a.Reason, MaxReason), Since: a.Since.UnixMilli(), Logs: plainAll(a.Logs, MaxLogLines, MaxLogLine),
			Networks: plainAll(a.Networks, MaxContainers, maxThing), Volumes: plainAll(a.Volumes, MaxContainers, maxThing),
		}
		for _, c := range a.Containers[:min(len(a.Containers), MaxContainers)] {
			app.Containers = append(app.Containers, &wire.Container{
				Service: plain(c.Service, maxThing), Name: plain(c.Name, maxThing), Id: plain(c.ID, maxThing),
				State: plain(c.State, maxWord), Health: plain(c.Health, maxWord), Restarts: c.Restarts,
				Image: plain(c.Image, maxThing), Hash: plain(c.Hash, maxThing), ExitCode: c.ExitCode,
			})
		}
		report.Apps = append(report.Apps, app)
	}
	return &wire.NodeStatus{
		Node: string(s.Node), Readiness: string(s.Readiness), Reason: plain(s.Reason, MaxReason),
		Since: s.Since.UnixMilli(), Silent: s.Silent, Report: report,
	}
}

// StatusFromWire reads a node's status, cutting what is longer than it may be:
// a report that is partly too long is still worth having.
func StatusFromWire(m *wire.NodeStatus) (NodeStatus, error) {
	s := NodeStatus{
		Node: NodeID(m.GetNode()), Readiness: Readiness(m.GetReadiness()),
		Reason: plain(m.GetReason(), MaxReason), Since: millis(m.GetSince()), Silent: m.GetSilent(),
	}
	if _, err := s.Node.Peer(); err != nil {
		return NodeStatus{}, err
	}
	if s.Readiness != Ready && s.Readiness != NotReady && s.Readiness != Unknown {
		return NodeStatus{}, malformed("node status", fmt.Sprintf("its readiness is %q", Clip(string(s.Readiness), 20)))
	}
	r := m.GetReport()
	s.Report = NodeReport{
		Generation: r.GetGeneration(), Sequence: r.GetSequence(), Head: StampFromWire(r.GetHead()),
		Engine: EngineReport{
			Kind: plain(r.GetEngine().GetKind(), maxWord), Version: plain(r.GetEngine().GetVersion(), maxWord),
			Problem: plain(r.GetEngine().GetProblem(), MaxReason),
		},
		Addresses: plainAll(r.GetAddresses(), MaxAddresses, MaxAddress), Problem: plain(r.GetProblem(), MaxReason),
	}
	had := map[Name]bool{}
	for _, a := range r.GetApps()[:min(len(r.GetApps()), MaxReportApps)] {
		app, err := appReportFromWire(a)
		if err != nil {
			return NodeStatus{}, err
		}
		if !had[app.App] {
			s.Report.Apps = append(s.Report.Apps, app)
		}
		had[app.App] = true
	}
	return s, nil
}

func appReportFromWire(m *wire.AppReport) (AppReport, error) {
	name, err := ParseName("app", m.GetApp())
	if err != nil {
		return AppReport{}, err
	}
	a := AppReport{
		App: name, Revision: m.GetRevision(), Stamp: StampFromWire(m.GetStamp()), State: AppState(m.GetState()),
		Reason: plain(m.GetReason(), MaxReason), Since: millis(m.GetSince()), Logs: plainAll(m.GetLogs(), MaxLogLines, MaxLogLine),
		Networks: plainAll(m.GetNetworks(), MaxContainers, maxThing), Volumes: plainAll(m.GetVolumes(), MaxContainers, maxThing),
	}
	if !a.State.Valid() {
		return AppReport{}, malformed("node status", fmt.Sprintf("the state of app %s is %q", name, Clip(m.GetState(), 20)))
	}
	for _, c := range m.GetContainers()[:min(len(m.GetContainers()), MaxContainers)] {
		a.Containers = append(a.Containers, Container{
			Service: plain(c.GetService(), maxThing), Name: plain(c.GetName(), maxThing), ID: plain(c.GetId(), maxThing),
			State: plain(c.GetState(), maxWord), Health: plain(c.GetHealth(), maxWord), Restarts: c.GetRestarts(),
			Image: plain(c.GetImage(), maxThing), Hash: plain(c.GetHash(), maxThing), ExitCode: c.GetExitCode(),
		})
	}
	return a, nil
}

// ProblemToWire lets a problem cross tiers.
func ProblemToWire(p *Problem) *wire.Problem {
	cause := p.Cause
	if cause == "" && p.Err != nil {
		cause = p.Err.Error()
	}
	return &wire.Problem{
		Kind: plain(string(p.Kind), maxWord), Doing: plain(p.Doing, MaxReason), Node: plain(string(p.Node), MaxName),
		Cause: plain(cause, MaxReason), Fix: plain(p.Fix, MaxReason),
	}
}

// ProblemFromWire reads a problem that another node told.
func ProblemFromWire(m *wire.Problem) *Problem {
	return &Problem{
		Kind: Kind(plain(m.GetKind(), maxWord)), Doing: plain(m.GetDoing(), MaxReason), Node: Name(plain(m.GetNode(), MaxName)),
		Cause: plain(m.GetCause(), MaxReason), Fix: plain(m.GetFix(), MaxReason),
	}
}
