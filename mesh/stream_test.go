package mesh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func open(t *testing.T, from, to *Host) *Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := from.Open(ctx, to.ID(), ProtocolSession)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(s string) *wrapperspb.StringValue { return wrapperspb.String(s) }

func TestFramesBothWays(t *testing.T) {
	a, b := newHost(t, newKey(t)), newHost(t, newKey(t))
	b.Handle(ProtocolSession, func(ctx context.Context, s *Stream) {
		if s.Peer() != a.ID() {
			t.Errorf("peer is %s", s.Peer())
		}
		for {
			var m wrapperspb.StringValue
			if err := s.Read(&m, 1<<20); err != nil {
				if err != io.EOF {
					t.Errorf("echo: %v", err)
				}
				return
			}
			if err := s.Write(text("echo " + m.Value)); err != nil {
				t.Errorf("echo: %v", err)
			}
		}
	})
	connect(t, a, b)
	s := open(t, a, b)
	for _, want := range []string{"", "x", strings.Repeat("long", 100_000)} {
		if err := s.Write(text(want)); err != nil {
			t.Fatal(err)
		}
		var m wrapperspb.StringValue
		if err := s.Read(&m, 1<<20); err != nil {
			t.Fatal(err)
		}
		if m.Value != "echo "+want {
			t.Errorf("got %.20q", m.Value)
		}
	}
	s.CloseWrite()
	if err := s.Read(text(""), 10); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

func TestFrameOverLimitIsRefused(t *testing.T) {
	a, b := newHost(t, newKey(t)), newHost(t, newKey(t))
	got := make(chan error, 1)
	b.Handle(ProtocolSession, func(ctx context.Context, s *Stream) {
		err := s.Read(text(""), 100)
		if again := s.Read(text(""), 1<<20); again == nil {
			t.Error("read on after a refused frame")
		}
		got <- err
	})
	connect(t, a, b)
	if err := open(t, a, b).Write(text(strings.Repeat("x", 101))); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("error: %v", err)
	}
	if b.Refused()[RefusedFrame] != 1 {
		t.Errorf("not counted: %v", b.Refused())
	}
}

// A length alone, even a permitted one, must not make us take memory.
func TestFrameLengthIsNotTrusted(t *testing.T) {
	claim := protowire.AppendVarint(nil, 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		r := bufio.NewReaderSize(bytes.NewReader(append(claim[:len(claim):len(claim)], "few"...)), 16)
		if _, err := readFrame(r, 1<<30); err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
		if _, err := readFrame(bufio.NewReader(bytes.NewReader(claim)), 1<<20); !errors.Is(err, ErrFrame) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("took %d bytes for 200 lengths without bytes", took)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{}, 10)
	f.Add([]byte{0}, 0)
	f.Add([]byte{3, 'a', 'b', 'c', 1, 'd'}, 3)
	f.Add([]byte{3, 'a', 'b'}, 3)
	f.Add([]byte{4, 'a', 'b', 'c', 'd'}, 3)
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x80, 1}, 1<<30)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f}, 1<<30)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, -1)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		r := bufio.NewReaderSize(bytes.NewReader(data), 16)
		total := 0
		for {
			b, err := readFrame(r, limit)
			if err != nil {
				if err == io.EOF && total < len(data) && r.Buffered() > 0 {
					t.Errorf("io.EOF within a frame")
				}
				return
			}
			if len(b) > limit {
				t.Fatalf("%d bytes over a limit of %d", len(b), limit)
			}
			if total += len(b) + 1; total > len(data) {
				t.Fatalf("more bytes out than in")
			}
		}
	})
}

