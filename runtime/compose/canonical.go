package compose

import (
	"encoding/json"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/opencontainers/go-digest"
)

// canonical writes a loaded project as it travels: names that Compose made are
// left out, because the node decides them; so is all that Load has resolved.
func canonical(p *types.Project) ([]byte, error) {
	for key, n := range p.Networks {
		if !bool(n.External) && n.Name == p.Name+"_"+key {
			n.Name = ""
			p.Networks[key] = n
		}
	}
	for key, v := range p.Volumes {
		if !bool(v.External) && v.Name == p.Name+"_"+key {
			v.Name = ""
			p.Volumes[key] = v
		}
	}
	for name, s := range p.Services {
		s.Profiles, s.EnvFiles, s.LabelFiles, s.Extends = nil, nil, nil, nil
		p.Services[name] = s
	}
	p.Extensions = nil
	b, err := p.MarshalJSON()
	if err != nil {
		return nil, err
	}
	// Compact, with sorted keys at every level, and without the nulls that
	// compose-go writes for an unset command.
	model, err := decode(b)
	if err != nil {
		return nil, err
	}
	return json.Marshal(withoutNulls(model))
}

func withoutNulls(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, e := range t {
			if e == nil && (k == "command" || k == "entrypoint") {
				delete(t, k)
				continue
			}
			t[k] = withoutNulls(e)
		}
	case []any:
		for i := range t {
			t[i] = withoutNulls(t[i])
		}
	}
	return v
}

// Named gives the project the name it has on one engine, and with it the names
// of the networks and volumes that the file did not name.
func Named(p *types.Project, name string) *types.Project {
	named := *p
	named.Name = name
	named.Networks = make(types.Networks, len(p.Networks))
	for key, n := range p.Networks {
		if n.Name == "" {
			n.Name = name + "_" + key
			if n.External {
				n.Name = key
			}
		}
		named.Networks[key] = n
	}
	named.Volumes = make(types.Volumes, len(p.Volumes))
	for key, v := range p.Volumes {
		if v.Name == "" {
			v.Name = name + "_" + key
			if v.External {
				v.Name = key
			}
		}
		named.Volumes[key] = v
	}
	return &named
}

// ServiceHash is docker compose's: of all that needs a new container when it
// changes. It does not depend on the project's name.
func ServiceHash(s types.ServiceConfig) (string, error) {
	s.Build, s.DependsOn, s.Profiles, s.Scale, s.PullPolicy = nil, nil, nil, nil, ""
	if s.Deploy != nil {
		d := *s.Deploy
		d.Replicas = nil
		s.Deploy = &d
	}
	return hashOf(s)
}

// NetworkHash is of all that needs a new network when it changes. Names are
// left out: they are a matter of the engine.
func NetworkHash(n types.NetworkConfig) (string, error) {
	n.Name = ""
	return hashOf(n)
}

func hashOf(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return digest.SHA256.FromBytes(b).Encoded(), nil
}
