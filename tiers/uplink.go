package tiers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"pharos/mesh"
	"pharos/state"
	"pharos/tiers/wire"
)

// uplink is this node's session with its parent, dialled again for as long as
// the node runs.
type uplink struct {
	n     *Node
	beat  chan struct{} // tell the parent our head now
	retry chan struct{} // new addresses: don't wait out the pause

	mu         sync.Mutex
	addresses  []string
	connected  bool
	since      time.Time
	reason     string
	parentHead state.Head
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = time.Second
	dialWithin   = 3 * time.Second
	maxAddresses = 32 // of the parent that are kept
	tellEvery    = time.Minute
)

func newUplink(n *Node) *uplink {
	u := &uplink{
		n: n, beat: make(chan struct{}, 1), retry: make(chan struct{}, 1),
		since: time.Now(), reason: "it has not been reached since this node started",
	}
	addresses, err := n.store.ParentAddresses()
	if err != nil {
		n.log.Warn("can't read the parent's addresses; waiting for mDNS", "error", err)
	}
	u.addresses = addresses
	return u
}

// found takes addresses that mDNS tells.
func (u *uplink) found(id state.NodeID, addrs []string) {
	if id != u.n.cert.Parent || len(addrs) == 0 {
		return
	}
	u.mu.Lock()
	var fresh []string
	for _, a := range addrs {
		if !slices.Contains(u.addresses, a) {
			fresh = append(fresh, a)
		}
	}
	u.addresses = append(fresh, u.addresses...)
	u.addresses = u.addresses[:min(len(u.addresses), maxAddresses)]
	all := slices.Clone(u.addresses)
	u.mu.Unlock()
	if len(fresh) > 0 {
		if err := u.n.store.PutParentAddresses(all); err != nil {
			u.n.log.Warn("could not keep the parent's addresses", "error", err)
		}
		poke(u.retry)
	}
}

// beatNow makes the parent hear our head at once.
func (u *uplink) beatNow() { poke(u.beat) }

func (u *uplink) set(connected bool, reason string) {
	u.mu.Lock()
	if u.connected != connected {
		u.since = time.Now()
	}
	u.connected, u.reason = connected, reason
	u.mu.Unlock()
	u.n.picture.touched()
}

// run keeps a session with the parent until ctx ends.
func (u *uplink) run(ctx context.Context) {
	pause := firstPause
	var told time.Time // when the log last heard of it: a parent may be away for a month
	for ctx.Err() == nil {
		began := time.Now()
		err := u.session(ctx)
		if ctx.Err() != nil {
			return
		}
		u.set(false, err.Error())
		if time.Since(began) > silentAfter {
			pause, told = firstPause, time.Time{} // it was one that had stood
		}
		if time.Since(told) > tellEvery {
			u.n.log.Warn("no session with the parent; trying on", "parent", u.n.cert.ParentName, "why", err)
			told = time.Now()
		}
		// Half of the pause is chance: a parent that returns is not dialled by
		// all its children in one moment.
		wait := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
		case <-wait.C:
		case <-u.retry:
		}
		wait.Stop()
		pause = min(2*pause, longestPause)
	}
}

// session is one session from the dial to its end; the error says why it ended.
func (u *uplink) session(ctx context.Context) error {
	parent, err := u.n.cert.Parent.Peer()
	if err != nil {
		return err
	}
	u.mu.Lock()
	addresses := slices.Clone(u.addresses)
	u.mu.Unlock()
	dial, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	if !u.n.host.Connected(parent) {
		if len(addresses) == 0 {
			return fmt.Errorf("no address of %s is known yet", u.n.cert.ParentName)
		}
		if err := u.n.host.Connect(dial, parent, addresses); err != nil {
			return fmt.Errorf("dialling %s: %w", u.n.cert.ParentName, err)
		}
	}
	stream, err := u.n.host.Open(dial, parent, mesh.ProtocolSession)
	if err != nil {
		_ = u.n.host.Disconnect(parent)
		return fmt.Errorf("opening a session with %s: %w", u.n.cert.ParentName, err)
	}
	// Whatever ends the session ends the connection: it may be half dead, and
	// gossip must not come from a parent that does not know our head.
	defer u.n.host.Expel(parent)
	defer stream.Reset() //nolint:errcheck // it is gone either way
	if err := u.greet(stream); err != nil {
		return err
	}
	u.n.host.Admit(parent)
	stop, err := u.n.host.Follow(mesh.TierTopic(parent), parent, u.n.down.gossip)
	if err != nil {
		return fmt.Errorf("following the tier of %s: %w", u.n.cert.ParentName, err)
	}
	defer stop()
	u.set(true, "")
	u.n.log.Info("connected to the parent", "parent", u.n.cert.ParentName)

	life, end := context.WithCancel(ctx)
	defer end()
	acks := make(chan uint64, 1)
	var writing sync.WaitGroup
	writing.Go(func() {
		defer stream.Reset() //nolint:errcheck // ends the reader
		u.write(life, stream, acks)
	})
	err = u.read(life, stream, acks)
	end()
	writing.Wait()
	return err
}

