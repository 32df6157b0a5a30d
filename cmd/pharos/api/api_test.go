package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pharos/cmd/pharos/api"
	"pharos/cmd/pharos/api/apitest"
	"pharos/state"
)

var discard = slog.New(slog.DiscardHandler)

// socketPath is short: a test's own folder is often too long for a socket.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "pharos.sock")
}

// start serves a factory, and gives a client and the socket.
func start(t *testing.T, f *apitest.Factory) (*api.Client, *api.Server, string) {
	t.Helper()
	path := socketPath(t)
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := api.Serve(l, f, discard)
	t.Cleanup(s.Close)
	c := api.NewClient(api.ClientConfig{Socket: path, Start: "pharos run"})
	t.Cleanup(c.Close)
	return c, s, path
}

func selector(t *testing.T, s string) state.Selector {
	t.Helper()
	sel, err := state.ParseSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

func sample(t *testing.T) *apitest.Factory {
	since := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	view := func(name, parent state.Name, role state.Role) state.NodeView {
		return state.NodeView{Name: name, ID: "12D3" + state.NodeID(name), Role: role, Parent: parent, Readiness: state.Ready, Since: since, Labels: map[string]string{}, Groups: []state.Name{}}
	}
	app := state.AppDetail{
		AppView: state.AppView{Name: "shop", Revision: 1, Want: state.Run, Selector: selector(t, "all"), States: map[state.AppState]int{}, Deployed: since},
		Compose: "services: {}", On: []state.AppNode{{Node: "press-7", State: state.AppReady, Services: []state.Container{}}},
	}
	return &apitest.Factory{
		Self: state.SelfView{Name: "plant-7", Role: state.RoleRoot, Addresses: []string{}, Apps: []state.AppReport{}, Refused: map[string]uint64{"bad order": 2}},
		Details: []state.NodeDetail{
			{NodeView: view("plant-7", "", state.RoleRoot), Path: []state.Name{}, Report: state.NodeReport{Apps: []state.AppReport{}}},
			{NodeView: view("line-1", "plant-7", state.RoleGateway), Path: []state.Name{"plant-7"}, Report: state.NodeReport{Apps: []state.AppReport{}}},
			{NodeView: view("press-7", "line-1", state.RoleCell), Path: []state.Name{"plant-7", "line-1"}, Report: state.NodeReport{
				Apps: []state.AppReport{{App: "shop", State: state.AppReady, Containers: []state.Container{}}},
			}},
		},
		GroupList: []state.GroupView{{Name: "painting", Members: []state.Name{"press-7"}, Apps: []state.Name{}}},
		Token:     "pharos-join-abc",
		Plans:     []state.Plan{{Node: "press-7", Actions: []state.Action{{Verb: state.Create, What: "container", Name: "shop-web-1", Cause: "it is missing"}}}},
		AppList:   []state.AppDetail{app},
		Revisions: []state.Revision{{Revision: 1, Selector: selector(t, "all"), Deployed: since, Current: true, Images: []string{"web:1"}}},
		Answer:    state.Accepted{App: "shop", Revision: 2, Stamp: state.Stamp{Epoch: 1, Number: 9}, Nodes: []state.Name{"press-7"}},
	}
}

// Every operation arrives with what was asked, and its answer comes back whole.
func TestEveryOperation(t *testing.T) {
	f := sample(t)
	c, _, _ := start(t, f)
	ctx := t.Context()
	ask := state.DeployRequest{App: "shop", Selector: selector(t, "tier:line-1,!press-7"), Compose: []byte("services: {}")}
	token := state.TokenRequest{Name: "press-8", Parent: "line-1", Labels: map[string]string{"arch": "arm64"}, Life: time.Minute}
	nothing := func(err error) (any, error) { return nil, err }
	for _, test := range []struct {
		call string // as the factory saw it
		ask  func() (any, error)
		want any
	}{
		{"Status", func() (any, error) { return c.Status(ctx) }, f.Self},
		{"Nodes", func() (any, error) { return c.Nodes(ctx) }, f.Nodes(ctx)},
		{"Node press-7", func() (any, error) { return c.Node(ctx, "press-7") }, f.Details[2]},
		{"LabelNode press-7 map[a:b] [c]", func() (any, error) {
			return c.LabelNode(ctx, "press-7", api.LabelChange{Set: map[string]string{"a": "b"}, Remove: []string{"c"}})
		}, f.Details[2].NodeView},
		{"RemoveNode press-7", func() (any, error) { return nothing(c.RemoveNode(ctx, "press-7")) }, nil},
		{"Groups", func() (any, error) { return c.Groups(ctx) }, f.GroupList},
		{"Group painting", func() (any, error) { return c.Group(ctx, "painting") }, f.GroupList[0]},
		{"CreateGroup welding", func() (any, error) { return nothing(c.CreateGroup(ctx, "welding")) }, nil},
		{"RemoveGroup painting", func() (any, error) { return nothing(c.RemoveGroup(ctx, "painting")) }, nil},
		{"AddToGroup painting [press-7 press-8]", func() (any, error) {
			return c.AddToGroup(ctx, "painting", []state.Name{"press-7", "press-8"})
		}, f.GroupList[0]},
		{"RemoveFromGroup painting [press-7]", func() (any, error) {
			return c.RemoveFromGroup(ctx, "painting", []state.Name{"press-7"})
		}, f.GroupList[0]},
		{"CreateToken press-8 line-1 false map[arch:arm64] 1m0s", func() (any, error) { return c.CreateToken(ctx, token) }, f.Token},
		{"Plan shop tier:line-1,!press-7", func() (any, error) { return c.Plan(ctx, ask) }, f.Plans},
		{"Deploy shop tier:line-1,!press-7", func() (any, error) { return c.Deploy(ctx, ask) }, f.Answer},
		{"Order shop stopped", func() (any, error) { return c.Order(ctx, "shop", state.Stopped) }, f.Answer},
		{"Apps", func() (any, error) { return c.Apps(ctx) }, f.Apps(ctx)},
		{"App shop", func() (any, error) { return c.App(ctx, "shop") }, f.AppList[0]},
		{"History shop", func() (any, error) { return c.History(ctx, "shop") }, f.Revisions},
	} {
		got, err := test.ask()
		if err != nil {
			t.Errorf("%s: %v", test.call, err)
			continue
		}
		if calls := f.Calls(); calls[len(calls)-1] != test.call {
			t.Errorf("asked %q, the factory saw %q", test.call, calls[len(calls)-1])
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.call, got, test.want)
		}
	}
}

