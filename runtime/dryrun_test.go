package runtime_test

import (
	"strings"
	"testing"

	"pharos/runtime"
	"pharos/state"
)

// printed is a plan as people see it.
func printed(t *testing.T, b []byte, w state.Want, r *state.AppReport) string {
	t.Helper()
	p, err := runtime.PlanFrom(b, "shop", w, r)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range p.Actions {
		lines = append(lines, a.String())
	}
	return strings.Join(lines, "\n")
}

// reported is what a node says of the shop once it runs.
func reported(t *testing.T, b []byte, project string) *state.AppReport {
	t.Helper()
	hashes, err := runtime.Hashes(b)
	if err != nil {
		t.Fatal(err)
	}
	r := &state.AppReport{App: "shop", Revision: 1, State: state.AppReady, Networks: []string{"default"}, Volumes: []string{"data"}}
	for _, c := range []state.Container{
		{Service: "db", State: "running", Health: "healthy"}, {Service: "init", State: "exited"}, {Service: "web", State: "running"},
	} {
		c.Name, c.ID, c.Image, c.Hash = project+"-"+c.Service+"-1", c.Service+"0123456789abcdef", "specimen:1", hashes[c.Service]
		r.Containers = append(r.Containers, c)
	}
	return r
}

func TestPlans(t *testing.T) {
	one := load(t, "shop", shop)
	web := load(t, "shop", strings.Replace(shop, "ports: [\"8080:80\"]", "ports: [\"8081:80\"]", 1))
	newer := load(t, "shop", strings.ReplaceAll(shop, "specimen:1", "specimen:2"))
	two := load(t, "shop", strings.Replace(shop, "command: serve --port 80\n    ports: [\"8080:80\"]", "command: serve --port 80\n    ports: [\"80\"]\n    scale: 2", 1))
	less := load(t, "shop", "services:\n  db:\n    image: specimen:1\n    command: serve --port 80\n    healthcheck: {test: [CMD, /specimen, health], interval: 1s}\n    volumes: [\"data:/data\"]\nvolumes: {data: }\n")
	died := reported(t, one, "shop")
	died.Containers[2].State, died.Containers[2].ExitCode = "exited", 137
	missing := reported(t, one, "shop")
	missing.Containers[0].State = "missing"
	for _, c := range []struct {
		name   string
		bytes  []byte
		want   state.Want
		report *state.AppReport
		plan   string
	}{
		{"nothing there", one, state.Run, nil, `
pull image specimen:1 (unless the node has it)
create network shop_default (the app has none)
create volume shop_data (the app has none)
create container shop-db-1 (service db has none)
start container shop-db-1 (service db has none)
create container shop-init-1 (service init has none)
start container shop-init-1 (service init has none)
create container shop-web-1 (service web has none)
start container shop-web-1 (service web has none)`},
		{"all there", one, state.Run, reported(t, one, "shop"), ``},
		{"all there under a project of the node's", one, state.Run, reported(t, one, "shop-press-7"), ``},
		{"one service changed", web, state.Run, reported(t, one, "shop-press-7"), `
replace container shop-press-7-web-1 (its configuration changed)
start container shop-press-7-web-1 (it was replaced)`},
		{"a new image", newer, state.Run, reported(t, one, "shop"), `
pull image specimen:2 (unless the node has it)
replace container shop-db-1 (its configuration changed)
start container shop-db-1 (it was replaced)
replace container shop-init-1 (its configuration changed)
start container shop-init-1 (it was replaced)
replace container shop-web-1 (its configuration changed)
start container shop-web-1 (it was replaced)`},
		{"scaled up", two, state.Run, reported(t, one, "shop"), `
replace container shop-web-1 (its configuration changed)
start container shop-web-1 (it was replaced)
create container shop-web-2 (service web has none)
start container shop-web-2 (service web has none)`},
		{"services dropped", less, state.Run, reported(t, one, "shop"), `
remove container shop-init-1 (service init is no longer in the file)
stop container shop-web-1 (service web is no longer in the file)
remove container shop-web-1 (service web is no longer in the file)`},
		{"one died", one, state.Run, died, `
start container shop-web-1 (it ended with exit code 137)`},
		{"one missing", one, state.Run, missing, `
create container shop-db-1 (service db has none)
start container shop-db-1 (service db has none)`},
		{"stop", one, state.Stopped, reported(t, one, "shop"), `
stop container shop-db-1 (it was ordered to stop)
stop container shop-web-1 (it was ordered to stop)`},
		{"gone", nil, state.Gone, reported(t, one, "shop"), `
remove network shop_default (it was ordered to go)
stop container shop-db-1 (it was ordered to go)
remove container shop-db-1 (it was ordered to go)
remove container shop-init-1 (it was ordered to go)
stop container shop-web-1 (it was ordered to go)
remove container shop-web-1 (it was ordered to go)`},
		{"gone, nothing there", nil, state.Gone, nil, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printed(t, c.bytes, c.want, c.report); got != strings.TrimSpace(c.plan) {
				t.Errorf("the plan is\n%s\nwant\n%s", got, c.plan)
			}
		})
	}
	if _, err := runtime.PlanFrom([]byte("{"), "shop", state.Run, nil); state.KindOf(err) != state.Invalid {
		t.Errorf("broken bytes give %v", err)
	}
	if _, err := runtime.PlanFrom(one, "shop", "sideways", nil); state.KindOf(err) != state.Invalid {
		t.Errorf("an unknown want gives %v", err)
	}
}
