package network

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// conn is one end of a connection.
type conn struct {
	n             *Network
	local, remote *machine
	out, in       *pipe
	laddr, raddr  multiaddr.Multiaddr
}

var _ manet.Conn = (*conn)(nil)

func (c *conn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close ends both directions of this end. The other end learns of it when the
// link lets it.
func (c *conn) Close() error {
	c.out.closeWrite()
	c.in.closeRead()
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	delete(c.n.conns, c)
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readDeadline, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

func (c *conn) LocalAddr() net.Addr                  { return netAddr(c.laddr) }
func (c *conn) RemoteAddr() net.Addr                 { return netAddr(c.raddr) }
func (c *conn) LocalMultiaddr() multiaddr.Multiaddr  { return c.laddr }
func (c *conn) RemoteMultiaddr() multiaddr.Multiaddr { return c.raddr }

func (m *machine) count(total *atomic.Uint64) func(int) {
	return func(n int) { total.Add(uint64(n)) }
}
