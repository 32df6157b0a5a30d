package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

// Node is one machine of a factory: a data folder, an address, and a process
// that can be killed and started again.
type Node struct {
	Name   state.Name
	ID     state.NodeID
	Data   string // its data folder
	Listen string // its multiaddr
	Log    string // file of its log, over all its lives

	f      *Factory
	client *api.Client
	proc   *process // nil when it does not run
}

// process is one life of a node.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func (f *Factory) machine(name state.Name) (*Node, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, fmt.Errorf("finding an address for %s: %w", name, err)
	}
	data := filepath.Join(f.cfg.Dir, string(name))
	return &Node{
		Name: name, Data: data, Listen: listen, Log: data + ".log", f: f,
		client: api.NewClient(api.ClientConfig{Socket: filepath.Join(data, "pharos.sock"), Start: "testnet"}),
	}, nil
}

// Host is what PHAROS_HOST has to be to talk to the node.
func (n *Node) Host() string { return "unix://" + n.socket() }

func (n *Node) socket() string { return filepath.Join(n.Data, "pharos.sock") }

// PID is the process's; 0 when none runs.
func (n *Node) PID() int {
	if !n.Running() {
		return 0
	}
	return n.proc.cmd.Process.Pid
}

// Running says whether the node's process lives.
func (n *Node) Running() bool {
	if n.proc == nil {
		return false
	}
	select {
	case <-n.proc.done:
		return false
	default:
		return true
	}
}

// Start runs the node's process and returns when its API answers.
func (n *Node) Start(ctx context.Context) error {
	if n.Running() {
		return fmt.Errorf("starting %s: it runs already", n.Name)
	}
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("starting %s: %w", n.Name, err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	// Not of ctx: the node lives on when the call is over.
	args := []string{"run", "--listen", n.Listen, "--engine", n.f.cfg.Engine, "--mdns=false"}
	n.say(args...)
	cmd := exec.Command(n.f.cfg.Binary, append(args, "--data", n.Data)...) //nolint:noctx // see above
	cmd.Env = CleanEnv()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attached()
	p := &process{cmd: cmd, done: make(chan struct{})}
	if err := startAttached(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", n.Name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended stands in cmd.ProcessState
		close(p.done)
	}()
	n.proc = p
	return Poll(ctx, fmt.Sprintf("the API of %s", n.Name), startWithin, func(ctx context.Context) (bool, error) {
		select {
		case <-p.done:
			return false, &fatalError{fmt.Errorf("it ended at once (%v): %s", p.cmd.ProcessState, n.LogTail(5))}
		default:
		}
		_, err := n.client.Status(ctx)
		return err == nil, err
	})
}

// say logs a command as an operator would type it on the node's machine.
func (n *Node) say(args ...string) {
	text := strings.Join(args, " ")
	if len(args) > 1 && args[0] == "join" {
		text = "join " + args[1][:min(24, len(args[1]))] + "… " + strings.Join(args[2:], " ")
	}
	n.f.note("%-8s $ pharos %s", n.Name, strings.TrimSpace(text))
}

// Kill ends the node's process as a power cut would: kill -9, no goodbye.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL, 10*time.Second) }

// Stop ends the node's process as a service manager would.
func (n *Node) Stop() error {
	if err := n.end(syscall.SIGTERM, 15*time.Second); err != nil {
		return errors.Join(err, n.Kill())
	}
	return nil
}

// end sends a signal to the node's process group and waits for the process to
// end. The process leads the group, and has not been waited for while Running:
// its number can't have become somebody else's.
func (n *Node) end(with syscall.Signal, within time.Duration) error {
	if !n.Running() {
		return nil
	}
	pid := n.proc.cmd.Process.Pid
	if err := syscall.Kill(-pid, with); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending %s (process %d): %w", n.Name, pid, err)
	}
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-n.proc.done:
		return nil
	case <-late.C:
		return fmt.Errorf("ending %s (process %d): it still runs %s after %s", n.Name, pid, within, with)
	}
}

// LogTail is the last lines of the node's log.
func (n *Node) LogTail(lines int) string {
	b, err := os.ReadFile(n.Log)
	if err != nil {
		return err.Error()
	}
	b = bytes.TrimSpace(b)
	all := bytes.Split(b, []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// freeAddress finds a loopback port that nobody listens on. It is not one of
// those that the kernel gives to dialling sockets: a node must find its port
// free again after it was killed.
func freeAddress() (string, error) {
	var last error
	for range 50 {
		port := 10000 + rand.N(20000)
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // it does not wait
		if err != nil {
			last = err
			continue
		}
		if err := l.Close(); err != nil {
			return "", err
		}
		return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port), nil
	}
	return "", last
}