func TestTreeNestsAndSums(t *testing.T) {
	c, _, _ := start(t, sample(t))
	roots, err := c.Tree(t.Context())
	if err != nil || len(roots) != 1 {
		t.Fatalf("%v %v", roots, err)
	}
	root := roots[0]
	if root.Name != "plant-7" || len(root.Children) != 1 || root.Children[0].Children[0].Name != "press-7" {
		t.Errorf("the tree is wrong: %+v", root)
	}
	if root.Below.Nodes[state.Ready] != 2 || root.Below.Apps[state.AppReady] != 1 {
		t.Errorf("the root's sum is wrong: %+v", root.Below)
	}
	if cell := root.Children[0].Children[0]; cell.Below != nil || cell.Apps[state.AppReady] != 1 {
		t.Errorf("the cell is wrong: %+v", cell)
	}
}

// Problems come back as they were, with the status that is theirs.
func TestProblemsCrossUnchanged(t *testing.T) {
	f := sample(t)
	c, _, path := start(t, f)
	for kind, status := range map[state.Kind]int{
		state.Invalid: 400, state.NotFound: 404, state.Taken: 409, state.Refused: 403,
		state.Unable: 503, state.Corrupt: 500, state.Elsewhere: 421,
	} {
		want := state.Problem{Kind: kind, Doing: "removing press-7", Node: "line-1", Cause: "it has <children>", Fix: "remove them"}
		f.Fail("RemoveNode", fmt.Errorf("wrapped away: %w", &want))
		err := c.RemoveNode(t.Context(), "press-7")
		var got *state.Problem
		if !errors.As(err, &got) || got.Kind != kind || got.Fix != want.Fix || !strings.Contains(got.Error(), want.Cause) {
			t.Errorf("%s became %#v", kind, err)
		}
		f.Fail("RemoveNode", &want)
		if err := c.RemoveNode(t.Context(), "press-7"); !errors.As(err, &got) || *got != want {
			t.Errorf("%s became %#v", kind, err)
		}
		r := raw(t, path, http.MethodDelete, "/api/v2/nodes/press-7", "")
		if r.status != status || r.kind != "application/problem+json" || r.doc["type"] != "urn:pharos:problem:"+string(kind) || r.doc["status"] != float64(status) {
			t.Errorf("%s is %+v", kind, r)
		}
	}
	f.Fail("RemoveNode", errors.New("disk on fire"))
	err := c.RemoveNode(t.Context(), "press-7")
	if state.KindOf(err) != state.Unable || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("an ordinary error became %v", err)
	}
}

