package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/paths"
	"github.com/compose-spec/compose-go/v2/types"

	"pharos/state"
)

// Loaded is a Compose project as it travels in an order.
type Loaded struct {
	App      state.Name
	Compose  []byte   // canonical JSON; the same files give the same bytes
	Warnings []string // unset variables, ignored keys, services left out
}

// Load reads Compose files as an operator gives them, each overriding the one
// before; "-" is stdin. name is the app's; when empty, the environment's
// COMPOSE_PROJECT_NAME, the file's own `name:` or the folder's name, in this
// order. Every error is a state.Problem.
func Load(ctx context.Context, files []string, name string, stdin io.Reader) (Loaded, error) {
	sources, folder, err := read(files, stdin)
	if err != nil {
		return Loaded{}, err
	}
	var out Loaded
	warnings, err := listen(func() error {
		out, err = load(ctx, sources, folder, name)
		return err
	})
	if err != nil {
		return Loaded{}, err
	}
	out.Warnings = append(warnings, out.Warnings...)
	// The node must be able to read what was just written.
	if _, err := Parse(out.Compose); err != nil {
		return Loaded{}, problem(sources, err)
	}
	return out, nil
}

func load(ctx context.Context, sources []source, folder, name string) (Loaded, error) {
	env, err := environment(folder)
	if err != nil {
		return Loaded{}, problem(sources, err)
	}
	if name == "" {
		name = env["COMPOSE_PROJECT_NAME"]
	}
	if name != "" {
		if _, err := state.ParseName("app", name); err != nil {
			return Loaded{}, err
		}
	}
	details := types.ConfigDetails{WorkingDir: folder, Environment: env}
	for _, s := range sources {
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: cmpOr(s.path, filepath.Join(folder, "-")), Content: s.bytes})
	}
	profiles := strings.FieldsFunc(env["COMPOSE_PROFILES"], func(r rune) bool { return r == ',' || r == ' ' })
	options := []func(*loader.Options){
		loader.WithDiscardEnvFiles,
		loader.WithProfiles(profiles),
		func(o *loader.Options) {
			o.ResolvePaths = false // relative paths must stay visible, to be refused
			o.SetProjectName(cmpOr(name, folderName(folder)), name != "")
		},
	}
	model, err := loader.LoadModelWithContext(ctx, details, options...)
	if err != nil {
		return Loaded{}, problem(sources, err)
	}
	bad, warn := check(model, false)
	bad = append(append(bad, checkBinds(model)...), checkValues(model)...)
	if len(bad) > 0 {
		return Loaded{}, refusal(sources, bad)
	}
	// What is still relative now are env files and label files, which Load reads.
	if err := paths.ResolveRelativePaths(model, folder, nil); err != nil {
		return Loaded{}, problem(sources, err)
	}
	app, _ := model["name"].(string)
	if _, err := state.ParseName("app", app); err != nil {
		return Loaded{}, state.Because(state.Invalid, "reading "+sources[0].name, err, "name the app: --name APP")
	}
	opts := loader.ToOptions(&details, append(options, func(o *loader.Options) { o.SetProjectName(app, true) }))
	project, err := loader.ModelToProject(model, opts, details)
	if err != nil {
		return Loaded{}, problem(sources, err)
	}
	if len(project.Services) == 0 {
		return Loaded{}, &state.Problem{
			Kind: state.Invalid, Doing: "reading " + sources[0].name, Cause: "it has no service to run",
			Fix: "declare one under `services:`, or activate a profile: COMPOSE_PROFILES=NAME",
		}
	}
	if err := checkServices(project); err != nil {
		return Loaded{}, problem(sources, err)
	}
	out := Loaded{App: state.Name(app)}
	for _, f := range warn {
		out.Warnings = append(out.Warnings, locate(sources, f.path)+": "+f.where()+": "+f.why)
	}
	for _, s := range project.DisabledServiceNames() {
		out.Warnings = append(out.Warnings, fmt.Sprintf("service %s is left out: none of its profiles (%s) is active; COMPOSE_PROFILES activates them",
			s, strings.Join(project.DisabledServices[s].Profiles, ", ")))
	}
	if out.Compose, err = canonical(project); err != nil {
		return Loaded{}, problem(sources, err)
	}
	if len(out.Compose) > state.MaxCompose {
		return Loaded{}, tooBig("the project with everything it includes", len(out.Compose))
	}
	return out, nil
}

