package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pharos/state/wire"
)

// This file turns signed documents into their wire form and back. Back is where
// everything from outside is checked.

// StampToWire turns a stamp into its wire form.
func StampToWire(s Stamp) *wire.Stamp { return &wire.Stamp{Epoch: s.Epoch, Number: s.Number} }

// StampFromWire reads a stamp; a missing one is zero.
func StampFromWire(s *wire.Stamp) Stamp {
	return Stamp{Epoch: s.GetEpoch(), Number: s.GetNumber()}
}

// The times that JSON can tell. What lies beyond them is moved to their bounds:
// one wild clock must not keep anybody from printing a list.
var (
	firstTime = time.Time{}
	lastTime  = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
)

func bounded(t time.Time) time.Time {
	switch {
	case t.Before(firstTime):
		return firstTime
	case t.After(lastTime):
		return lastTime
	}
	return t
}

func millis(n int64) time.Time { return bounded(time.UnixMilli(n)) }

func seconds(n int64) time.Time { return bounded(time.Unix(n, 0)) }

func malformed(what, why string) error {
	return &Problem{Kind: Corrupt, Doing: "reading a " + what, Cause: why}
}

func orderToWire(o Order) *wire.Order {
	m := &wire.Order{
		Factory: string(o.Factory), Issuer: string(o.Issuer),
		Stamp: StampToWire(o.Stamp), IssuedAt: o.Issued.UnixMilli(),
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
		Stamp: StampFromWire(m.GetStamp()), Issued: millis(m.GetIssuedAt()),
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
	slices.Sort(out.Groups)
	out.Groups = slices.Compact(out.Groups)
	if len(out.Groups) > MaxGroups || len(out.Labels) > MaxLabels {
		return out, malformed("roster document", fmt.Sprintf("it has over %d groups or %d labels", MaxGroups, MaxLabels))
	}
	for key, value := range out.Labels {
		if _, _, err := ParseLabel(key + "=" + value); err != nil || strings.Contains(key, "=") {
			return out, malformed("roster document", fmt.Sprintf("its label %q can't be", Clip(key, 40)))
		}
	}
	if len(out.Path) > MaxDepth || (out.Parent == "") != (len(out.Path) == 0) || slices.Contains(out.Path, out.Name) {
		return out, malformed("roster document", "its place in the tree makes no sense")
	}
	if out.Parent != "" {
		_, err = out.Parent.Peer()
	}
	return out, err
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
		Issued: seconds(m.GetIssuedAt()), Expires: seconds(m.GetExpiresAt()),
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
