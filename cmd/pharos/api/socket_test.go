package api_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

func TestSocketIsPrivateAndGoesWithTheServer(t *testing.T) {
	_, s, path := start(t, sample(t))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	s.Close()
	s.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestListen(t *testing.T) {
	c, s, path := start(t, sample(t))
	if _, err := api.Listen(path); state.KindOf(err) != state.Taken || !strings.Contains(err.Error(), "another pharos daemon answers there") {
		t.Errorf("a living daemon's socket was taken: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the living daemon was disturbed: %v", err)
	}
	s.Close()

	// A daemon that was killed leaves its socket.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := api.Listen(path)
	if err != nil {
		t.Fatalf("a dead daemon's socket was not replaced: %v", err)
	}
	_ = l.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Listen(path); state.KindOf(err) != state.Taken || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("a file that is no socket was destroyed")
	}
	if _, err := api.Listen(filepath.Join(path+"-none", "pharos.sock")); state.KindOf(err) != state.Unable {
		t.Errorf("got %v", err)
	}
	if _, err := api.Listen("/" + strings.Repeat("x", 120)); state.KindOf(err) != state.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestSocketPath(t *testing.T) {
	if p, err := api.SocketPath("unix:///run/pharos.sock"); p != "/run/pharos.sock" || err != nil {
		t.Errorf("%q %v", p, err)
	}
	for _, bad := range []string{"", "tcp://localhost:80", "/run/pharos.sock", "unix://", "unix:///" + strings.Repeat("x", 110)} {
		if _, err := api.SocketPath(bad); state.KindOf(err) != state.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDaemonNotThere(t *testing.T) {
	path := socketPath(t)
	c := api.NewClient(api.ClientConfig{Socket: path, Start: "pharos run --data /x"})
	defer c.Close()
	check := func(says ...string) {
		t.Helper()
		_, err := c.Status(t.Context())
		for _, s := range says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("got %v", err)
			}
		}
	}
	check("no pharos daemon answers at unix://"+path, "pharos run --data /x")

	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	check("no pharos daemon answers at unix://" + path)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPermissionDenied(t *testing.T) {
	err := api.Explain(api.NewClient(api.ClientConfig{Socket: "/s"}), &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)})
	if !strings.Contains(err.Error(), "permission denied at unix:///s") || !strings.Contains(err.Error(), "sudo") {
		t.Errorf("got %v", err)
	}
}
