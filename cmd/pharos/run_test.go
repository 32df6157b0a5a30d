package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pharos/cmd/pharos/api"
	"pharos/cmd/pharos/api/apitest"
	"pharos/state"
)

// fakeNode is a node in memory.
type fakeNode struct {
	*apitest.Factory
	closed chan struct{}
	err    error
}

func (n *fakeNode) Certificate() state.Certificate {
	return state.Certificate{Factory: "12D3KooWroot", ID: "12D3KooWline", Name: "line-1", Gateway: true, Parent: "12D3KooWhall", ParentName: "hall-1"}
}
func (n *fakeNode) Addresses() []string { return []string{"/ip4/10.0.0.7/tcp/4777"} }
func (n *fakeNode) Close() error        { close(n.closed); return n.err }

func TestRunServesUntilItIsTold(t *testing.T) {
	d := newDesk(t, nil)
	n := &fakeNode{Factory: plant(), closed: make(chan struct{})}
	n.Details[1].Path = []state.Name{"plant-7"}
	var got opening
	d.program.rooms.open = func(_ context.Context, how opening) (node, error) { got = how; return n, nil }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up := make(chan string, 1)
	d.out.see = func(s string) { up <- s }
	code := make(chan int, 1)
	go func() {
		code <- d.program.run(ctx, []string{"run", "--data", d.data, "--engine=simulated", "--mdns=false", "--listen", "/ip4/0.0.0.0/tcp/1", "--listen=/ip4/0.0.0.0/tcp/2"})
	}()
	socket := filepath.Join(d.data, "pharos.sock")
	if line := <-up; line != "pharos: gateway line-1 of factory plant-7 (…ooWroot) is up: listening on /ip4/10.0.0.7/tcp/4777, api at unix://"+socket+"\n" {
		t.Error(line)
	}
	if got.data != d.data || got.engine != "simulated" || got.mdns || len(got.listen) != 2 {
		t.Errorf("opened with %+v", got)
	}
	client := api.NewClient(api.ClientConfig{Socket: socket})
	defer client.Close()
	if nodes, err := client.Nodes(t.Context()); err != nil || len(nodes) != 6 {
		t.Errorf("%v %v", nodes, err)
	}
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d: %s", c, d.err.take())
	}
	<-n.closed
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	d := newDesk(t, plant()) // which holds the socket, as another daemon would
	n := &fakeNode{Factory: plant(), closed: make(chan struct{})}
	d.program.rooms.open = func(context.Context, opening) (node, error) { return n, nil }
	code, out, errs := d.run("run", "--engine", "simulated")
	if code != 1 || out != "" || !strings.Contains(errs, "another pharos daemon answers there") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	<-n.closed
	d.want(1, "", "pharos: --engine \"podman\" is no engine; give a Docker Engine's socket like unix:///var/run/docker.sock, or simulated\n", "run", "--engine", "podman")
	d.want(1, "", "pharos: \"loud\" is no log level; use --log-level debug, info, warn or error\n", "run", "--log-level", "loud")
	d.program.rooms.open = func(context.Context, opening) (node, error) {
		return nil, &state.Problem{Kind: state.Unable, Doing: "opening the data folder /d", Cause: "this machine is in no factory yet", Fix: "join one"}
	}
	d.want(1, "", "pharos: opening the data folder /d: this machine is in no factory yet; join one\n", "run")
}

