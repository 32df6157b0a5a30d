package runtime

import (
	"strings"
	"time"

	"pharos/runtime/compose"
	"pharos/state"
)

// PlanFrom says what an order would do on a node, from what the node last
// reported of the app (nil: nothing of it is there). It asks nobody. Which
// images the node has is not in a report, so pulls are planned for every image
// that no container of the app uses, "unless the node has it". The caller
// fills in the plan's Node.
func PlanFrom(b []byte, app state.Name, w state.Want, reported *state.AppReport) (state.Plan, error) {
	if !w.Valid() {
		return state.Plan{}, &state.Problem{Kind: state.Invalid, Doing: "planning app " + string(app), Cause: "nobody knows how to want " + state.Clip(string(w), 40)}
	}
	p := &planning{app: app, mem: newMemory(), busy: map[string]bool{}, dry: true, seen: observed{at: time.Now(), images: map[string]Image{}}}
	project := string(app)
	if reported != nil {
		project = projectIn(*reported, project)
		p.seen.take(*reported, project)
	}
	if w != state.Run {
		return state.Plan{Actions: actions(p.planDown(w))}, nil
	}
	parsed, err := compose.Parse(b)
	if err != nil {
		return state.Plan{}, err
	}
	if p.want, err = wanted(parsed, project); err != nil {
		return state.Plan{}, err
	}
	p.know(reported)
	return state.Plan{Actions: actions(p.planRun())}, nil
}

// projectIn finds the project's name on the node's engine in the names of its
// containers: "shop-press-7-web-1" of service web is of project shop-press-7.
func projectIn(r state.AppReport, otherwise string) string {
	for _, c := range r.Containers {
		head, number, found := cutLast(c.Name, "-")
		if project, ok := strings.CutSuffix(head, "-"+c.Service); found && ok && project != "" && strings.Trim(number, "0123456789") == "" {
			return project
		}
	}
	return otherwise
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// take turns a report back into what was observed, as far as it goes.
func (seen *observed) take(r state.AppReport, project string) {
	for _, c := range r.Containers {
		if c.State == "missing" {
			continue
		}
		_, number, _ := cutLast(c.Name, "-")
		if number == "" || strings.Trim(number, "0123456789") != "" || !strings.HasPrefix(c.Name, project+"-") {
			number = "1" // a container_name of the file's own
		}
		out := Container{
			ID: c.ID, Name: c.Name, Image: c.Image, State: c.State, Health: c.Health, ExitCode: int(c.ExitCode),
			Labels: map[string]string{labelService: c.Service, labelNumber: number, labelHash: c.Hash},
		}
		if c.State != "created" {
			out.Started = seen.at
		}
		seen.containers = append(seen.containers, out)
	}
	for _, key := range r.Networks {
		seen.networks = append(seen.networks, Network{Name: project + "_" + key, Labels: map[string]string{labelNetwork: key}})
	}
	for _, key := range r.Volumes {
		seen.volumes = append(seen.volumes, Volume{Name: project + "_" + key, Labels: map[string]string{labelVolume: key}})
	}
}

// know supposes what a report does not say: networks that are there are as
// wanted, external ones are there, and images of containers are there.
func (p *planning) know(r *state.AppReport) {
	for i, n := range p.seen.networks {
		key := n.Labels[labelNetwork]
		p.seen.networks[i].Labels[labelHash] = p.want.hashes[key]
		if c, ok := p.want.project.Networks[key]; ok {
			p.seen.networks[i].Name = c.Name
		}
	}
	p.seen.named, p.seen.namedVols = map[string]Network{}, map[string]Volume{}
	for _, n := range p.want.project.Networks {
		if n.External {
			p.seen.named[n.Name] = Network{Name: n.Name}
		}
	}
	for _, v := range p.want.project.Volumes {
		if v.External {
			p.seen.namedVols[v.Name] = Volume{Name: v.Name}
		}
	}
	if r == nil {
		return
	}
	for _, c := range r.Containers {
		if c.State != "missing" {
			p.seen.images[c.Image] = Image{}
		}
	}
}
