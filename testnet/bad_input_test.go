package testnet_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet"
)

// bad is one use that has to be refused: exit code 1, one line that says what,
// where and what to do, and nothing changed.
type bad struct {
	args []string
	node state.Name // whose machine it is done on; empty: the root's
	data string     // or another data folder
	says []string   // in the error
}

// What needs no engine is tested on the one in memory.
func TestBadInput(t *testing.T) {
	f := up(t, testnet.SimulatedEngine, testnet.Tiers(1, 1, 1)...)
	must(t, f, 0, "plant-7", "group", "create", "empty")
	good := file(t, "compose.yaml", "name: shop\nservices:\n  web:\n    image: example/web:1\n")
	must(t, f, 0, "plant-7", "deploy", "-f", good, "--to", "press-1")

	nowhere := filepath.Join(t.TempDir(), "nowhere")
	// Tokens that were good once, or for somebody.
	used := must(t, f, 0, "plant-7", "token", "create", "--name", "press-8").Line()
	spare := filepath.Join(f.Dir(), "press-8")
	if r := join(t, f, spare, used); r.Exit != 0 {
		t.Fatalf("the token is good, and: %s", r.Stderr)
	}
	expired := must(t, f, 0, "plant-7", "token", "create", "--name", "press-9", "--ttl", "1ms").Line()
	foreign := must(t, f, 0, "plant-7", "token", "create", "--name", "press-9b").Line()
	foreign = ofFactory(t, foreign, f.Node("press-1").ID)

	deploy := func(content string, more ...string) []string {
		return append([]string{"deploy", "-f", file(t, "compose.yaml", content), "--to", "press-1"}, more...)
	}
	for name, b := range map[string]bad{
		"no such file":             {args: []string{"deploy", "-f", "missing.yaml", "--to", "all"}, says: []string{"missing.yaml"}},
		"no file at all":           {args: []string{"deploy", "--to", "all"}, says: []string{"-f FILE", "usage"}},
		"broken YAML":              {args: deploy("services: [\n"), says: []string{"compose.yaml"}},
		"empty file":               {args: deploy(""), says: []string{"compose.yaml"}},
		"no services":              {args: deploy("name: shop\nservices: {}\n"), says: []string{"service"}},
		"refused by compose-go":    {args: deploy("services:\n  web:\n    image: a\n    depends_on: [nobody]\n"), says: []string{"nobody"}},
		"unknown key":              {args: deploy("services:\n  web:\n    image: a\n    imagine: 1\n"), says: []string{"imagine"}},
		"selector names nobody":    {args: []string{"deploy", "-f", good, "--to", "label:arch=none"}, says: []string{"the selector names nobody", "pharos node ls"}},
		"empty group":              {args: []string{"deploy", "-f", good, "--to", "group:empty"}, says: []string{"the selector names nobody"}},
		"malformed selector":       {args: []string{"deploy", "-f", good, "--to", "team:a"}, says: []string{"team", "no kind of selector"}},
		"unknown node in selector": {args: []string{"deploy", "-f", good, "--to", "press-77"}, says: []string{"press-77", "pharos node ls"}},
		"unknown group to deploy":  {args: []string{"deploy", "-f", good, "--to", "group:none"}, says: []string{"no group none", "pharos group ls"}},
		"tier of a cell":           {args: []string{"deploy", "-f", good, "--to", "tier:press-1"}, says: []string{"press-1 is a cell"}},
		"unknown node":             {args: []string{"node", "inspect", "press-77"}, says: []string{"press-77", "pharos node ls"}},
		"unknown node to label":    {args: []string{"node", "label", "press-77", "a=b"}, says: []string{"press-77"}},
		"unknown node for a group": {args: []string{"group", "add", "empty", "press-1", "press-77"}, says: []string{"press-77"}},
		"unknown group":            {args: []string{"group", "add", "none", "press-1"}, says: []string{"none", "pharos group"}},
		"unknown app":              {args: []string{"app", "ps", "none"}, says: []string{"none", "pharos app ls"}},
		"unknown app to remove":    {args: []string{"app", "rm", "none"}, says: []string{"none"}},
		"name taken":               {args: []string{"token", "create", "--name", "press-1"}, says: []string{"press-1", "of that name"}},
		"name malformed":           {args: []string{"token", "create", "--name", "Press 7"}, says: []string{"Press 7"}},
		"group taken":              {args: []string{"group", "create", "empty"}, says: []string{"empty"}},
		"group malformed":          {args: []string{"group", "create", "../x"}, says: []string{"../x"}},
		"parent is a cell":         {args: []string{"token", "create", "--name", "x-1", "--parent", "press-1"}, says: []string{"press-1 is a cell"}},
		"command of the root":      {node: "line-1", args: []string{"group", "create", "mine"}, says: []string{"plant-7"}},
		"no such command":          {args: []string{"deplpy"}, says: []string{"deploy"}},
		"no such flag":             {args: []string{"node", "ls", "--colour"}, says: []string{"--colour"}},

		"token used":             {data: filepath.Join(f.Dir(), "x"), args: []string{"join", used, "--mdns=false"}, says: []string{"used already", "pharos token create"}},
		"token expired":          {data: filepath.Join(f.Dir(), "x"), args: []string{"join", expired, "--mdns=false"}, says: []string{"expired", "pharos token create"}},
		"token foreign":          {data: filepath.Join(f.Dir(), "x"), args: []string{"join", foreign, "--mdns=false"}, says: []string{"factory"}},
		"token cut short":        {data: filepath.Join(f.Dir(), "x"), args: []string{"join", used[:60], "--mdns=false"}, says: []string{"token", "missing or changed"}},
		"token that is none":     {data: filepath.Join(f.Dir(), "x"), args: []string{"join", "hello", "--mdns=false"}, says: []string{"token"}},
		"folder of a factory":    {data: spare, args: []string{"init", "--name", "other"}, says: []string{spare, "press-8"}},
		"folder of another node": {data: spare, args: []string{"join", expired, "--mdns=false"}, says: []string{spare, "press-8"}},
		"second run":             {node: "press-1", args: []string{"run", "--engine", "simulated", "--mdns=false"}, says: []string{"another pharos process"}},
		"run before joining":     {data: nowhere, args: []string{"run", "--engine", "simulated", "--mdns=false"}, says: []string{"no factory", "pharos join"}},
		"no daemon":              {data: nowhere, args: []string{"node", "ls"}, says: []string{"no pharos daemon answers", nowhere, "pharos run"}},
		"no Docker Engine":       {data: spare, args: []string{"run", "--engine", "unix://" + nowhere, "--mdns=false"}, says: []string{"Docker Engine at unix://" + nowhere, "start it"}},
		"no engine of that kind": {data: spare, args: []string{"run", "--engine", "podman", "--mdns=false"}, says: []string{"podman", "docker.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := shape(t, f)
			c := f.Command("plant-7", b.args...)
			if b.node != "" {
				c = f.Command(b.node, b.args...)
			}
			if b.data != "" {
				c.Env = append(testnet.CleanEnv(), "PHAROS_DATA="+b.data)
			}
			within, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r := c.Run(within)
			if r.Failed != nil || r.Exit != 1 {
				t.Fatalf("exit code %d, want 1 (%v)\n%s%s", r.Exit, r.Failed, r.Stdout, r.Stderr)
			}
			for _, part := range b.says {
				if !strings.Contains(r.Stderr, part) {
					t.Errorf("the error does not say %q: %s", part, r.Stderr)
				}
			}
			if lines := strings.Count(strings.TrimSpace(r.Stderr), "\n"); lines > 0 || strings.Contains(r.Stderr, "goroutine ") {
				t.Errorf("the error is not one line:\n%s", r.Stderr)
			}
			if r.Stdout != "" {
				t.Errorf("an error belongs on stderr alone, and stdout has: %s", r.Stdout)
			}
			if after := shape(t, f); after != before {
				t.Errorf("it changed something:\nbefore %s\nafter  %s", before, after)
			}
		})
	}
}

// join enrols a data folder of a test's own.
func join(t *testing.T, f *testnet.Factory, data, token string) testnet.Result {
	t.Helper()
	c := f.Command("plant-7", "join", token, "--mdns=false")
	c.Env = append(testnet.CleanEnv(), "PHAROS_DATA="+data)
	return c.Run(t.Context())
}

// ofFactory makes of a token one of another factory that leads to ours.
func ofFactory(t *testing.T, token string, factory state.NodeID) string {
	t.Helper()
	parsed, err := state.ParseJoinToken(token)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Factory = factory
	return parsed.String()
}

// shape is all that bad input must not change: nodes, groups, apps and the
// root's head.
func shape(t *testing.T, f *testnet.Factory) string {
	t.Helper()
	root := f.Client(f.Root())
	nodes, err := root.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes { // these move by themselves
		nodes[i].Since, nodes[i].Reason, nodes[i].Readiness = time.Time{}, "", ""
	}
	groups, err := root.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	apps, err := root.Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range apps {
		apps[i].States, apps[i].Ready = nil, 0
	}
	self, err := root.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal([]any{nodes, groups, apps, self.Head})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