func TestInit(t *testing.T) {
	d := newDesk(t, nil)
	d.program.rooms.initRoot = func(data string, name state.Name) (state.Certificate, error) {
		if data != d.data {
			return state.Certificate{}, errors.New("wrong folder " + data)
		}
		return state.Certificate{Factory: "12D3KooWroot", ID: "12D3KooWroot", Name: name, Gateway: true}, nil
	}
	d.want(0, "factory  12D3KooWroot\nroot     plant-7\ndata     "+d.data+"\n",
		"next: start it with 'pharos run --data "+d.data+"', then invite machines with 'pharos token create --data "+d.data+" --name NAME'\n",
		"init", "--name", "plant-7")
	_, out, _ := d.run("init", "--name", "plant-7", "-o", "json")
	if !strings.Contains(out, `"role": "root"`) {
		t.Error(out)
	}
	d.want(1, "", "pharos: 'pharos init' needs --name NAME; usage: pharos init --name plant-7\n", "init")
	code, _, errs := d.run("init", "--name", "Plant 7")
	if code != 1 || !strings.Contains(errs, "reading the node name \"Plant 7\"") {
		t.Errorf("%d %s", code, errs)
	}
}

func joinToken(t *testing.T) string {
	t.Helper()
	const id = "12D3KooWJRkLmzW3vXhvTYsZcLrEdtcWZG1VVmHJGYBRZAGVvPDQ"
	token, _, err := state.NewJoinToken(id, "press-7", id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token.String()
}

func TestJoin(t *testing.T) {
	d := newDesk(t, nil)
	token := joinToken(t)
	if _, err := state.ParseJoinToken(token); err != nil {
		t.Fatal(err)
	}
	var got joining
	d.program.rooms.join = func(ctx context.Context, how joining) (state.Certificate, error) {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("joining never ends")
		}
		got = how
		return state.Certificate{Factory: "12D3KooWroot", ID: "12D3KooWpress", Name: "press-7", Parent: "12D3KooWline", ParentName: "line-1"}, nil
	}
	const answer = "node     press-7\nrole     cell\nparent   line-1\nfactory  12D3KooWroot\n"
	next := "next: start it with 'pharos run --data " + d.data + "'\n"
	d.want(0, answer, next, "join", token)
	if got.token != token || !got.mdns || got.data != d.data {
		t.Errorf("joined with %+v", got)
	}
	d.program.in = strings.NewReader("\n  " + token + "\n")
	d.want(0, answer, next, "join", "-", "--mdns=false")
	if got.token != token || got.mdns {
		t.Errorf("joined with %+v", got)
	}
	d.want(1, "", "pharos: reading the join token: it does not begin with \"pharos-join-\"; paste the whole line that 'pharos token create' printed at the root\n", "join", "abc")
	d.program.rooms.join = func(ctx context.Context, _ joining) (state.Certificate, error) {
		<-ctx.Done()
		return state.Certificate{}, errors.New("dialling the parent: nobody there")
	}
	code, _, errs := d.run("join", token, "--timeout", "10ms")
	if code != 1 || !strings.Contains(errs, "nobody there; is the parent up") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestTokenCreate(t *testing.T) {
	f := plant()
	f.Token = "pharos-join-abc"
	d := newDesk(t, f)
	d.want(0, "pharos-join-abc\n", "", "token", "create", "--name", "line-3", "--gateway", "--label", "hall=2", "--label=arch=arm64", "--ttl", "1h")
	if got := d.lastCall(); got != "CreateToken line-3  true map[arch:arm64 hall:2] 1h0m0s" {
		t.Error(got)
	}
	d.program.screen.outTTY = true
	d.want(0, "pharos-join-abc\n", "on the machine that is to be press-7, within 30m: pharos join TOKEN, then pharos run\n", "token", "create", "--name", "press-7", "--parent=line-1")
	d.want(1, "", "pharos: 'pharos token create' needs --name NAME; usage: pharos token create --name press-7 [--parent line-1] [--gateway]\n", "token", "create")
	d.want(1, "", "pharos: a --ttl of -1s is no time at all; give one like --ttl 30m\n", "token", "create", "--name", "a", "--ttl=-1s")
	code, _, errs := d.run("token", "create", "--name", "a", "--ttl", "200h")
	if code != 1 || !strings.Contains(errs, "let it live at most 168h0m0s") {
		t.Errorf("%d %s", code, errs)
	}
}
