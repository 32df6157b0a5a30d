package tiers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"pharos/mesh"
	"pharos/state"
	"pharos/tiers/wire"
)

// Limits of frames, in bytes, and of patience.
const (
	maxHello      = 256 << 10
	maxFromChild  = 4 << 20
	maxFromParent = state.MaxOrder + 1<<20
	maxStatus     = 2 << 20  // of one node's status: what a child sends must fit into our own parent's frame too
	ordersFrame   = 64 << 10 // orders are gathered into frames of about this size: a slow link has silentAfter for each
	statusesFrame = 64 << 10
	helloWithin   = 5 * time.Second
	compareEvery  = 30 * time.Second
	resendAfter   = 3 * beatEvery // orders sent on the session that the child does not confirm are sent again
)

// session is one child's session, at the parent's side. One goroutine reads,
// one writes; the rest of the tier leaves notes for the writer.
type session struct {
	n      *Node
	child  state.Certificate
	stream *mesh.Stream
	beat   chan struct{} // send a heartbeat
	ack    chan uint64   // acknowledge a rollup
	sync   chan struct{} // send what is missing
	done   chan struct{}
	once   sync.Once

	mu    sync.Mutex
	head  state.Head // the child's, as last told
	told  state.Head // ours, as last told to the child
	sent  state.Head // up to where orders were sent on this session
	when  time.Time  // of sent
	busy  bool       // sending just now
	whole bool       // send all that the child should hold, whatever its head says
	check time.Time  // when to compare what it holds with what it should
	holds map[string]bool
}

// accept serves a peer that opened the session protocol. Whoever can't show a
// certificate for just this parent gets a refusal and nothing else.
func (t *tier) accept(ctx context.Context, stream *mesh.Stream) {
	s, err := t.greet(stream)
	if err != nil {
		t.n.refused("session", "peer", stream.Peer(), "error", err)
		_ = stream.Write(&wire.FromParent{Say: &wire.FromParent_Refused{
			Refused: state.ProblemToWire(state.AsProblem(err, "opening a session")),
		}})
		_ = stream.Close()
		return
	}
	if !t.join(s) {
		_ = stream.Reset()
		return
	}
	defer t.leave(s)
	// It may have been removed since it was let in, and before it had a session
	// that could be ended.
	if err := t.mayJoin(s.child, s.child.ID); err != nil {
		t.expel(s.child.ID, err.Error())
		return
	}
	t.n.log.Info("a child is connected", "child", s.child.Name, "head", s.head)
	var writing sync.WaitGroup
	writing.Go(func() { s.write(ctx) })
	err = s.read(t)
	s.end()
	writing.Wait()
	t.n.log.Info("a child's session ended", "child", s.child.Name, "why", err)
}

func (t *tier) greet(stream *mesh.Stream) (*session, error) {
	_ = stream.SetReadDeadline(time.Now().Add(helloWithin))
	first := &wire.FromChild{}
	if err := stream.Read(first, maxHello); err != nil {
		return nil, fmt.Errorf("reading the first frame: %w", err)
	}
	hello := first.GetHello()
	if hello == nil {
		return nil, &state.Problem{Kind: state.Refused, Doing: "opening a session", Cause: "the first frame is no hello"}
	}
	cert, err := state.OpenCertificate(hello.GetCertificate(), t.n.cert.Factory)
	if err != nil {
		return nil, err
	}
	if err := t.mayJoin(cert, state.NodeID(stream.Peer().String())); err != nil {
		return nil, err
	}
	s := &session{
		n: t.n, child: cert, stream: stream,
		beat: make(chan struct{}, 1), ack: make(chan uint64, 1), sync: make(chan struct{}, 1), done: make(chan struct{}),
		head: headOf(hello.GetHeads(), t.n.cert.Factory), holds: map[string]bool{},
	}
	for _, key := range hello.GetHolds() {
		s.holds[state.Clip(key, 2*state.MaxName)] = true
	}
	s.told = t.n.ledger.Head()
	t.n.host.Admit(stream.Peer())
	if err := stream.Write(&wire.FromParent{Say: &wire.FromParent_Welcome{Welcome: &wire.Welcome{
		Heads: heads(t.n.cert.Factory, s.told),
	}}}); err != nil {
		return nil, fmt.Errorf("welcoming %s: %w", cert.Name, err)
	}
	if s.head != s.told {
		s.whole = s.told.Before(s.head)
		poke(s.sync)
	}
	return s, nil
}

