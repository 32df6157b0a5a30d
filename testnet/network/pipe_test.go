package network

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// link makes one connection between a and b, without libp2p on it.
func link(t *testing.T, n *Network) (near, far *conn) {
	t.Helper()
	b := n.machine("b")
	l := &listener{n: n, addr: n.Listen("b"), queue: make(chan *conn, 1), done: make(chan struct{})}
	n.addresses[b.ip+":7450"] = l
	tr := &simTransport{n: n, m: n.machine("a")}
	near, err := tr.dial(t.Context(), l.addr)
	if err != nil {
		t.Fatal(err)
	}
	return near, <-l.queue
}

func expect(t *testing.T, c *conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		n.Delay(20 * time.Millisecond)
		start := time.Now()
		near, far := link(t, n)
		if took := time.Since(start); took != 40*time.Millisecond {
			t.Errorf("dial took %v", took)
		}
		start = time.Now()
		near.Write([]byte("hello"))
		near.Close()
		expect(t, far, "hello")
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("arrived after %v", took)
		}
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the close: %v", err)
		}
	})
}

func TestCutHoldsBytesAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := link(t, n)
		n.Isolate("b")
		near.Write([]byte("hello"))
		near.Close()
		far.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("during the cut: %v", err)
		}
		if _, err := far.Write([]byte("x")); err != nil {
			t.Errorf("during the cut, the far end was told: %v", err)
		}
		far.SetReadDeadline(time.Time{})
		n.Rejoin("b")
		expect(t, far, "hello")
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the heal: %v", err)
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write to a closed end: %v", err)
		}
	})
}

func TestOneWayCutFillsTheOtherSendBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := link(t, n)
		n.CutOneWay("b", "a")
		go io.Copy(io.Discard, far)
		near.SetWriteDeadline(time.Now().Add(time.Minute))
		wrote, err := near.Write(make([]byte, 2*SendBuffer))
		if wrote != SendBuffer || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d without acknowledgements: %v", wrote, err)
		}
		n.HealAll()
		near.SetWriteDeadline(time.Time{})
		if _, err := near.Write(make([]byte, 2*SendBuffer)); err != nil {
			t.Error(err)
		}
		near.Close()
		synctest.Wait()
		if sent, _ := n.Bytes("a"); sent != 3*SendBuffer {
			t.Errorf("%d bytes counted", sent)
		}
		far.Close()
	})
}

func TestDialOverACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		link(t, n)
		n.Cut("a", "b")
		tr := &simTransport{n: n, m: n.machine("a")}
		start := time.Now()
		if _, err := tr.dial(t.Context(), n.Listen("b")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != DialTimeout {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		time.AfterFunc(time.Second, func() { n.Heal("a", "b") })
		if _, err := tr.dial(t.Context(), n.Listen("b")); err != nil {
			t.Errorf("healed while dialing: %v", err)
		}
		if _, err := tr.dial(t.Context(), tcpAddr("10.9.9.9", 1)); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("nobody's address: %v", err)
		}
		if _, err := tr.dial(t.Context(), tcpAddr(n.machine("a").ip, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
	})
}
