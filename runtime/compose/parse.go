package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"

	"pharos/state"
)

// maxDepth is how deep the JSON of an order may nest. Compose needs about ten.
const maxDepth = 64

// Parse reads the bytes of an order. It touches no file and no environment and
// replaces no variable. Names of networks and volumes that the file left to
// Compose are empty: Named fills them. Whatever the bytes are, it gives a
// project or a state.Problem.
func Parse(b []byte) (project *types.Project, err error) {
	bad := func(cause string, err error) (*types.Project, error) {
		return nil, &state.Problem{
			Kind: state.Invalid, Doing: "reading the Compose project of an order", Cause: state.Clip(cause, 600),
			Fix: "deploy the app again with a pharos of this node's version", Err: err,
		}
	}
	// compose-go asserts types after its schema was checked. Should a document
	// slip through the schema, the order is bad, and the node must live on.
	defer func() {
		if r := recover(); r != nil {
			project, err = bad(fmt.Sprintf("compose-go can't read it: %v", r), nil)
		}
	}()
	if len(b) > state.MaxCompose {
		return bad(fmt.Sprintf("it is %d bytes long, over the limit of %d", len(b), state.MaxCompose), nil)
	}
	model, err := decode(b)
	if err != nil {
		return bad(err.Error(), err)
	}
	name, _ := model["name"].(string)
	if _, err := state.ParseName("app", name); err != nil {
		return bad(err.Error(), err)
	}
	if findings, _ := check(model, true); len(findings) > 0 {
		return bad(findings[0].where()+": "+findings[0].why, nil)
	}
	if findings := append(checkBinds(model), checkValues(model)...); len(findings) > 0 {
		return bad(findings[0].where()+": "+findings[0].why, nil)
	}
	details := types.ConfigDetails{
		WorkingDir:  "/",
		ConfigFiles: []types.ConfigFile{{Filename: "the order", Config: model}},
		Environment: types.Mapping{},
	}
	_, err = listen(func() error {
		project, err = loader.LoadWithContext(context.Background(), details, func(o *loader.Options) {
			o.SkipInterpolation, o.SkipNormalization = true, true
			o.SkipInclude, o.SkipExtends = true, true
			o.SkipResolveEnvironment, o.SkipResolveLabels = true, true
			o.ResolvePaths = false
			o.SetProjectName(name, true)
		})
		return err
	})
	if err != nil {
		return bad(strings.Join(strings.Fields(err.Error()), " "), err)
	}
	if len(project.Services) == 0 {
		return bad("it has no service", nil)
	}
	if err := checkServices(project); err != nil {
		return bad(err.Error(), err)
	}
	return project, nil
}

// decode reads JSON, with whole numbers as int, as compose-go has them.
func decode(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var model map[string]any
	if err := d.Decode(&model); err != nil {
		return nil, fmt.Errorf("it is no JSON object: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows its JSON object")
	}
	v, err := plain(model, 0)
	if err != nil {
		return nil, err
	}
	model, _ = v.(map[string]any)
	if model == nil {
		return nil, fmt.Errorf("it is no JSON object")
	}
	return model, nil
}

func plain(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	var err error
	switch t := v.(type) {
	case map[string]any:
		for k, e := range t {
			if t[k], err = plain(e, depth+1); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range t {
			if t[i], err = plain(e, depth+1); err != nil {
				return nil, err
			}
		}
	case json.Number:
		if i, err := t.Int64(); err == nil && i >= math.MinInt && i <= math.MaxInt {
			return int(i), nil
		}
		f, err := t.Float64()
		if err != nil {
			return nil, fmt.Errorf("the number %s is too large", state.Clip(t.String(), 40))
		}
		return f, nil
	}
	return v, nil
}

// MaxReplicas is how many containers of one service a node runs at most.
const MaxReplicas = 100

// checkServices refuses what would break names or the node.
func checkServices(p *types.Project) error {
	for name, s := range p.Services {
		if n := s.GetScale(); n > MaxReplicas {
			return fmt.Errorf("service %q: %d replicas are over the limit of %d", clipName(name), n, MaxReplicas)
		}
		if len(name) > 100 || len(s.ContainerName) > 200 {
			return fmt.Errorf("service %q: its name or container_name is too long", clipName(name))
		}
		if _, err := reference.ParseAnyReference(s.Image); err != nil {
			return fmt.Errorf("service %q: image %q: %w", clipName(name), clipName(s.Image), err)
		}
	}
	return nil
}