// environment is what variables are replaced from: the process's own, before
// the .env file beside the first Compose file.
func environment(folder string) (types.Mapping, error) {
	own := types.NewMapping(os.Environ())
	file := filepath.Join(folder, ".env")
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return own, nil //nolint:nilerr // most projects have no .env file
	}
	fromFile, err := dotenv.GetEnvFromFile(own, []string{file})
	if err != nil {
		return nil, err
	}
	return own.Merge(fromFile), nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9_-]+`)

// folderName makes a folder's name a valid app name, as docker compose does.
func folderName(folder string) string {
	s := notInNames.ReplaceAllString(strings.ToLower(filepath.Base(folder)), "")
	return strings.TrimLeft(s, "_-")
}

// refusal is the problem of the first finding, naming all others.
func refusal(sources []source, bad []finding) error {
	slices.SortStableFunc(bad, func(a, b finding) int { return slices.Compare(a.path, b.path) })
	p := &state.Problem{
		Kind: state.Invalid, Doing: "reading " + locate(sources, bad[0].path),
		Cause: bad[0].where() + ": " + bad[0].why, Fix: bad[0].fix,
	}
	if n := len(bad) - 1; n > 0 {
		var others []string
		for _, f := range bad[1:min(len(bad), 6)] {
			others = append(others, f.where())
		}
		p.Fix += fmt.Sprintf(" (and %d more: %s)", n, strings.Join(others, "; "))
	}
	return p
}

func tooBig(what string, n int) error {
	return &state.Problem{
		Kind: state.Invalid, Doing: "reading " + what,
		Cause: fmt.Sprintf("it is %d bytes long, over the limit of %d", n, state.MaxCompose),
		Fix:   "move data into an image, a volume or a file on the node",
	}
}

var (
	quotedService = regexp.MustCompile(`service "([^"]+)"|services\.([A-Za-z0-9._-]+)`)
	yamlLine      = regexp.MustCompile(`line (\d+)`)
)

// problem makes an error of compose-go one that people can act on: with the
// file, with the line where the error or the file gives one.
func problem(sources []source, err error) error {
	var known *state.Problem
	if errors.As(err, &known) {
		return err
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.ReplaceAll(text, " false schema", ": this key is not known")
	where := sources[0].name
	for _, s := range sources {
		if s.path != "" && strings.Contains(text, s.path) {
			where = s.name
			text = strings.NewReplacer("failed to parse "+s.path+": ", "", "validating "+s.path+": ", "", s.path, s.name).Replace(text)
		}
	}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		where += ":" + m[1]
	} else if m := quotedService.FindStringSubmatch(text); m != nil {
		where = locate(sources, strings.Split("services."+m[1]+m[2], "."))
	}
	return &state.Problem{Kind: state.Invalid, Doing: "reading " + where, Cause: state.Clip(text, 600), Fix: fixFor(text), Err: err}
}

// fixFor says what to do about the errors of compose-go that people meet most.
func fixFor(text string) string {
	for _, f := range []struct{ has, fix string }{
		{"undefined network", "declare it under the top-level `networks:`"},
		{"undefined volume", "declare it under the top-level `volumes:`"},
		{"depends on undefined service", "declare that service, or remove it from `depends_on`"},
		{"dependency cycle", "break the circle of `depends_on`"},
		{"include cycle", "break the circle of `include`"},
		{"Circular reference", "break the circle of `extends`"},
		{"invalid reference format", "write it like registry/repository:tag, the repository in lower case"},
		{"neither an image nor", "name an image: `image: repository:tag`"},
		{"this key is not known", "check its spelling and its indentation, or remove it"},
		{"replicas are over", "ask for fewer"},
		{"additional propert", "check its spelling, or remove it"},
		{"node visit limit", "write out what the YAML aliases repeat"},
		{"alias", "write out what the YAML aliases repeat"},
		{"required variable", "set the variable, or write it into .env beside the file"},
		{"Invalid template", "write a lone $ as $$"},
		{"invalid interpolation", "write a lone $ as $$"},
		{"empty compose file", "declare services under `services:`"},
		{"env file", "create that file, or mark it `required: false`"},
	} {
		if strings.Contains(text, f.has) {
			return f.fix
		}
	}
	return "correct the file; `docker compose config` reads it in the same way"
}
