package tiers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pharos/mesh"
	"pharos/state"
	"pharos/tiers/wire"
)

// Limits of enrolment, which is open to strangers.
const (
	maxEnrol      = 16 << 10 // bytes of a request or an answer
	maxEnrolments = 16       // under way at once through one anchor
	enrolWithin   = 10 * time.Second
)

// enrol serves a stranger that asks to join, or a gateway that passes such a
// request on: the root answers, a gateway asks its own parent. What passes
// through is signed at both ends; a relay can only lose it.
func (t *tier) enrol(ctx context.Context, stream *mesh.Stream) {
	defer stream.Close() //nolint:errcheck // the answer is out or lost
	answer := func(cert state.Sealed, err error) {
		a := &wire.EnrolAnswer{Answer: &wire.EnrolAnswer_Certificate{Certificate: cert}}
		if err != nil {
			t.n.refused("enrolment", "peer", stream.Peer(), "error", err)
			a.Answer = &wire.EnrolAnswer_Refused{Refused: state.ProblemToWire(state.AsProblem(err, "joining the factory"))}
		}
		_ = stream.Write(a)
	}
	// Read first: who says nothing takes nobody's place. Mesh bounds how many
	// streams strangers have.
	_ = stream.SetReadDeadline(time.Now().Add(helloWithin))
	request := &wire.EnrolRequest{}
	if err := stream.Read(request, maxEnrol); err != nil {
		answer(nil, err)
		return
	}
	select {
	case t.relays <- struct{}{}:
		defer func() { <-t.relays }()
	default:
		answer(nil, &state.Problem{Kind: state.Unable, Doing: "joining the factory", Node: t.n.cert.Name, Cause: "too many machines are joining at once", Fix: "try again in a moment"})
		return
	}
	if t.n.uplink == nil {
		answer(t.n.admit(request.GetRequest()))
		return
	}
	// Only what the root may answer is worth its time.
	if _, _, err := state.OpenJoinRequest(request.GetRequest(), t.n.cert.Factory); err != nil {
		answer(nil, err)
		return
	}
	relayed, err := t.relayEnrolment(ctx, request)
	if err != nil {
		answer(nil, state.Because(state.Unable, "passing the request on from "+string(t.n.cert.Name), err, "try again when the gateway reaches its parent"))
		return
	}
	_ = stream.Write(relayed)
}

func (t *tier) relayEnrolment(ctx context.Context, request *wire.EnrolRequest) (*wire.EnrolAnswer, error) {
	parent, err := t.n.cert.Parent.Peer()
	if err != nil {
		return nil, err
	}
	if !t.n.host.Connected(parent) {
		return nil, fmt.Errorf("its parent %s is not connected", t.n.cert.ParentName)
	}
	within, cancel := context.WithTimeout(ctx, enrolWithin)
	defer cancel()
	return exchange(within, t.n.host, parent, request)
}

// admit is the root's answer to a machine that wants to join. The token is
// burnt on disk, with the certificate it brings, before anything is answered;
// the same machine asking again gets the same answer.
func (n *Node) admit(request state.Sealed) (state.Sealed, error) {
	tokenKey, node, err := state.OpenJoinRequest(request, n.cert.Factory)
	if err != nil {
		return nil, err
	}
	n.shape.Lock()
	defer n.shape.Unlock()
	refuse := func(kind state.Kind, cause string) (state.Sealed, error) {
		return nil, &state.Problem{Kind: kind, Doing: "joining the factory", Cause: cause, Fix: "make a new token at the root: pharos token create"}
	}
	token, found, err := n.store.Token(tokenKey)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return refuse(state.Refused, "the root does not know this token (a newer one for the same name replaces an older one)")
	case token.UsedBy != "" && token.UsedBy != node:
		return refuse(state.Refused, fmt.Sprintf("the token for %s was used already, by another machine", token.Name))
	case token.UsedBy == "" && time.Now().After(token.Expires):
		return refuse(state.Refused, fmt.Sprintf("the token for %s expired at %s", token.Name, token.Expires.Format(time.DateTime)))
	}
	parent, known := n.ledger.Member(token.Parent)
	if !known || parent.Removed {
		return refuse(state.NotFound, fmt.Sprintf("the parent of %s is no longer in the factory", token.Name))
	}
	if m, has := n.memberNamed(token.Name); has && m.ID != node {
		return refuse(state.Taken, fmt.Sprintf("the name %s was taken meanwhile", token.Name))
	}
	old, again := n.ledger.Member(node)
	if again && old.Removed && token.UsedBy != "" {
		return refuse(state.Refused, fmt.Sprintf("%s was removed from the factory", token.Name))
	}
	if again && !old.Removed && old.Name != token.Name {
		return refuse(state.Taken, fmt.Sprintf("this machine is in the factory already, as %s", old.Name))
	}
	if token.UsedBy == "" {
		if token.Issued, err = n.certify(token, node, parent); err != nil {
			return nil, err
		}
		token.UsedBy = node
		if err := n.store.PutToken(token); err != nil {
			return nil, err
		}
	}
	if !again || old.Removed {
		if err := n.issueMember(state.Member{
			ID: node, Name: token.Name, Gateway: token.Gateway, Parent: parent.ID,
			Path: append(slices.Clone(parent.Path), parent.Name), Labels: token.Labels,
		}); err != nil {
			return nil, err
		}
		n.log.Info("a machine joined", "name", token.Name, "parent", parent.Name)
	}
	return token.Issued, nil
}

func (n *Node) certify(token state.TokenRecord, node state.NodeID, parent state.Member) (state.Sealed, error) {
	now := time.Now()
	return state.SealCertificate(state.Certificate{
		Factory: n.cert.Factory, ID: node, Name: token.Name, Gateway: token.Gateway,
		Parent: parent.ID, ParentName: parent.Name, Issued: now, Expires: now.Add(state.CertificateLife),
	}, n.key)
}

// issueMember commits, then publishes, a new roster document.
func (n *Node) issueMember(m state.Member) error {
	_, err := n.issue(func(o *state.Order) { o.Member = &m }, nil)
	return err
}

// issue commits the next order of this node as an issuer and sends it on its
// way. When it returns without an error, the order can't be lost.
func (n *Node) issue(fill func(*state.Order), history *state.Deployed) (state.Judged, error) {
	j, err := n.ledger.Issue(n.key, func(o *state.Order) {
		o.Issued = time.Now()
		fill(o)
	}, history)
	if err != nil {
		return j, state.AsProblem(err, "issuing an order")
	}
	n.down.took(j)
	return j, nil
}