type rawAnswer struct {
	status int
	kind   string
	doc    map[string]any
}

// raw asks without the client's help.
func raw(t *testing.T, path, method, url, body string) rawAnswer {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://pharos"+url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, _ := io.ReadAll(response.Body)
	out := rawAnswer{status: response.StatusCode, kind: response.Header.Get("Content-Type")}
	_ = json.Unmarshal(b, &out.doc)
	return out
}

func TestBadRequestsAreRefusedWithReasons(t *testing.T) {
	f := sample(t)
	_, _, path := start(t, f)
	for _, test := range []struct {
		name, method, url, body string
		status                  int
		says                    string
	}{
		{"unknown field", "POST", "/api/v2/apps/shop/order", `{"want":"run","force":true}`, 400, "force"},
		{"two values", "POST", "/api/v2/apps/shop/order", `{"want":"run"}{}`, 400, "more behind"},
		{"no JSON", "POST", "/api/v2/apps/shop/order", `want=run`, 400, "invalid character"},
		{"no body", "POST", "/api/v2/apps/shop/order", ``, 400, "EOF"},
		{"impossible want", "POST", "/api/v2/apps/shop/order", `{"want":"fly"}`, 400, "fly"},
		{"bad name", "POST", "/api/v2/apps/Shop!/order", `{"want":"run"}`, 400, "lower-case"},
		{"too large", "POST", "/api/v2/groups/painting/add", `{"nodes":["` + strings.Repeat("x", 300<<10) + `"]}`, 413, "bytes long"},
		{"no nodes", "POST", "/api/v2/groups/painting/add", `{"nodes":[]}`, 400, "0 nodes"},
		{"bad member", "POST", "/api/v2/groups/painting/add", `{"nodes":["a b"]}`, 400, "a b"},
		{"no label", "POST", "/api/v2/nodes/press-7/labels", `{}`, 400, "no label"},
		{"bad label", "POST", "/api/v2/nodes/press-7/labels", `{"set":{"a b":"c"}}`, 400, "a b"},
		{"bad key", "POST", "/api/v2/nodes/press-7/labels", `{"remove":["="]}`, 400, "key=value"},
		{"bad selector", "POST", "/api/v2/deploy", `{"app":"shop","selector":"floor:2","compose":"YQ=="}`, 400, "floor"},
		{"no selector", "POST", "/api/v2/deploy", `{"app":"shop","compose":"YQ=="}`, 400, "selector"},
		{"no project", "POST", "/api/v2/plan", `{"app":"shop","selector":"all"}`, 400, "empty"},
		{"bad token name", "POST", "/api/v2/tokens", `{"name":""}`, 400, "empty"},
		{"bad token parent", "POST", "/api/v2/tokens", `{"name":"a","parent":"B"}`, 400, "B"},
		{"bad token life", "POST", "/api/v2/tokens", `{"name":"a","life":-1}`, 400, "life"},
		{"bad token label", "POST", "/api/v2/tokens", `{"name":"a","labels":{"":"x"}}`, 400, "=x"},
		{"unknown path", "GET", "/api/v2/secrets", ``, 404, "no such operation"},
		{"unknown method", "PATCH", "/api/v2/nodes/press-7", ``, 404, "no such operation"},
		{"old version", "GET", "/api/v1/nodes", ``, 404, "same version"},
		{"unfollowable", "GET", "/api/v2/apps/none/follow", ``, 404, "none"},
	} {
		r := raw(t, path, test.method, test.url, test.body)
		if r.status != test.status || r.kind != "application/problem+json" || !strings.Contains(fmt.Sprint(r.doc["detail"]), test.says) {
			t.Errorf("%s: got %d %s %v", test.name, r.status, r.kind, r.doc)
		}
	}
	if calls := f.Calls(); len(calls) != 1 || calls[0] != "App none" {
		t.Errorf("bad requests reached the factory: %v", calls)
	}
}

