package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pharos/cmd/pharos/api/apitest"
	"pharos/state"
)

func TestTree(t *testing.T) {
	d := newDesk(t, plant())
	d.want(0, strings.TrimLeft(`
NODE           ROLE     READINESS   SINCE  APPS                  BELOW                               REASON
plant-7        root     ● Ready     2d     -                     3/5 Ready; apps: 3 Ready, 1 Failed  -
├─ line-1      gateway  ● Ready     3h     1 Ready               2/2 Ready; apps: 1 Ready, 1 Failed  -
│  ├─ press-1  cell     ● Ready     3h     1 Ready               -                                   -
│  └─ press-2  cell     ● Ready     3h     1 Failed              -                                   -
└─ line-2      gateway  ✗ NotReady  12s    -                     0/1 Ready; apps: 1 Ready            silent for 4 s
   └─ press-3  cell     ? Unknown   12s    1 Ready (last heard)  -                                   line-2 is gone
`, "\n"), "", "tree")
	_, out, _ := d.run("tree", "-o", "json")
	var nested []struct {
		Name     string
		Children []struct {
			Name     string
			Below    struct{ Nodes map[string]int }
			Children []struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(out), &nested); err != nil || nested[0].Children[0].Children[1].Name != "press-2" || nested[0].Children[0].Below.Nodes["Ready"] != 2 {
		t.Errorf("%v: %s", err, out)
	}
	d.want(0, "plant-7\nline-1\npress-1\npress-2\nline-2\npress-3\n", "", "tree", "-q")
}

func TestNodeLs(t *testing.T) {
	d := newDesk(t, plant())
	d.want(0, strings.TrimLeft(`
NAME     ROLE     PARENT   READINESS   SINCE  GROUPS    LABELS             REASON
plant-7  root     -        ● Ready     2d     -         -                  -
line-1   gateway  plant-7  ● Ready     3h     -         -                  -
press-1  cell     line-1   ● Ready     3h     painting  arch=arm64,hall=2  -
press-2  cell     line-1   ● Ready     3h     -         -                  -
line-2   gateway  plant-7  ✗ NotReady  12s    -         -                  silent for 4 s
press-3  cell     line-2   ? Unknown   12s    -         -                  line-2 is gone
`, "\n"), "", "node", "ls")

	_, out, _ := d.run("node", "ls", "-o", "json")
	var nodes []map[string]any
	if err := json.Unmarshal([]byte(out), &nodes); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"name", "id", "role", "parent", "readiness", "reason", "since", "labels", "groups"} {
		if v, has := nodes[0][key]; !has || v == nil {
			t.Errorf("no %s: %v", key, nodes[0])
		}
	}
	d.want(0, "plant-7\nline-1\npress-1\npress-2\nline-2\npress-3\n", "", "node", "ls", "-o", "name")
}

