package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"pharos/state"
)

// maxSocket is the longest path of a unix socket, in bytes; the kernel's limit.
const maxSocket = 107

// SocketPath reads a host, "unix:///var/lib/pharos/pharos.sock", into the path of its
// socket.
func SocketPath(host string) (string, error) {
	path, ok := strings.CutPrefix(host, "unix://")
	bad := func(why string) (string, error) {
		return "", &state.Problem{
			Kind: state.Invalid, Doing: fmt.Sprintf("reading the host %q", state.Clip(host, 200)), Cause: why,
			Fix: "write it like unix:///var/lib/pharos/pharos.sock, with --host or PHAROS_HOST",
		}
	}
	switch {
	case !ok:
		return bad("it does not begin with unix://")
	case path == "":
		return bad("it has no path")
	case len(path) > maxSocket:
		return bad(fmt.Sprintf("its path is %d bytes long, a socket's can have %d", len(path), maxSocket))
	}
	return path, nil
}

// probeTimeout is how long a daemon that may be alive has to take a connection.
const probeTimeout = 2 * time.Second

// Listen opens the socket at a path, mode 0600 from its first moment. The
// socket of a dead daemon is replaced; one that is answered is a Taken
// problem, and so is a file that is no socket.
func Listen(path string) (net.Listener, error) {
	doing := "opening the API at unix://" + path
	if _, err := SocketPath("unix://" + path); err != nil {
		return nil, err
	}
	if err := clearStale(path, doing); err != nil {
		return nil, err
	}
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// On Linux a socket's file gets the mode that the descriptor has when
		// it is bound; elsewhere Chmod below is what counts.
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	l, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, state.Because(state.Unable, doing, err, "is the folder there, and may this user write to it?")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, state.Because(state.Unable, doing, err, "is the folder there, and may this user write to it?")
	}
	return l, nil
}

func clearStale(path, doing string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return state.Because(state.Unable, doing, err, "is the folder there, and may this user read it?")
	case info.Mode().Type() != fs.ModeSocket:
		return &state.Problem{
			Kind: state.Taken, Doing: doing, Cause: "there is a file that is no socket",
			Fix: "remove it, or choose another place with --host",
		}
	}
	probe := net.Dialer{Timeout: probeTimeout}
	conn, err := probe.DialContext(context.Background(), "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return &state.Problem{
			Kind: state.Taken, Doing: doing, Cause: "another pharos daemon answers there",
			Fix: "stop that one first, or give this one another data folder with --data",
		}
	case errors.Is(err, fs.ErrNotExist): // it went just now
		return nil
	case !errors.Is(err, syscall.ECONNREFUSED):
		return state.Because(state.Taken, doing, err, "remove the socket if no daemon uses it")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return state.Because(state.Unable, doing, err, "remove the dead socket by hand")
	}
	return nil
}