// What the client can see itself it does not send.
func TestClientRefusesWhatIsTooLarge(t *testing.T) {
	f := sample(t)
	c, _, _ := start(t, f)
	_, err := c.Deploy(t.Context(), state.DeployRequest{App: "shop", Selector: selector(t, "all"), Compose: bytes.Repeat([]byte("x"), state.MaxCompose+1)})
	if state.KindOf(err) != state.Invalid || !strings.Contains(err.Error(), "limit") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Node(t.Context(), ".."); state.KindOf(err) != state.Invalid {
		t.Errorf("got %v", err)
	}
	if _, err := c.Deploy(t.Context(), state.DeployRequest{App: "shop", Selector: selector(t, "all"), Compose: bytes.Repeat([]byte("x"), state.MaxCompose)}); err != nil {
		t.Errorf("the largest project does not fit: %v", err)
	}
	if calls := f.Calls(); len(calls) != 1 {
		t.Errorf("sent all the same: %v", calls)
	}
}

func TestPanicBecomesAProblem(t *testing.T) {
	f := sample(t)
	c, _, path := start(t, f)
	f.Fail("Deploy", nil)
	_, err := c.Deploy(t.Context(), state.DeployRequest{App: "shop", Selector: selector(t, "all"), Compose: []byte("x")})
	if err == nil || !strings.Contains(err.Error(), "mistake in Pharos") {
		t.Errorf("got %v", err)
	}
	f.Fail("Nodes", nil)
	if r := raw(t, path, "GET", "/api/v2/nodes", ""); r.status != 500 {
		t.Errorf("got %+v", r)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the server did not survive: %v", err)
	}
}

// Lists are lists in JSON, also when an operation gives none.
func TestNilListsAreEmpty(t *testing.T) {
	f := &apitest.Factory{
		Details: []state.NodeDetail{{NodeView: state.NodeView{Name: "a"}}},
		AppList: []state.AppDetail{{AppView: state.AppView{Name: "shop", Selector: selector(t, "all")}, On: []state.AppNode{{Node: "a"}}}},
	}
	_, _, path := start(t, f)
	node := raw(t, path, "GET", "/api/v2/nodes/a", "").doc
	for _, key := range []string{"labels", "groups", "path"} {
		if node[key] == nil {
			t.Errorf("%s is null", key)
		}
	}
	app := raw(t, path, "GET", "/api/v2/apps/shop", "").doc
	if on := app["on"].([]any)[0].(map[string]any); on["services"] == nil || app["states"] == nil {
		t.Errorf("services or states are null: %v", app)
	}
	if c := app["compose"]; c != "" {
		t.Errorf("compose is %v", c)
	}
}
