package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pharos/state"
)

// project writes files into a folder and gives its path.
func project(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bomb is a YAML document whose aliases unfold to 10^n nodes.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString("x-0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "x-%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	fmt.Fprintf(&b, "services:\n  a:\n    image: x\n    command: *a%d\n", n)
	return b.String()
}

func TestLoadRefuses(t *testing.T) {
	const ok = "services:\n  web:\n    image: x\n"
	for _, c := range []struct {
		name, text string
		says       []string // in the error, file and line included
	}{
		{"empty", "", []string{"compose.yaml", "empty"}},
		{"only a comment", "# nothing\n", []string{"compose.yaml", "empty"}},
		{"no services", "networks: {a: {}}\n", []string{"compose.yaml", "no service"}},
		{"broken YAML", "services:\n  web:\n    image: [x\n", []string{"compose.yaml:"}},
		{"a tab", "services:\n\tweb:\n", []string{"compose.yaml:2"}},
		{"no mapping", "- a\n- b\n", []string{"compose.yaml", "mapping"}},
		{"unknown key", "services:\n  web:\n    image: x\n    imagine: y\n", []string{"compose.yaml:4", "imagine", "not known", "spelling"}},
		{"no image", "services:\n  web:\n    command: x\n", []string{"compose.yaml:2", "web", "image"}},
		{"an image that is no reference", "services:\n  web:\n    image: Bad Image\n", []string{"compose.yaml:2", "web", "Bad Image", "lower case"}},
		{"build", ok + "    build: .\n", []string{"compose.yaml:4", "service web", "build", "push it to a registry"}},
		{"develop", ok + "    develop: {watch: [{path: ., action: rebuild}]}\n", []string{"compose.yaml:4", "develop"}},
		{"provider", "services:\n  web:\n    provider: {type: x}\n", []string{"compose.yaml:3", "provider"}},
		{"configs", "services:\n  web:\n    image: x\n    configs: [c]\nconfigs: {c: {content: x}}\n", []string{"configs"}},
		{"secrets", "services:\n  web:\n    image: x\n    secrets: [c]\nsecrets: {c: {environment: HOME}}\n", []string{"secrets"}},
		{"hook", ok + "    post_start: [{command: x}]\n", []string{"compose.yaml:4", "post_start"}},
		{"relative bind", ok + "    volumes:\n      - a:/a\n      - ./data:/data\nvolumes: {a: }\n", []string{"compose.yaml:6", "./data", "absolute path"}},
		{"relative bind, long form", ok + "    volumes: [{type: bind, source: data, target: /data}]\n", []string{"compose.yaml:4", "absolute path"}},
		{"home bind", ok + "    volumes: [\"~/data:/data\"]\n", []string{"compose.yaml:4", "absolute path"}},
		{"relative device", ok + "volumes: {a: {driver: local, driver_opts: {o: bind, device: ./a}}}\n", []string{"compose.yaml:4", "absolute path"}},
		{"seccomp file", ok + "    security_opt: [\"seccomp:./profile.json\"]\n", []string{"compose.yaml:4", "seccomp"}},
		{"pull policy", ok + "    pull_policy: daily\n", []string{"compose.yaml:4", "daily"}},
		{"undefined network", ok + "    networks: [front]\n", []string{"compose.yaml:2", "undefined network front", "top-level `networks:`"}},
		{"undefined volume", ok + "    volumes: [\"data:/data\"]\n", []string{"compose.yaml:2", "undefined volume data"}},
		{"undefined dependency", ok + "    depends_on: [db]\n", []string{"compose.yaml:2", "undefined service", "db"}},
		{"cycle", "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n", []string{"compose.yaml", "cycle"}},
		{"required variable", "services:\n  web:\n    image: ${NOT_SET_HERE?say which}\n", []string{"compose.yaml", "NOT_SET_HERE", "say which"}},
		{"bad template", "services:\n  web:\n    image: ${a b\n", []string{"compose.yaml", "$$"}},
		{"missing env file", ok + "    env_file: nowhere.env\n", []string{"compose.yaml", "nowhere.env"}},
		{"missing include", "include: [nowhere.yaml]\n" + ok, []string{"compose.yaml", "nowhere.yaml"}},
		{"include cycle", "include: [compose.yaml]\n" + ok, []string{"cycle"}},
		{"too many replicas", ok + "    scale: 1000\n", []string{"compose.yaml:2", "1000", "fewer"}},
		{"alias bomb", bomb(8), []string{"compose.yaml"}},
		{"alias cycle", "services:\n  web: &a\n    image: x\n    x-y: *a\n", []string{"compose.yaml"}},
		{"too big", ok + "    environment: {A: \"" + strings.Repeat("x", state.MaxCompose) + "\"}\n", []string{"compose.yaml", "limit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(project(t, map[string]string{"compose.yaml": c.text}), "compose.yaml")
			_, err := Load(context.Background(), []string{file}, "", nil)
			var p *state.Problem
			if !errors.As(err, &p) || p.Kind != state.Invalid || p.Doing == "" || p.Cause == "" && p.Err == nil || p.Fix == "" {
				t.Fatalf("the error is %#v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error does not say %q: %s", s, state.Clip(err.Error(), 400))
				}
			}
			if len(err.Error()) > 2000 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
			t.Log(strings.ReplaceAll(state.Clip(err.Error(), 300), filepath.Dir(file)+"/", ""))
		})
	}
}

