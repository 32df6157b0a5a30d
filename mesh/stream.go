package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"
)

const (
	// WriteTimeout is how long Write waits for a peer that doesn't read, plus one
	// second for each writeFloor bytes of the frame.
	WriteTimeout = 10 * time.Second
	writeFloor   = 64 << 10
)

// Handler serves one stream that a peer opened. The stream is closed when it
// returns. ctx ends when the host closes.
type Handler func(ctx context.Context, s *Stream)

// Stream carries protobuf messages in frames, both ways, in order, between two
// peers whose identities the connection has proved. One goroutine may read and
// another write at the same time; two may not write, nor read, at once.
type Stream struct {
	s      network.Stream
	in     *bufio.Reader
	h      *Host
	broken error // why nothing more can be read: the place in the stream is lost
}

func (h *Host) newStream(s network.Stream) *Stream {
	return &Stream{s: s, in: bufio.NewReaderSize(s, 1024), h: h}
}

// Handle serves p with fn, in a goroutine per stream, from now on; a later call
// for the same p replaces it. ProtocolEnrol and ProtocolSession are open to
// anybody, of whom each peer may hold maxStrangerStreams (8) streams at a time;
// every other protocol only to admitted peers. A panic in fn is recovered and
// logged, and the stream reset. Close waits for fn to return.
func (h *Host) Handle(p protocol.ID, fn Handler) {
	h.host.SetStreamHandler(p, func(s network.Stream) {
		if !h.begin() {
			s.Reset()
			return
		}
		defer h.end()
		id := s.Conn().RemotePeer()
		if !h.Admitted(id) {
			if !openToStrangers[p] {
				h.refused.add(RefusedStrangerStream, "peer", id, "protocol", p, "why", "for members only")
				s.Reset()
				return
			}
			if !h.strays.enter(id) {
				h.refused.add(RefusedStrangerStream, "peer", id, "protocol", p, "why", "too many at once")
				s.Reset()
				return
			}
			defer h.strays.leave(id)
		}
		h.serve(h.newStream(s), p, fn)
	})
}

func (h *Host) serve(s *Stream, p protocol.ID, fn Handler) {
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("a handler panicked: its stream is reset, the node goes on; please report this", "protocol", p, "peer", s.Peer(), "panic", v, "stack", string(debug.Stack()))
			_ = s.Reset()
			return
		}
		_ = s.Close()
	}()
	fn(ctx, s)
}

// Open opens a stream to a peer that is connected: it never dials. The peer's
// handler starts when the first frame is written. That it doesn't speak p may
// show here or at the first Read.
func (h *Host) Open(ctx context.Context, id peer.ID, p protocol.ID) (*Stream, error) {
	if !h.begin() {
		return nil, fmt.Errorf("open %s to %s: %w", p, id, ErrClosed)
	}
	defer h.end()
	ctx, cancel := h.until(ctx)
	defer cancel()
	s, err := h.host.NewStream(network.WithNoDial(ctx, "only Connect dials"), id, p)
	if err != nil {
		return nil, fmt.Errorf("open %s to %s: %w", p, id, err)
	}
	return h.newStream(s), nil
}

// Peer is who is at the other end.
func (s *Stream) Peer() peer.ID { return s.s.Conn().RemotePeer() }

// Write sends m as one frame, in one piece. It waits at most WriteTimeout (and
// one more second per 64 KiB of the frame) for a peer that doesn't read. After an
// error the stream is reset: part of a frame may have been sent.
func (s *Stream) Write(m proto.Message) error {
	b, err := appendFrame(nil, m)
	if err != nil {
		return fmt.Errorf("write to %s: encode %T: %w", s.Peer(), m, err)
	}
	limit := WriteTimeout + time.Second*time.Duration(len(b)/writeFloor)
	if err = s.s.SetWriteDeadline(time.Now().Add(limit)); err == nil {
		_, err = s.s.Write(b)
	}
	if err != nil {
		s.s.Reset()
		return fmt.Errorf("write to %s: %w", s.Peer(), deadlineOr(err))
	}
	return nil
}

// deadlineOr gives the deadline error of the standard library for yamux's own.
func deadlineOr(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// Read receives the next frame into m. A frame over limit bytes is refused before
// memory is taken for it: the error wraps ErrFrame and the stream is reset. It
// returns io.EOF when the peer has closed its side between two frames; an error
// for which errors.Is(err, os.ErrDeadlineExceeded) when the read deadline passes,
// after which reading can go on only if no part of a frame had come.
func (s *Stream) Read(m proto.Message, limit int) error {
	if s.broken != nil {
		return s.broken
	}
	if _, err := s.in.Peek(1); err != nil {
		return deadlineOr(err) // between frames: io.EOF, a deadline, a reset
	}
	b, err := readFrame(s.in, limit)
	if err != nil {
		err = fmt.Errorf("read from %s: %w", s.Peer(), deadlineOr(err))
		s.broken = err
		if errors.Is(err, ErrFrame) {
			s.h.refused.add(RefusedFrame, "peer", s.Peer(), "protocol", s.s.Protocol(), "err", err)
		}
		s.s.Reset()
		return err
	}
	if err := proto.Unmarshal(b, m); err != nil {
		s.h.refused.add(RefusedFrame, "peer", s.Peer(), "protocol", s.s.Protocol(), "err", err)
		return fmt.Errorf("read from %s: %w: not a %s: %w", s.Peer(), ErrFrame, m.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}

// SetReadDeadline makes a Read that is waiting, and those to come, fail at t; the
// zero time means never.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.s.SetReadDeadline(t) }

// CloseWrite tells the peer that nothing more will come: it reads io.EOF.
func (s *Stream) CloseWrite() error { return s.s.CloseWrite() }

// Close ends both directions; what was written still arrives.
func (s *Stream) Close() error { return s.s.Close() }

// Reset ends the stream at once: waiting Reads and Writes of both sides fail.
func (s *Stream) Reset() error { return s.s.Reset() }