// mayJoin checks a certificate that the factory's key has signed against who
// shows it and where.
func (t *tier) mayJoin(cert state.Certificate, peer state.NodeID) error {
	refuse := func(cause, fix string) error {
		return &state.Problem{Kind: state.Refused, Doing: fmt.Sprintf("opening a session of %s with %s", cert.Name, t.n.cert.Name), Cause: cause, Fix: fix}
	}
	m, known := t.n.ledger.Member(cert.ID)
	switch {
	case cert.ID != peer:
		return refuse("the certificate is another node's", "")
	case cert.Parent != t.n.cert.ID:
		return refuse(fmt.Sprintf("its parent is %s", cert.ParentName), "let it dial its own parent")
	case time.Now().After(cert.Expires):
		return refuse("its certificate expired on "+cert.Expires.Format(time.DateOnly), "enrol it again with a new join token, in an empty data folder; its apps go on running")
	case known && m.Removed:
		return refuse("it was removed from the factory", "enrol it again with a new join token, in an empty data folder; its apps go on running")
	case known && (m.Name != cert.Name || m.Parent != cert.Parent || m.Gateway != cert.Gateway):
		return refuse(fmt.Sprintf("it was enrolled anew since, as %s %s below %s", m.Role(), m.Name, m.ParentName()), "start it with the certificate it got then")
	}
	return nil
}

// headOf finds an issuer's head among those a peer tells.
func headOf(all []*wire.Head, issuer state.NodeID) state.Head {
	for _, h := range all {
		if h.GetIssuer() == string(issuer) {
			return state.StampFromWire(h.GetStamp())
		}
	}
	return state.Head{}
}

func heads(issuer state.NodeID, h state.Head) []*wire.Head {
	return []*wire.Head{{Issuer: string(issuer), Stamp: state.StampToWire(h)}}
}

// end makes both goroutines of the session return.
func (s *session) end() {
	s.once.Do(func() {
		close(s.done)
		_ = s.stream.Reset()
	})
}

func (s *session) hold(key string) {
	s.mu.Lock()
	s.holds[key] = true
	s.mu.Unlock()
}

// read takes the child's frames until the stream ends or is silent too long.
func (s *session) read(t *tier) error {
	for {
		_ = s.stream.SetReadDeadline(time.Now().Add(silentAfter))
		frame := &wire.FromChild{}
		if err := s.stream.Read(frame, maxFromChild); err != nil {
			return err
		}
		if !t.heard(s) {
			return errors.New("another session has taken its place")
		}
		switch say := frame.GetSay().(type) {
		case *wire.FromChild_Beat:
			s.compare(headOf(say.Beat.GetHeads(), s.n.cert.Factory), say.Beat.GetHolding())
		case *wire.FromChild_Rollup:
			s.rollup(say.Rollup)
			if !say.Rollup.GetLast() {
				continue
			}
			select {
			case s.ack <- say.Rollup.GetNumber():
			case <-s.done:
				return nil
			}
		default:
			return fmt.Errorf("a frame that makes no sense in a session")
		}
	}
}

// rollup takes one frame of a rollup. Each status is whole by itself: nothing is
// gathered, and what makes no sense is left out alone.
func (s *session) rollup(r *wire.Rollup) {
	told := make([]state.NodeStatus, 0, len(r.GetChanged()))
	for _, m := range r.GetChanged() {
		st, err := state.StatusFromWire(m)
		if size := proto.Size(m); size > maxStatus {
			err = fmt.Errorf("it has %d bytes", size)
		}
		if err != nil {
			s.n.refused("report", "child", s.child.Name, "about", state.Clip(m.GetNode(), 80), "error", err)
			continue
		}
		told = append(told, st)
	}
	var sum *state.Counts
	if r.GetCounts() != nil {
		c := state.CountsFromWire(r.GetCounts())
		sum = &c
	}
	if n := s.n.picture.merge(s.child, told, sum); n > 0 {
		s.n.refused("report", "child", s.child.Name, "error", fmt.Sprintf("it told of %d nodes that are not below it", n))
	}
}