func TestLoadRefusesFiles(t *testing.T) {
	dir := project(t, map[string]string{"compose.yaml": "services: {web: {image: x}}\n"})
	for name, files := range map[string][]string{
		"none": nil, "missing": {filepath.Join(dir, "no.yaml")}, "folder": {dir}, "twice": {filepath.Join(dir, "compose.yaml"), filepath.Join(dir, "compose.yaml")}, "device": {"/dev/zero"},
	} {
		_, err := Load(context.Background(), files, "", nil)
		if state.KindOf(err) != state.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(name, err)
	}
	if _, err := Load(context.Background(), []string{filepath.Join(dir, "compose.yaml")}, "No Name", nil); state.KindOf(err) != state.Invalid {
		t.Errorf("a bad name gives %v", err)
	}
	if _, err := Load(context.Background(), []string{"-"}, "", nil); state.KindOf(err) != state.Invalid {
		t.Errorf("no standard input gives %v", err)
	}
}

func TestLoadResolvesEverything(t *testing.T) {
	t.Setenv("FROM_ENVIRONMENT", "from the environment")
	dir := project(t, map[string]string{
		"compose.yaml": `
include: [more/compose.yaml]
services:
  web:
    extends: {file: base.yaml, service: base}
    image: shop/web:${TAG}
    env_file: [web.env, {path: absent.env, required: false}]
    environment: {A: "${FROM_ENVIRONMENT}", B: "$$plain", C: }
    volumes: ["data:/data", "/etc/localtime:/etc/localtime:ro", {type: bind, source: /srv, target: /srv, bind: {create_host_path: false}}]
    x-note: ours
  debug:
    image: x
    profiles: [debug]
volumes: {data: }
`,
		"over.yaml":         "services:\n  web:\n    labels: {over: \"yes\"}\n    deploy: {update_config: {order: start-first}}\n",
		"base.yaml":         "services:\n  base:\n    stop_signal: SIGINT\n    env_file: base.env\n",
		"base.env":          "BASE=base\n",
		"web.env":           "WEB=web\nA=loses\n",
		".env":              "TAG=7\nC=from dotenv\n",
		"more/compose.yaml": "services:\n  other:\n    image: o:${UNSET_HERE}1\n",
	})
	files := []string{filepath.Join(dir, "compose.yaml"), filepath.Join(dir, "over.yaml")}
	l, err := Load(context.Background(), files, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(string(l.Compose))
	if l.App != "shop" {
		t.Errorf("the app is %q", l.App)
	}
	for _, want := range []string{`"UNSET_HERE"`, "update_config", "debug"} {
		if !slices.ContainsFunc(l.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning says %s: %q", want, l.Warnings)
		}
	}
	for range 20 {
		again, err := Load(context.Background(), files, "", nil)
		if err != nil || !bytes.Equal(again.Compose, l.Compose) {
			t.Fatalf("the same files gave other bytes: %v\n%s", err, again.Compose)
		}
	}
	p, err := Parse(l.Compose)
	if err != nil {
		t.Fatal(err)
	}
	web := p.Services["web"]
	env := map[string]string{}
	for k, v := range web.Environment {
		env[k] = *v
	}
	for k, v := range map[string]string{"A": "from the environment", "B": "$plain", "C": "from dotenv", "BASE": "base", "WEB": "web"} {
		if env[k] != v {
			t.Errorf("%s is %q, not %q", k, env[k], v)
		}
	}
	if web.Image != "shop/web:7" || web.StopSignal != "SIGINT" || web.Labels["over"] != "yes" || len(p.Services) != 2 || p.Services["other"].Image != "o:1" {
		t.Errorf("the project is %+v", p.Services)
	}
	if len(web.Volumes) != 3 || bool(web.Volumes[2].Bind.CreateHostPath) || !bool(web.Volumes[1].Bind.CreateHostPath) {
		t.Errorf("the volumes are %+v", web.Volumes)
	}
	again, err := canonical(p)
	if err != nil || !bytes.Equal(again, l.Compose) {
		t.Errorf("parsed and written again it is %s", again)
	}
}

func TestNamesFollowTheProject(t *testing.T) {
	l, err := Load(context.Background(), []string{"-"}, "shop", strings.NewReader(`
services: {web: {image: x, networks: [a, b, c, default], volumes: ["d:/d", "e:/e", "f:/f"]}}
networks: {a: , b: {name: fixed}, c: {external: true}}
volumes: {d: , e: {name: fixed}, f: {external: true, name: there}}
`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(l.Compose)
	if err != nil {
		t.Fatal(err)
	}
	named := Named(p, "shop-press-7")
	for key, want := range map[string]string{"a": "shop-press-7_a", "b": "fixed", "c": "c", "default": "shop-press-7_default"} {
		if got := named.Networks[key].Name; got != want {
			t.Errorf("network %s is called %s, not %s", key, got, want)
		}
	}
	for key, want := range map[string]string{"d": "shop-press-7_d", "e": "fixed", "f": "there"} {
		if got := named.Volumes[key].Name; got != want {
			t.Errorf("volume %s is called %s, not %s", key, got, want)
		}
	}
	if p.Networks["a"].Name != "" {
		t.Error("naming changed the parsed project")
	}
}

func TestHashIsOfWhatNeedsANewContainer(t *testing.T) {
	hash := func(text string) string {
		l, err := Load(context.Background(), []string{"-"}, "shop", strings.NewReader("services:\n  db: {image: y}\n  web:\n    image: x\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(l.Compose)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ServiceHash(p.Services["web"])
		if err != nil || len(h) != 64 {
			t.Fatal(h, err)
		}
		return h
	}
	base := hash("")
	for _, same := range []string{"    depends_on: [db]\n", "    scale: 3\n", "    pull_policy: always\n", "    deploy: {replicas: 2}\n"} {
		if hash(same) != base && !strings.Contains(same, "deploy") {
			t.Errorf("%q needs a new container", same)
		}
	}
	for _, other := range []string{"    command: x\n", "    environment: {A: b}\n", "    ports: [\"80\"]\n", "    restart: always\n", "    labels: {a: b}\n"} {
		if hash(other) == base {
			t.Errorf("%q does not need a new container", other)
		}
	}
	if hash("    deploy: {replicas: 2}\n") != hash("    deploy: {replicas: 3}\n") {
		t.Error("the number of replicas needs new containers")
	}
}

func TestParseRefuses(t *testing.T) {
	deep := `{"name":"a","services":{"a":{"image":"x","command":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}}`
	for _, text := range []string{
		"", "null", "[]", "{", "1", `{"name":"a"}`, `{"name":"a","services":{}}`, `{"name":"a","services":null}`, `{"name":"a","services":{"a":null}}`,
		`{"name":"A B","services":{"a":{"image":"x"}}}`, `{"services":{"a":{"image":"x"}}}`,
		`{"name":"a","services":{"a":{"image":"x"}}} more`, `{"name":"a","services":{"a":{"image":1}}}`,
		`{"name":"a","include":["/etc/passwd"],"services":{"a":{"image":"x"}}}`,
		`{"name":"a","services":{"a":{"image":"x","env_file":["/etc/passwd"]}}}`,
		`{"name":"a","services":{"a":{"image":"x","label_file":["/etc/passwd"]}}}`,
		`{"name":"a","services":{"a":{"image":"x","extends":{"file":"/etc/passwd","service":"a"}}}}`,
		`{"name":"a","services":{"a":{"image":"x","build":{"context":"/"}}}}`,
		`{"name":"a","services":{"a":{"image":"x","volumes":[{"type":"bind","source":"rel","target":"/x"}]}}}`,
		`{"name":"a","services":{"a":{"image":"x","ulimits":{"nofile":{"soft":1.5,"hard":2}}}}}`,
		`{"name":"a","services":{"a":{"image":"x","depends_on":{"b":{"condition":"service_started","required":true}}}}}`,
		`{"name":"a","services":{"a":{"image":"x","scale":100000}}}`, deep,
		`{"name":"a","services":{"a":{"image":"Bad Image"}}}`,
		`{"name":"a","services":{"a":{"image":"` + strings.Repeat("x", state.MaxCompose) + `"}}}`,
		"name: a\nservices: {a: {image: x}}\n",
	} {
		p, err := Parse([]byte(text))
		if p != nil || state.KindOf(err) != state.Invalid || len(err.Error()) > 1500 {
			t.Errorf("%s: %v, %v", state.Clip(text, 100), p, err)
		}
	}
	// Nothing in an order is a variable.
	p, err := Parse([]byte(`{"name":"a","services":{"a":{"image":"x","environment":{"A":"${HOME}","B":null}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Services["a"].Environment["A"]; v == nil || *v != "${HOME}" {
		t.Errorf("a variable was replaced: %v", v)
	}
}

func FuzzParse(f *testing.F) {
	dir := project(f, map[string]string{"compose.yaml": "services:\n  web:\n    image: x\n    ports: [\"80\"]\n    ulimits: {nofile: {soft: 1, hard: 2}}\n    networks: {a: {aliases: [b]}}\n    volumes: [\"d:/d\"]\n    healthcheck: {test: [CMD, x], interval: 1s}\n    deploy: {resources: {limits: {cpus: \"1\", memory: 1M}}}\nnetworks: {a: }\nvolumes: {d: }\n"})
	l, err := Load(context.Background(), []string{filepath.Join(dir, "compose.yaml")}, "", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(l.Compose)
	f.Add([]byte(`{"name":"a","services":{"a":{"image":"x","extra_hosts":["a:1"],"logging":{"driver":"x"},"gpus":[{"count":1}]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v, %v", p, err)
		}
		if p == nil {
			return
		}
		if _, err := canonical(Named(p, "x")); err != nil {
			t.Logf("read, but not to be written: %v", err)
		}
	})
}

func TestTableCoversEveryKey(t *testing.T) {
	for key, r := range support {
		if r.level == refuses && r.text == "" || r.level == warns && r.text == "" {
			t.Errorf("%s: nothing says why", key)
		}
	}
	if n := len(Keys()); n < 130 {
		t.Errorf("the table has %d keys", n)
	}
}