func TestReadDeadlineBetweenFrames(t *testing.T) {
	a, b := newHost(t, newKey(t)), newHost(t, newKey(t))
	proceed := make(chan struct{})
	b.Handle(ProtocolSession, func(ctx context.Context, s *Stream) {
		s.Read(text(""), 100)
		select {
		case <-proceed:
		case <-ctx.Done():
		}
		s.Write(text("late"))
		<-ctx.Done()
	})
	connect(t, a, b)
	s := open(t, a, b)
	s.Write(text("hello"))
	s.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if err := s.Read(text(""), 100); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("want a deadline error, got %v", err)
	}
	close(proceed)
	s.SetReadDeadline(time.Time{})
	m := text("")
	if err := s.Read(m, 100); err != nil || m.Value != "late" {
		t.Errorf("after the deadline: %q, %v", m.Value, err)
	}
}

func TestHandlerPanicIsRecovered(t *testing.T) {
	a, b := newHost(t, newKey(t)), newHost(t, newKey(t))
	b.Handle(ProtocolSession, func(ctx context.Context, s *Stream) {
		m := text("")
		s.Read(m, 100)
		if m.Value == "bad" {
			panic("a handler's fault")
		}
		s.Write(text("fine"))
	})
	connect(t, a, b)
	s := open(t, a, b)
	s.Write(text("bad"))
	if err := s.Read(text(""), 100); err == nil || err == io.EOF {
		t.Errorf("the stream was not reset: %v", err)
	}
	s = open(t, a, b)
	s.Write(text("good"))
	if m := text(""); s.Read(m, 100) != nil || m.Value != "fine" {
		t.Error("the next stream does not work")
	}
}

func TestCloseWaitsForHandlers(t *testing.T) {
	a, b := newHost(t, newKey(t)), newHost(t, newKey(t))
	entered, left := make(chan struct{}), make(chan struct{})
	b.Handle(ProtocolSession, func(ctx context.Context, s *Stream) {
		close(entered)
		<-ctx.Done()
		close(left)
	})
	connect(t, a, b)
	open(t, a, b).Write(text("x"))
	<-entered
	b.Close()
	select {
	case <-left:
	default:
		t.Error("Close returned before the handler")
	}
	if _, err := b.Open(t.Context(), a.ID(), ProtocolSession); !errors.Is(err, ErrClosed) {
		t.Errorf("Open after Close: %v", err)
	}
	if err := b.Connect(t.Context(), a.ID(), a.Addrs()); !errors.Is(err, ErrClosed) {
		t.Errorf("Connect after Close: %v", err)
	}
	if _, err := b.Follow("t", a.ID(), func([]byte) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Follow after Close: %v", err)
	}
	if err := b.Own("t2"); !errors.Is(err, ErrClosed) {
		t.Errorf("Own after Close: %v", err)
	}
	if _, err := b.Discover("x", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Discover after Close: %v", err)
	}
	b.Admit(a.ID())
	b.Expel(a.ID())
}

func TestStrangersGetFewStreamsAndOnlyOpenProtocols(t *testing.T) {
	a, b := newHost(t, newKey(t)), newHost(t, newKey(t))
	entered := make(chan struct{}, 100)
	hold := func(ctx context.Context, s *Stream) { s.Write(text("in")); entered <- struct{}{}; <-ctx.Done() }
	b.Handle(ProtocolSession, hold)
	b.Handle("/pharos/test/1", hold)
	connect(t, a, b)
	s, err := a.Open(t.Context(), b.ID(), "/pharos/test/1")
	if err == nil {
		s.Write(text("x"))
		err = s.Read(text(""), 10)
	}
	if err == nil {
		t.Error("a stranger opened a members-only protocol")
	}
	for range maxStrangerStreams {
		open(t, a, b).Write(text("x"))
		<-entered
	}
	s = open(t, a, b)
	s.Write(text("x"))
	if err := s.Read(text(""), 10); err == nil {
		t.Error("a stranger holds more streams than it may")
	}
	if got := b.Refused()[RefusedStrangerStream]; got != 2 {
		t.Errorf("counted %d, want 2", got)
	}
	a.Admit(b.ID())
	b.Admit(a.ID())
	for range 40 {
		open(t, a, b).Write(text("x"))
		<-entered
	}
}
