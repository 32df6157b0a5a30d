package tiers_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"pharos/mesh"
	"pharos/state"
	statewire "pharos/state/wire"
	"pharos/testnet/simulation"
	"pharos/tiers/wire"
)

// welcome takes a cell's place and opens its session by hand.
func welcome(t *testing.T, f *simulation.Factory, cell, parent *simulation.Node, hello *wire.Hello) *mesh.Stream {
	t.Helper()
	cell.Stop()
	h := peerOf(t, f, string(cell.Name), cell.Key)
	t.Cleanup(func() { _ = h.Close() })
	hello.Certificate = certificate(t, cell)
	s, answer := greet(t, h, parent, hello)
	if answer.GetWelcome() == nil {
		t.Fatalf("%s is not welcome: %v", cell.Name, answer)
	}
	_ = s.SetReadDeadline(time.Time{})
	return s
}

// drain reads what the parent says, until the stream ends.
func drain(s *mesh.Stream) {
	for s.Read(&wire.FromParent{}, 8<<20) == nil {
	}
}

// fat is a cell's report of about that many bytes.
func fat(cell *simulation.Node, sequence uint64, size int) *statewire.NodeStatus {
	app := state.AppReport{App: "fat", Revision: 1, State: state.AppReady, Since: time.Now()}
	r := state.NodeReport{Generation: 1 << 40, Sequence: sequence, Engine: state.EngineReport{Kind: "pretended"}}
	for i := 0; size > 0; i++ {
		app.App = state.Name(fmt.Sprintf("fat-%d", i))
		app.Volumes = nil
		for len(app.Volumes) < 1000 && size > 0 {
			v := strings.Repeat("v", min(size, 500))
			app.Volumes = append(app.Volumes, v)
			size -= len(v) + 3
		}
		r.Apps = append(r.Apps, app)
	}
	return state.StatusToWire(state.NodeStatus{Node: cell.Certificate().ID, Readiness: state.Ready, Since: time.Now(), Report: r})
}

// A node that closes ends the watches of it: whoever watches may not know yet.
func TestCloseEndsWatches(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		office := f.Node("office")
		before := office.Watch(context.Background())
		node := office.Node
		office.Stop()
		for range before {
		}
		for range node.Watch(context.Background()) {
		}
	})
}

// A machine that was removed and enrolled anew has a new place. Its old
// certificate, still signed and unexpired, opens nothing any more.
func TestAnOldCertificateOfAMachineEnrolledAnew(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		press1, line1 := f.Node("press-1"), f.Node("line-1")
		id, old := press1.Certificate().ID, certificate(t, press1)
		press1.Stop()
		if err := f.Root().RemoveNode(t.Context(), "press-1"); err != nil {
			t.Fatal(err)
		}
		again, err := state.ParseJoinToken(token(t, f, state.TokenRequest{Name: "oven-9", Parent: "line-2"}))
		if err != nil {
			t.Fatal(err)
		}
		if err := press1.EnrolAgain(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		f.Pass(2 * time.Second)
		for _, v := range line1.Nodes(t.Context()) {
			if v.ID == id {
				t.Errorf("its former gateway shows it as its own: %+v", v)
			}
		}
		h := peerOf(t, f, "press-1", press1.Key)
		if _, answer := greet(t, h, line1, &wire.Hello{Certificate: old}); answer.GetRefused() == nil {
			t.Errorf("its former gateway took it: %v", answer)
		}
		_ = h.Close()
		press1.Start()
		f.Wait(5*time.Second, "it is Ready in its new place", func() bool { return f.Readiness("oven-9") == state.Ready })
		line1.Stop()
		line1.Start()
		f.Wait(10*time.Second, "all others are Ready", func() bool { return f.Readiness("press-2") == state.Ready })
		f.Pass(time.Second)
		if n := f.Root().Status(t.Context()).Refused["report"]; n != 0 {
			t.Errorf("its former gateway reported it %d times", n)
		}
		if press1.Stop(); f.Root().RemoveNode(t.Context(), "oven-9") != nil {
			t.Error("it can't be removed again")
		}
		back, err := state.ParseJoinToken(token(t, f, state.TokenRequest{Name: "press-1", Parent: "line-1"}))
		if err != nil {
			t.Fatal(err)
		}
		if err := press1.EnrolAgain(t.Context(), back); err != nil {
			t.Fatal(err)
		}
		press1.Start()
		f.Wait(5*time.Second, "and it may come back", func() bool { return f.Readiness("press-1") == state.Ready })
	})
}

// A rollup that never ends must not gather in its parent's memory.
func TestEndlessRollup(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		press1 := f.Node("press-1")
		status := fat(press1, 1, 1<<20)
		s := welcome(t, f, press1, f.Node("line-1"), &wire.Hello{})
		go drain(s)
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for range 100 {
			if s.Write(&wire.FromChild{Say: &wire.FromChild_Rollup{Rollup: &wire.Rollup{Number: 1, Changed: []*statewire.NodeStatus{status}}}}) != nil {
				return // ended: as good
			}
		}
		f.Pass(100 * time.Millisecond)
		if after := heap(); after > before+50<<20 {
			t.Errorf("100 frames of one rollup hold %d MiB", (after-before)>>20)
		}
		_ = s.Reset()
	})
}

