package network

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipe is one direction of a connection: a bounded send buffer, a wire that may
// be cut, and a receiver. Everything that waits, waits on its sync.Cond.
type pipe struct {
	latency  func() time.Duration
	sent     func(n int)
	received func(n int)

	mu      sync.Mutex
	cond    sync.Cond
	queue   []segment
	held    int  // bytes in queue
	unacked int  // bytes read while acknowledgements could not get back
	cut     bool // towards the reader
	backCut bool // towards the writer: acknowledgements and resets are lost

	writeClosed bool      // the writer has closed
	finAt       time.Time // when the reader may learn that
	readClosed  bool      // the reader has closed

	readDeadline, writeDeadline deadline
}

type segment struct {
	data []byte
	at   time.Time // when it arrives, if the wire is whole
}

func newPipe(latency func() time.Duration, sent, received func(int)) *pipe {
	p := &pipe{latency: latency, sent: sent, received: received}
	p.cond.L = &p.mu
	return p
}

func (p *pipe) setCut(there, back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.backCut = there, back
	if !back {
		p.unacked = 0
	}
	p.cond.Broadcast()
}

func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
}

// arrival is when something sent now gets there; readers are woken then.
func (p *pipe) arrival() time.Time {
	now := time.Now()
	d := p.latency()
	if d <= 0 {
		return now
	}
	time.AfterFunc(d, p.wake)
	return now.Add(d)
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := 0
	for {
		switch {
		case p.writeClosed:
			return done, net.ErrClosed
		case p.writeDeadline.passed():
			return done, os.ErrDeadlineExceeded
		case p.readClosed && !p.backCut:
			return done, syscall.ECONNRESET
		case done == len(b):
			return done, nil
		}
		space := SendBuffer - p.held - p.unacked
		if space <= 0 {
			p.cond.Wait()
			continue
		}
		part := b[done:min(len(b), done+space)]
		p.queue = append(p.queue, segment{append([]byte(nil), part...), p.arrival()})
		p.held += len(part)
		done += len(part)
		p.sent(len(part))
		p.cond.Broadcast()
	}
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		now := time.Now()
		switch {
		case p.readClosed:
			return 0, net.ErrClosed
		case p.readDeadline.passed():
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case p.cut:
		case len(p.queue) > 0 && !p.queue[0].at.After(now):
			return p.take(b, now), nil
		case len(p.queue) == 0 && p.writeClosed && !p.finAt.After(now):
			return 0, io.EOF
		}
		p.cond.Wait()
	}
}

// take moves what has arrived into b.
func (p *pipe) take(b []byte, now time.Time) int {
	n := 0
	for n < len(b) && len(p.queue) > 0 && !p.queue[0].at.After(now) {
		s := &p.queue[0]
		k := copy(b[n:], s.data)
		n += k
		if s.data = s.data[k:]; len(s.data) == 0 {
			p.queue[0] = segment{}
			p.queue = p.queue[1:]
		}
	}
	p.held -= n
	if p.backCut {
		p.unacked += n
	}
	p.received(n)
	p.cond.Broadcast()
	return n
}

// closeWrite ends it from the writer's side: what was written still arrives.
func (p *pipe) closeWrite() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.writeClosed {
		p.writeClosed = true
		p.finAt = p.arrival()
	}
	p.writeDeadline.stop()
	p.cond.Broadcast()
}

// closeRead ends it from the reader's side: what comes is dropped.
func (p *pipe) closeRead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readClosed = true
	p.queue, p.held = nil, 0
	p.readDeadline.stop()
	p.cond.Broadcast()
}

func (p *pipe) setDeadline(d *deadline, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.set(t, p.wake)
	p.cond.Broadcast()
}

// deadline is guarded by its pipe's lock.
type deadline struct {
	t     time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.t.IsZero() && !time.Now().Before(d.t) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(t time.Time, wake func()) {
	d.stop()
	d.t = t
	if !t.IsZero() {
		if wait := time.Until(t); wait > 0 {
			d.timer = time.AfterFunc(wait, wake)
		}
	}
}