// compare notes the child's head, and has what is missing sent. Orders that
// went out by gossip since our last beat are not missing yet.
//
// A head is only the child's word on what it was told. So where the heads are
// equal, what it holds is compared too, at the start of a session and then
// now and again: a former parent may have told it of a head and kept the
// orders back.
func (s *session) compare(head state.Head, holding uint64) {
	ours := s.n.ledger.Head()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head = head
	if s.busy {
		return // it can't have what is on its way
	}
	if time.Since(s.when) > resendAfter {
		s.sent = state.Head{}
	}
	switch {
	case head.Before(s.told) && s.sent.Before(s.told):
		poke(s.sync)
	case ours.Before(head) && s.sent == state.Head{}:
		s.whole = true
		poke(s.sync)
	case head == ours && time.Now().After(s.check):
		s.check = time.Now().Add(compareEvery)
		if s.n.ledger.Holding(s.child) != holding && ours == s.n.ledger.Head() {
			s.n.log.Warn("a child does not hold what its head says; sending it all", "child", s.child.Name, "head", head)
			s.whole = true
			poke(s.sync)
		}
	}
}

func (s *session) write(ctx context.Context) {
	for {
		var err error
		select {
		case <-ctx.Done():
			s.end()
			return
		case <-s.done:
			return
		case <-s.beat:
			head := s.n.ledger.Head()
			err = s.stream.Write(&wire.FromParent{Say: &wire.FromParent_Beat{Beat: &wire.Beat{Heads: heads(s.n.cert.Factory, head)}}})
			s.mu.Lock()
			s.told = head
			s.mu.Unlock()
		case number := <-s.ack:
			err = s.stream.Write(&wire.FromParent{Say: &wire.FromParent_Ack{Ack: &wire.Ack{Rollup: number}}})
		case <-s.sync:
			err = s.sendMissing()
		}
		if err != nil {
			s.n.log.Info("can't write to a child", "child", s.child.Name, "error", err)
			s.end()
			return
		}
	}
}

// sendMissing sends all orders that the child lacks, in frames of a sane size.
func (s *session) sendMissing() error {
	s.mu.Lock()
	after, whole := s.head, s.whole
	if whole {
		after, s.whole = state.Head{}, false
	}
	s.busy = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy, s.when = false, time.Now()
		s.mu.Unlock()
	}()
	missing, through, err := s.n.ledger.Missing(after, s.child, func(key string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		// Nobody knows what a child that has to be told everything holds.
		return whole || s.holds[key]
	})
	if err != nil {
		return err
	}
	frame := &wire.Orders{Issuer: string(s.n.cert.Factory), After: state.StampToWire(after), Through: state.StampToWire(through)}
	size := 0
	for _, sealed := range missing {
		if size > 0 && size+len(sealed) > ordersFrame {
			if err := s.stream.Write(&wire.FromParent{Say: &wire.FromParent_Orders{Orders: frame}}); err != nil {
				return err
			}
			frame = &wire.Orders{Issuer: frame.Issuer, After: frame.After, Through: frame.Through}
			size = 0
		}
		frame.Orders = append(frame.Orders, sealed)
		size += len(sealed)
	}
	frame.Last = true
	s.mu.Lock()
	s.sent = through
	s.mu.Unlock()
	if m, known := s.n.ledger.Member(s.child.ID); known && s.child.Role() == state.RoleCell {
		for _, o := range s.n.ledger.Apps() {
			if names(o, m) {
				s.hold(o.Key())
			}
		}
	}
	return s.stream.Write(&wire.FromParent{Say: &wire.FromParent_Orders{Orders: frame}})
}