// A report that just fits into a cell's frame must fit into its gateway's too,
// or the cell cuts its whole line off from the root.
func TestAReportAsLargeAsAFrame(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		press1 := f.Node("press-1")
		status := fat(press1, 1, 4<<20-2500)
		s := welcome(t, f, press1, f.Node("line-1"), &wire.Hello{})
		go drain(s)
		frame := &wire.FromChild{Say: &wire.FromChild_Rollup{Rollup: &wire.Rollup{Number: 1, Last: true, Changed: []*statewire.NodeStatus{status}}}}
		for last := status.GetReport().GetApps()[0]; proto.Size(frame) < 4<<20-20; {
			last.Networks = append(last.Networks, "n") // up to the limit
			if len(last.GetNetworks()) > state.MaxContainers {
				t.Fatal("it would be cut")
			}
		}
		if err := s.Write(frame); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			f.Pass(100 * time.Millisecond)
			if !f.Node("line-1").Status(t.Context()).Connected || f.Readiness("line-1") != state.Ready {
				t.Fatalf("a cell's report has cut its gateway off:\n%s", f.Picture())
			}
		}
		_ = s.Reset()
	})
}

// The project of an app that is to be gone is gone: it can't be started again
// while an absent node still has it.
func TestStartingAnAppThatIsBeingRemoved(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		deploy(t, f, "shop", "press-1,press-2")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "press-1", "press-2"))
		f.Node("press-1").Stop()
		if _, err := f.Root().Order(t.Context(), "shop", state.Gone); err != nil {
			t.Fatal(err)
		}
		for _, want := range []state.Want{state.Run, state.Stopped} {
			if a, err := f.Root().Order(t.Context(), "shop", want); err == nil {
				app, _ := f.Root().App(t.Context(), "shop")
				t.Errorf("%s was accepted as %s, with a project of %d bytes", want, a.Stamp, len(app.Compose))
			}
		}
		f.Node("press-1").Start()
		f.Wait(5*time.Second, "gone everywhere", runs(f, "shop", 0))
	})
}

// A child that reads slowly gets each order once.
func TestASlowChildGetsEachOrderOnce(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		project := append([]byte("services: {} # "), make([]byte, 400<<10)...)
		for i := range 8 {
			if _, err := f.Root().Deploy(t.Context(), state.DeployRequest{App: state.Name(fmt.Sprintf("large-%d", i)), Selector: selector(t, "press-1"), Compose: project}); err != nil {
				t.Fatal(err)
			}
		}
		press1 := f.Node("press-1")
		f.Wait(5*time.Second, "all are there", func() bool { return len(press1.Pretended.Running()) == 8 })
		factory := press1.Certificate().Factory
		s := welcome(t, f, press1, f.Node("line-1"), &wire.Hello{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for s.Write(&wire.FromChild{Say: &wire.FromChild_Beat{Beat: &wire.Beat{Heads: []*wire.Head{{Issuer: string(factory)}}}}}) == nil {
				f.Pass(time.Second)
			}
		}()
		orders := 0
		for range 30 {
			frame := &wire.FromParent{}
			if err := s.Read(frame, 8<<20); err != nil {
				t.Fatal(err)
			}
			orders += len(frame.GetOrders().GetOrders())
			if frame.GetOrders().GetLast() {
				break
			}
			f.Pass(700 * time.Millisecond)
		}
		once := orders
		_ = s.SetReadDeadline(time.Now().Add(2500 * time.Millisecond))
		for {
			frame := &wire.FromParent{}
			if s.Read(frame, 8<<20) != nil {
				break
			}
			orders += len(frame.GetOrders().GetOrders())
		}
		if orders != once || once < 9 {
			t.Errorf("%d orders came at first, and %d again", once, orders-once)
		}
		_ = s.Reset()
		<-done
	})
}

// lines counts what is logged.
type lines struct {
	mu sync.Mutex
	n  int
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return len(b), nil
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// A stranger must not fill the disk with our log.
func TestRefusalsDontFloodTheLog(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		line1 := f.Node("line-1")
		line1.Stop()
		var logged lines
		f.Log = slog.New(slog.NewTextHandler(&logged, nil))
		line1.Start()
		f.Log = slog.New(slog.DiscardHandler)
		f.Wait(10*time.Second, "all are Ready", func() bool { return allReady(f) })
		h := peerOf(t, f, "mallory", newKey(t))
		before := logged.count()
		to, _ := line1.Certificate().ID.Peer()
		for i := range 100 {
			if _, answer := greet(t, h, line1, &wire.Hello{Certificate: state.Sealed("garbage")}); answer.GetRefused() == nil {
				t.Fatal("it was not refused")
			}
			s, err := h.Open(t.Context(), to, mesh.ProtocolEnrol)
			if err != nil {
				t.Fatal(i, err)
			}
			_ = s.Write(&wire.EnrolRequest{Request: []byte("garbage")})
			if err := s.Read(&wire.EnrolAnswer{}, 1<<20); err != nil {
				t.Fatal(err)
			}
			_ = s.Close()
		}
		if n := logged.count() - before; n > 10 {
			t.Errorf("200 refusals within seconds brought %d lines", n)
		}
		_ = h.Close()
	})
}

