package compose

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pharos/state"
)

// finding is a place in a file that the table, or a rule of ours, objects to.
type finding struct {
	path []string // services, web, build
	why  string   // "`build` is not supported"
	fix  string   // what to do; empty for a warning
}

// where names the place as people write it: "service web, key deploy.mode".
func (f finding) where() string {
	if len(f.path) >= 2 && (f.path[0] == "services" || f.path[0] == "networks" || f.path[0] == "volumes") {
		thing := strings.TrimSuffix(f.path[0], "s") + " " + clipName(f.path[1])
		if len(f.path) == 2 {
			return thing
		}
		return thing + ", key " + clipName(strings.Join(f.path[2:], "."))
	}
	return "key " + clipName(strings.Join(f.path, "."))
}

func clipName(s string) string { return state.Clip(s, 120) }

// check walks a model and gives what must be refused and what must be warned
// about, both in a stable order. inOrder is for the bytes of an order, where
// keys that Load resolves have no place.
func check(model map[string]any, inOrder bool) (bad, warn []finding) {
	walk(model, nil, nil, func(path, pattern []string) bool {
		key := path[len(path)-1]
		if strings.HasPrefix(key, "x-") {
			return false
		}
		r, known := support[strings.Join(pattern, ".")]
		switch {
		case !known:
			bad = append(bad, finding{path, "this key is not known here", "remove it"})
		case inOrder && r.onlyAtLoad():
			bad = append(bad, finding{path, "an order can't have it", "deploy with pharos, which resolves it"})
		case r.level == warns:
			warn = append(warn, finding{path, "it is ignored: " + r.text, ""})
		case r.level == refuses:
			bad = append(bad, finding{path, "it is not supported", r.text})
		}
		return r.level == descend
	})
	return bad, warn
}

// walk visits every key of a model, depth first and sorted. Names under
// services, networks and volumes, and indexes, are "*" in the pattern.
func walk(v any, path, pattern []string, visit func(path, pattern []string) bool) {
	named := false
	switch p := strings.Join(pattern, "."); p {
	case "services", "networks", "volumes", "services.*.depends_on", "services.*.networks":
		named = true
	}
	step := func(key, in string, below any) {
		pa, pt := append(slices.Clip(path), key), append(slices.Clip(pattern), in)
		if visit(pa, pt) {
			walk(below, pa, pt, visit)
		}
	}
	switch t := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(t)) {
			if t[k] == nil && !named {
				continue
			}
			in := k
			if named {
				in = "*"
			}
			step(k, in, t[k])
		}
	case []any:
		for i, e := range t {
			pa, pt := append(slices.Clip(path), strconv.Itoa(i)), append(slices.Clip(pattern), "*")
			walk(e, pa, pt, visit)
		}
	}
}

// checkBinds refuses bind mounts whose source is not an absolute path: the
// folder it is relative to is the operator's, and no node has it.
func checkBinds(model map[string]any) (bad []finding) {
	services, _ := model["services"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		service, _ := services[name].(map[string]any)
		mounts, _ := service["volumes"].([]any)
		for i, m := range mounts {
			mount, _ := m.(map[string]any)
			source, _ := mount["source"].(string)
			if mount["type"] != "bind" || strings.HasPrefix(source, "/") {
				continue
			}
			bad = append(bad, finding{
				path: []string{"services", name, "volumes", strconv.Itoa(i)},
				why:  fmt.Sprintf("the bind mount's source %q is relative to the folder of the Compose file, which is not on the node", clipName(source)),
				fix:  "give the absolute path of a folder on the node, or use a named volume",
			})
		}
	}
	volumes, _ := model["volumes"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		volume, _ := volumes[name].(map[string]any)
		opts, _ := volume["driver_opts"].(map[string]any)
		device, _ := opts["device"].(string)
		if o, _ := opts["o"].(string); o == "bind" && !strings.HasPrefix(device, "/") {
			bad = append(bad, finding{
				path: []string{"volumes", name, "driver_opts"},
				why:  fmt.Sprintf("its device %q is relative to the folder of the Compose file, which is not on the node", clipName(device)),
				fix:  "give the absolute path of a folder on the node",
			})
		}
	}
	return bad
}

// checkValues refuses values that compose-go accepts and Docker does not, or
// that mean something on the operator's machine only.
func checkValues(model map[string]any) (bad []finding) {
	services, _ := model["services"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		service, _ := services[name].(map[string]any)
		opts, _ := service["security_opt"].([]any)
		for i, o := range opts {
			opt, _ := o.(string)
			opt = strings.Replace(opt, ":", "=", 1)
			if v, found := strings.CutPrefix(opt, "seccomp="); found && v != "unconfined" && v != "builtin" {
				bad = append(bad, finding{
					path: []string{"services", name, "security_opt", strconv.Itoa(i)},
					why:  "the seccomp profile is a file on the operator's machine, which is not on the node",
					fix:  "use seccomp:unconfined or the engine's own profile",
				})
			}
		}
		switch policy, _ := service["pull_policy"].(string); policy {
		case "", "always", "never", "missing", "if_not_present":
		default:
			bad = append(bad, finding{
				path: []string{"services", name, "pull_policy"},
				why:  fmt.Sprintf("%q is not supported", clipName(policy)),
				fix:  "use always, missing or never",
			})
		}
	}
	return bad
}