func TestNarrowTerminalsAndColours(t *testing.T) {
	d := newDesk(t, plant())
	d.program.screen.outTTY, d.program.screen.colour = true, true
	_, out, _ := d.run("node", "ls")
	if !strings.Contains(out, "\x1b[32m● Ready\x1b[0m") || !strings.Contains(out, "\x1b[31m✗ NotReady\x1b[0m") {
		t.Errorf("no colours:\n%q", out)
	}
	d.program.screen.colour = false
	_, out, _ = d.run("node", "ls")
	for line := range strings.Lines(out) {
		if n := len([]rune(line)); n > 81 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	// Where not even the narrowest columns fit, lines are cut, not wrapped.
	d.program.screen.size = func() (int, int) { return 40, 24 }
	_, narrow, _ := d.run("node", "ls")
	for line := range strings.Lines(narrow) {
		if n := len([]rune(line)); n > 41 {
			t.Errorf("%d characters of 40: %s", n, line)
		}
	}
	if !strings.Contains(out, "…") || strings.Contains(out, "\x1b") {
		t.Errorf("not cut, or in colour:\n%s", out)
	}
	if _, out, _ = d.run("node", "ls", "--no-trunc"); strings.Contains(out, "…") {
		t.Errorf("cut all the same:\n%s", out)
	}
}

func TestNodeInspectLabelRemove(t *testing.T) {
	d := newDesk(t, plant())
	d.want(0, strings.TrimLeft(`
name       press-2
id         12D3KooWpress-2
role       cell
path       press-2
readiness  ● Ready since 3h
labels     -
groups     -
engine     docker 20.10.24
addresses  -
head       1.7
apps       shop revision 3: Failed since 60s
`, "\n"), "", "node", "inspect", "press-2")
	d.want(0, "press-1 has the labels: arch=arm64,hall=2\n", "", "node", "label", "press-1", "a=b", "c-")
	if got := d.lastCall(); got != "LabelNode press-1 map[a:b] [c]" {
		t.Error(got)
	}
	d.want(1, "", "pharos: the label \"a\" is both set and removed; do one of the two\n", "node", "label", "press-1", "a=b", "a-")
	d.want(1, "", "pharos: reading the label \"a\": it is no key=value; write it like arch=arm64: letters, digits, '.', '_' and '-', at most 63 characters on each side\n", "node", "label", "press-1", "a")
	d.want(0, "press-1 is no longer of the factory\n", "pharos: what it runs goes on running there (shop): on that machine, 'docker ps -a --filter label=pharos.node=12D3KooWpress-1' shows the containers to remove\n", "node", "rm", "press-1")
	d.want(1, "", "pharos: looking for the node \"press-9\": there is none; 'pharos node ls' shows all\n", "node", "inspect", "press-9")
}

func TestGroups(t *testing.T) {
	d := newDesk(t, plant())
	d.want(0, "GROUP     NODES  MEMBERS  APPS\npainting  1      press-1  shop\n", "", "group", "ls")
	d.want(0, "group    painting\nmembers  press-1\napps     shop\n", "", "group", "inspect", "painting")
	d.want(0, "the group welding is there\n", "next: put nodes into it with 'pharos group add welding NODE…'\n", "group", "create", "welding")
	d.want(0, "the group painting is no more\n", "pharos: it was named by shop: its nodes (press-1) lose what nothing else puts there\n", "group", "rm", "painting")
	d.want(0, "painting\n", "", "group", "add", "painting", "press-1", "press-2", "-q")
	if got := d.lastCall(); got != "AddToGroup painting [press-1 press-2]" {
		t.Error(got)
	}
	d.want(0, "name: painting\nmembers:\n  - press-1\napps:\n  - shop\n", "", "group", "remove", "painting", "press-2", "-o", "yaml")
}

func TestEmptyListsSayWhatToDo(t *testing.T) {
	d := newDesk(t, &apitest.Factory{})
	for _, what := range []struct{ command, hint string }{
		{"group", "no groups yet: make one with 'pharos group create NAME'\n"},
		{"app", "no apps yet: deploy one with 'pharos deploy -f compose.yaml --to SELECTOR'\n"},
	} {
		d.want(0, "", what.hint, what.command, "ls")
		d.want(0, "[]\n", "", what.command, "ls", "-o", "json")
		d.want(0, "[]\n", "", what.command, "ls", "-o", "yaml")
		d.want(0, "", "", what.command, "ls", "-q")
	}
}

func shopApp() state.AppDetail {
	web := state.Container{Service: "web", State: "running", Health: "healthy", Restarts: 1, Name: "shop-web-1"}
	db := state.Container{Service: "db", State: "running", Name: "shop-db-1"}
	dead := state.Container{Service: "web", State: "exited", ExitCode: 3, Restarts: 4, Name: "shop-web-1"}
	return state.AppDetail{
		AppView: state.AppView{
			Name: "shop", Revision: 3, Want: state.Run, Selector: sel("tier:line-1"), Nodes: 3, Ready: 1,
			States: map[state.AppState]int{state.AppReady: 2, state.AppFailed: 1}, Deployed: ago(time.Hour),
		},
		Compose: "services:\n  web: {}\n",
		On: []state.AppNode{
			{Node: "press-1", State: state.AppReady, Revision: 3, Services: []state.Container{db, web}, Readiness: state.Ready, Parent: "line-1", Done: true},
			{Node: "press-2", State: state.AppFailed, Revision: 3, Services: []state.Container{dead}, Reason: "web exited with 3", Logs: []string{"\x1b[1;31mboom\x1b[2J\a", "bang"}, Readiness: state.Ready, Parent: "line-1"},
			{Node: "press-3", State: state.AppReady, Revision: 2, Readiness: state.NotReady, Reason: "press-3 is NotReady: silent for 4 s", Parent: "line-1"},
		},
	}
}

func TestAppViews(t *testing.T) {
	d := newDesk(t, plant())
	d.factory.AppList = []state.AppDetail{shopApp()}
	d.factory.Revisions = []state.Revision{
		{Revision: 3, Selector: sel("tier:line-1"), Deployed: ago(time.Hour), Current: true, Images: []string{"web:3", "db:1"}},
		{Revision: 2, Selector: sel("press-1"), Deployed: ago(3 * time.Hour), Images: []string{"web:2"}},
	}
	d.want(0, "APP   REVISION  WANT  TO           READY  STATES             DEPLOYED\nshop  3         run   tier:line-1  1/3    2 Ready, 1 Failed  60m\n", "", "app", "ls")
	d.want(0, strings.TrimLeft(`
NODE     STATE   REVISION  SERVICE  CONTAINER   STATE    HEALTH   RESTARTS
press-1  Ready   3         db       shop-db-1   running  -        0
                           web      shop-web-1  running  healthy  1
press-2  Failed  3         web      shop-web-1  exited   -        4
  press-2: web exited with 3
    | boom
    | bang
press-3  Ready?  2         -        -           -        -        -
  press-3 is NotReady: silent for 4 s; the above is what it last said
`, "\n"), "", "app", "ps", "shop")
	d.want(0, strings.TrimLeft(`
app       shop
revision  3, deployed 60m ago
wanted    run
to        tier:line-1
ready     1 of 3 nodes
states    2 Ready, 1 Failed
nodes     press-1: Ready in revision 3
          press-2: Failed in revision 3 (web exited with 3)
          press-3: Ready in revision 2, NotReady: silent for 4 s

  services:
    web: {}
`, "\n"), "", "app", "inspect", "shop")
	d.want(0, strings.TrimLeft(`
REVISION  DEPLOYED  CURRENT  TO           IMAGES
3         60m ago   current  tier:line-1  web:3, db:1
2         3h ago    -        press-1      web:2
`, "\n"), "", "app", "history", "shop")
	_, out, _ := d.run("app", "ps", "shop", "-o", "json")
	var on []struct {
		Node, State string
		Revision    int
		Services    []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &on); err != nil || on[0].Revision != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, key := range []string{"name", "state", "health", "restarts", "container"} {
		if _, has := on[0].Services[0][key]; !has {
			t.Errorf("no %s: %v", key, on[0].Services[0])
		}
	}
	if on[2].Services == nil {
		t.Error("services are null")
	}
}

func TestYAMLKeepsTypesAndText(t *testing.T) {
	d := newDesk(t, plant())
	d.factory.AppList = []state.AppDetail{shopApp()}
	d.factory.AppList[0].On = nil
	d.factory.AppList[0].Selector = sel("label:on=1")
	d.want(0, strings.TrimLeft(`
name: shop
revision: 3
want: run
selector: label:on=1
nodes: 3
states:
  Failed: 1
  Ready: 2
ready: 1
deployed: "2026-03-04T11:00:00Z"
compose: |
  services:
    web: {}
on: []
`, "\n"), "", "app", "inspect", "shop", "--output=yaml")
	d.factory.Change(func(f *apitest.Factory) {
		f.GroupList = []state.GroupView{{Name: "007", Members: []state.Name{"true", "1e3"}}}
	})
	d.want(0, "name: \"007\"\nmembers:\n  - \"true\"\n  - \"1e3\"\napps: []\n", "", "group", "inspect", "007", "-oyaml")
}

func TestStatus(t *testing.T) {
	f := plant()
	f.Self = state.SelfView{
		Name: "press-1", ID: "12D3KooWpress-1", Factory: "12D3KooWplant-7", Role: state.RoleCell, Parent: "line-1", Since: ago(7 * time.Minute),
		Reason: "connection refused", Head: state.Stamp{Epoch: 1, Number: 41}, ParentHead: state.Stamp{Epoch: 1, Number: 42},
		Engine: state.EngineReport{Kind: "docker", Problem: "connection refused"}, Disk: state.DiskView{Path: "/data", Total: 64 << 30, Free: 3 << 29, Used: 5000},
		Addresses: []string{"/ip4/10.0.0.7/tcp/4777"}, Expires: noon, Refused: map[string]uint64{"unknown peer": 3, "old order": 1}, Version: "v1",
		Apps: []state.AppReport{{App: "shop", Revision: 3, State: state.AppFailed, Since: ago(time.Second), Reason: "web exited"}},
	}
	d := newDesk(t, f)
	d.want(0, strings.TrimLeft(`
node         press-1
id           12D3KooWpress-1
role         cell
factory      12D3KooWplant-7
parent       ✗ line-1: not connected since 7m (connection refused)
head         1.41 (the parent has 1.42)
engine       docker does not answer: connection refused
disk         4.9 KiB used, 1.5 GiB of 64.0 GiB free at /data
addresses    /ip4/10.0.0.7/tcp/4777
certificate  until 2026-03-04
apps         shop revision 3: Failed since 1s (web exited)
refused      1 × old order
             3 × unknown peer
version      v1
`, "\n"), "", "status")
	f.Change(func(f *apitest.Factory) {
		f.Self.Connected, f.Self.Reason, f.Self.Refused, f.Self.Apps = true, "", nil, nil
		f.Self.Below = &state.Counts{Nodes: map[state.Readiness]int{state.Ready: 2}}
	})
	_, out, _ := d.run("status")
	for _, part := range []string{"● line-1: connected since 7m\n", "below        2 nodes: 2 Ready\n"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
}