// A removal takes its time. An app that is ordered to be there again meanwhile
// stays known as the node's, so that it can be removed one day.
func TestRemovalOvertakenByAnOrder(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		office := f.Node("office")
		deploy(t, f, "shop", "office")
		f.Wait(3*time.Second, "shop runs", runs(f, "shop", 1, "office"))
		report := office.Pretended.HoldReports()
		if _, err := f.Root().Order(t.Context(), "shop", state.Gone); err != nil {
			t.Fatal(err)
		}
		f.Wait(3*time.Second, "shop is being removed", runs(f, "shop", 0))
		deploy(t, f, "shop", "office")
		f.Wait(3*time.Second, "and runs again", runs(f, "shop", 2, "office"))
		report()
		f.Pass(time.Second)
		deploy(t, f, "shop", "press-1")
		f.Wait(3*time.Second, "it moves", runs(f, "shop", 3, "press-1"))
	})
}

// Since when a node is not ready is when its engine failed, not when it started.
func TestSinceWhenTheRootIsNotReady(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		f.Pass(time.Minute)
		broke := time.Now()
		f.Root().Pretended.Break("the engine does not answer")
		v, err := f.Root().Node.Node(t.Context(), "plant")
		if err != nil || v.Readiness != state.NotReady || v.Since.Before(broke) {
			t.Errorf("%s since %v before it broke, %v", v.Readiness, broke.Sub(v.Since), err)
		}
		f.Pass(time.Minute)
		mended := time.Now()
		f.Root().Pretended.Break("")
		if v, err = f.Root().Node.Node(t.Context(), "plant"); err != nil || v.Readiness != state.Ready || v.Since.Before(mended) {
			t.Errorf("%s since %v before it was mended, %v", v.Readiness, mended.Sub(v.Since), err)
		}
	})
}

// A child that is heard at the very moment its time runs out is judged once:
// what is left of that judgement must not end its later sessions.
func TestHeardAtTheLastMoment(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		office, plant := f.Node("office"), f.Root()
		office.Stop()
		h := peerOf(t, f, "office", office.Key)
		defer h.Close()
		hello := &wire.Hello{Certificate: certificate(t, office)}
		beat := &wire.FromChild{Say: &wire.FromChild_Beat{Beat: &wire.Beat{}}}
		for range 100 {
			s, answer := greet(t, h, plant, hello)
			if answer.GetWelcome() == nil {
				t.Fatalf("not welcome: %v", answer)
			}
			_ = s.SetReadDeadline(time.Time{})
			go drain(s)
			f.Pass(3 * time.Second)
			_ = s.Write(beat)
			_ = s.Reset()
			// From now on it is a good child, and must be let be.
			if s, answer = greet(t, h, plant, hello); answer.GetWelcome() == nil {
				t.Fatalf("not welcome: %v", answer)
			}
			_ = s.SetReadDeadline(time.Time{})
			go drain(s)
			for range 9 {
				f.Pass(500 * time.Millisecond)
				if err := s.Write(beat); err != nil || f.Readiness("office") != state.Ready {
					t.Fatalf("a child that is heard was judged silent: %v\n%s", err, f.Picture())
				}
			}
			_ = s.Reset()
		}
	})
}

// A copy of a cell's folder ran for a while, and told higher generations than
// the cell itself will for long. When it is gone the cell is believed again.
func TestACopiedFolderBlindsNobody(t *testing.T) {
	world(t, func(t *testing.T, f *simulation.Factory) {
		press1, line1 := f.Node("press-1"), f.Node("line-1")
		told := rollupAbout(press1)
		told.Changed[0].Report.Generation = 1 << 60
		press1.Stop()
		h := peerOf(t, f, "press-1", press1.Key)
		s, answer := greet(t, h, line1, &wire.Hello{Certificate: certificate(t, press1)})
		if answer.GetWelcome() == nil {
			t.Fatalf("the copy is not welcome: %v", answer)
		}
		if err := s.Write(&wire.FromChild{Say: &wire.FromChild_Rollup{Rollup: told}}); err != nil {
			t.Fatal(err)
		}
		f.Wait(3*time.Second, "the root believes the copy", func() bool {
			v, err := f.Root().Node.Node(t.Context(), "press-1")
			return err == nil && v.Report.Generation == 1<<60
		})
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		press1.Start()
		deploy(t, f, "shop", "press-1")
		f.Wait(5*time.Second, "the root hears the cell itself", func() bool {
			app, err := f.Root().App(t.Context(), "shop")
			return err == nil && app.Ready == 1
		})
	})
}