func (u *uplink) greet(stream *mesh.Stream) error {
	hello := &wire.Hello{Certificate: u.n.sealed, Heads: heads(u.n.cert.Factory, u.n.ledger.Head())}
	if u.n.cert.Role() == state.RoleCell {
		hello.Holds = u.n.ledger.Holds()
	}
	if err := stream.Write(&wire.FromChild{Say: &wire.FromChild_Hello{Hello: hello}}); err != nil {
		return fmt.Errorf("greeting %s: %w", u.n.cert.ParentName, err)
	}
	_ = stream.SetReadDeadline(time.Now().Add(helloWithin))
	answer := &wire.FromParent{}
	if err := stream.Read(answer, maxFromParent); err != nil {
		return fmt.Errorf("%s did not answer the greeting: %w", u.n.cert.ParentName, err)
	}
	switch say := answer.GetSay().(type) {
	case *wire.FromParent_Welcome:
		u.heard(headOf(say.Welcome.GetHeads(), u.n.cert.Factory))
		return nil
	case *wire.FromParent_Refused:
		return state.ProblemFromWire(say.Refused)
	}
	return errors.New("the parent answered the greeting with something else")
}

// heard notes the parent's head, and says whether we are behind it.
func (u *uplink) heard(head state.Head) bool {
	u.mu.Lock()
	u.parentHead = head
	u.mu.Unlock()
	return u.n.ledger.Head().Before(head)
}

func (u *uplink) read(ctx context.Context, stream *mesh.Stream, acks chan<- uint64) error {
	for {
		_ = stream.SetReadDeadline(time.Now().Add(silentAfter))
		frame := &wire.FromParent{}
		if err := stream.Read(frame, maxFromParent); err != nil {
			return fmt.Errorf("hearing nothing from %s any more: %w", u.n.cert.ParentName, err)
		}
		switch say := frame.GetSay().(type) {
		case *wire.FromParent_Beat:
			if u.heard(headOf(say.Beat.GetHeads(), u.n.cert.Factory)) {
				u.beatNow()
			}
		case *wire.FromParent_Orders:
			u.orders(say.Orders)
		case *wire.FromParent_Ack:
			select {
			case acks <- say.Ack.GetRollup():
			case <-ctx.Done():
				return ctx.Err()
			}
		default:
			return fmt.Errorf("%s sent a frame that makes no sense in a session", u.n.cert.ParentName)
		}
	}
}

func (u *uplink) orders(m *wire.Orders) {
	batch := make([]state.Sealed, len(m.GetOrders()))
	for i, b := range m.GetOrders() {
		batch[i] = b
	}
	var through *state.Head
	if m.GetLast() {
		h := state.StampFromWire(m.GetThrough())
		through = &h
	}
	if err := u.n.down.session(batch, state.StampFromWire(m.GetAfter()), through); err == nil && through != nil {
		u.beatNow()
	}
}

// write is the only writer of the session: heartbeats, and rollups of what
// changed. The first change goes out at once; those that follow within the
// coalescing pause, or before the parent has acknowledged, travel together.
func (u *uplink) write(ctx context.Context, stream *mesh.Stream, acks <-chan uint64) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	var (
		pause   <-chan time.Time // runs since the last rollup
		waiting bool             // something changed during the pause
		busy    bool             // a rollup is not acknowledged yet
		number  uint64           // of the last rollup
		version uint64           // that it brings
	)
	send := func(whole bool) error {
		statuses, v := u.n.picture.take(whole)
		number, version, busy, waiting = number+1, v, true, false
		pause = time.After(coalesce)
		return u.rollup(stream, number, statuses)
	}
	err := send(true)
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err = u.sendBeat(stream)
		case <-u.beat:
			err = u.sendBeat(stream)
		case n := <-acks:
			if n == number {
				busy = false
				u.n.picture.acknowledged(version) // wakes us when more has changed
			}
		case <-u.n.picture.wake:
			waiting = true
		case <-pause:
			pause = nil
		}
		if err == nil && waiting && !busy && pause == nil {
			err = send(false)
		}
	}
	u.n.log.Info("can't write to the parent", "error", err)
}

func (u *uplink) sendBeat(stream *mesh.Stream) error {
	return stream.Write(&wire.FromChild{Say: &wire.FromChild_Beat{Beat: &wire.Beat{
		Heads: heads(u.n.cert.Factory, u.n.ledger.Head()), Holding: u.n.ledger.Holding(u.n.cert),
	}}})
}

// rollup sends the counts of the whole subtree and the statuses given, in
// frames of a sane size.
func (u *uplink) rollup(stream *mesh.Stream, number uint64, statuses []state.NodeStatus) error {
	frame := &wire.Rollup{Number: number, Counts: state.CountsToWire(u.n.picture.counts(u.n.cert.ID))}
	size := 0
	for _, st := range statuses {
		m := state.StatusToWire(st)
		if s := proto.Size(m); size > 0 && size+s > statusesFrame {
			if err := stream.Write(&wire.FromChild{Say: &wire.FromChild_Rollup{Rollup: frame}}); err != nil {
				return err
			}
			frame, size = &wire.Rollup{Number: number}, 0
		}
		frame.Changed = append(frame.Changed, m)
		size += proto.Size(m)
	}
	frame.Last = true
	return stream.Write(&wire.FromChild{Say: &wire.FromChild_Rollup{Rollup: frame}})
}
