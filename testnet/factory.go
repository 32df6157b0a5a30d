package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pharos/cmd/pharos/api"
	"pharos/state"
)

// Config says what factory to build. Nodes is required.
type Config struct {
	// Nodes, parents before children; the first one is the root. Tiers makes
	// such a list.
	Nodes []Spec
	// Binary is the pharos program; empty: it is built from this module.
	Binary string
	// Dir is the factory's folder, made when it is not there; empty: a new one
	// for temporary files. Close removes it. It has to be short: the path of a
	// unix socket in it may have 107 bytes.
	Dir string
	// Engine is what `pharos run --engine` gets; empty: DockerEngine.
	Engine string
	// Log gets a line per step, and the end of a node's log when it fails;
	// nil: nowhere.
	Log io.Writer
}

// Spec is one node to be.
type Spec struct {
	Name    state.Name
	Parent  state.Name // empty: the root
	Gateway bool
	Labels  map[string]string
}

// The engines that nodes can run with.
const (
	DockerEngine    = "unix:///var/run/docker.sock"
	SimulatedEngine = "simulated"
)

// Bounds of what a factory waits for. They are generous: machines are busy.
const (
	startWithin = 30 * time.Second // a process, until its API answers
	readyWithin = 60 * time.Second // all nodes, until the root calls them Ready
	apiWithin   = 5 * time.Second
)

// Factory is one running factory.
type Factory struct {
	cfg     Config
	ownDir  string // to be removed: the one made for it
	nodes   map[state.Name]*Node
	order   []*Node // as they were made: the root first
	removed bool
}

// Up builds a factory and returns when its root calls every node Ready. When
// it fails it leaves nothing behind.
func Up(ctx context.Context, cfg Config) (f *Factory, err error) {
	if len(cfg.Nodes) == 0 {
		return nil, errors.New("a factory needs a root: Config.Nodes is empty")
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	if cfg.Engine == "" {
		cfg.Engine = DockerEngine
	}
	f = &Factory{cfg: cfg, nodes: map[state.Name]*Node{}}
	defer func() {
		if err != nil {
			if ctx.Err() == nil { // whoever interrupts knows why
				f.tellLogs()
			}
			// ctx may be what ended it.
			err = errors.Join(err, f.Close(context.WithoutCancel(ctx)))
			f = nil
		}
	}()
	if err := f.folder(); err != nil {
		return f, err
	}
	// Commands may be run from other folders.
	if f.cfg.Binary != "" {
		if f.cfg.Binary, err = filepath.Abs(f.cfg.Binary); err != nil {
			return f, err
		}
	} else {
		f.cfg.Binary = filepath.Join(f.cfg.Dir, "pharos")
		if err := Build(ctx, f.cfg.Binary); err != nil {
			return f, err
		}
	}
	for _, spec := range cfg.Nodes {
		if _, err := f.Add(ctx, spec); err != nil {
			return f, err
		}
	}
	return f, Poll(ctx, "all nodes Ready at the root", readyWithin, f.AllReady)
}

func (f *Factory) folder() (err error) {
	if f.cfg.Dir == "" {
		f.cfg.Dir, err = os.MkdirTemp("", "pharos-")
	} else if f.cfg.Dir, err = filepath.Abs(f.cfg.Dir); err == nil {
		// One that is there already is somebody's.
		err = os.Mkdir(f.cfg.Dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("making the factory's folder: %w", err)
	}
	f.ownDir = f.cfg.Dir
	return nil
}

// Add enrols one more node and starts it. It does not wait for it to be Ready.
func (f *Factory) Add(ctx context.Context, spec Spec) (*Node, error) {
	n, err := f.Enrol(ctx, spec)
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

// Enrol makes a node's data folder without starting it: the first node's with
// `pharos init`, the others' with a token and `pharos join`.
func (f *Factory) Enrol(ctx context.Context, spec Spec) (*Node, error) {
	n, err := f.machine(spec.Name)
	if err != nil {
		return nil, err
	}
	args := []string{"init", "--name", string(spec.Name)}
	if len(f.order) > 0 {
		token, err := f.Token(ctx, spec)
		if err != nil {
			return nil, err
		}
		args = []string{"join", token, "--mdns=false"}
	}
	n.say(args...)
	done := f.command(n, append(args, "-o", "json")...).Run(ctx)
	var cert struct {
		ID state.NodeID `json:"id"`
	}
	if err := done.JSON(&cert); err != nil {
		return nil, fmt.Errorf("enrolling %s: %w", spec.Name, err)
	}
	n.ID = cert.ID
	f.nodes[spec.Name] = n
	f.order = append(f.order, n)
	return n, nil
}

// Token asks the root for a join token.
func (f *Factory) Token(ctx context.Context, spec Spec) (string, error) {
	args := []string{"token", "create", "--name", string(spec.Name)}
	if spec.Parent != "" {
		args = append(args, "--parent", string(spec.Parent))
		// A token brings the addresses of the parent, once the root knows them.
		err := Poll(ctx, fmt.Sprintf("the root knows the address of %s", spec.Parent), readyWithin, func(ctx context.Context) (bool, error) {
			n, err := f.Client(f.Root()).Node(ctx, spec.Parent)
			return err == nil && len(n.Report.Addresses) > 0, err
		})
		if err != nil {
			return "", err
		}
	}
	if spec.Gateway {
		args = append(args, "--gateway")
	}
	for k, v := range spec.Labels {
		args = append(args, "--label", k+"="+v)
	}
	f.Node(f.Root()).say(args...)
	made := f.Pharos(ctx, f.Root(), args...)
	if err := made.Err(); err != nil {
		return "", fmt.Errorf("inviting %s: %w", spec.Name, err)
	}
	return made.Line(), nil
}

// Root is the name of the root anchor.
func (f *Factory) Root() state.Name { return f.cfg.Nodes[0].Name }

// Node is a node of the factory. It panics when there is none of that name: a
// scenario that names one has a slip in it.
func (f *Factory) Node(name state.Name) *Node {
	n, has := f.nodes[name]
	if !has {
		panic(fmt.Sprintf("the factory has no node %q", name)) //nolint:forbidigo // no input: a programmer's slip
	}
	return n
}

// Names gives all nodes, parents first.
func (f *Factory) Names() []state.Name {
	var out []state.Name
	for _, n := range f.order {
		out = append(out, n.Name)
	}
	return out
}

// Dir is the factory's folder.
func (f *Factory) Dir() string { return f.cfg.Dir }

// Client asks a node's daemon without the cost of a process: for waiting and
// measuring. What an operator would do goes through Pharos.
func (f *Factory) Client(name state.Name) *api.Client { return f.Node(name).client }

// AllReady says whether the root calls all nodes Ready.
func (f *Factory) AllReady(ctx context.Context) (bool, error) {
	nodes, err := f.Client(f.Root()).Nodes(ctx)
	if err != nil {
		return false, err
	}
	for _, n := range nodes {
		if n.Readiness != state.Ready {
			return false, fmt.Errorf("%s is %s: %s", n.Name, n.Readiness, n.Reason)
		}
	}
	return len(nodes) == len(f.order), nil
}

// Is gives a condition: the root calls the node that.
func (f *Factory) Is(name state.Name, r state.Readiness) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		n, err := f.Client(f.Root()).Node(ctx, name)
		if err != nil {
			return false, err
		}
		return n.Readiness == r, fmt.Errorf("%s is %s: %s", name, n.Readiness, n.Reason)
	}
}

// Runs gives a condition: the root says that the app is as wanted in this
// revision on exactly these nodes.
func (f *Factory) Runs(app state.Name, revision uint64, on ...state.Name) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		a, err := f.Client(f.Root()).App(ctx, app)
		if err != nil {
			return false, err
		}
		var where []state.Name
		for _, n := range a.On {
			if !n.Done || n.Revision != revision {
				return false, fmt.Errorf("%s is %s in revision %d on %s: %s", app, n.State, n.Revision, n.Node, n.Reason)
			}
			where = append(where, n.Node)
		}
		slices.Sort(on)
		return slices.Equal(where, on), fmt.Errorf("%s is on %v", app, where)
	}
}

// HowToTalk says, in lines for a shell, how to give the factory's root commands.
func (f *Factory) HowToTalk() string {
	return fmt.Sprintf("export PHAROS_HOST=%s\nexport PATH=%s:$PATH\npharos tree\n", f.Node(f.Root()).Host(), filepath.Dir(f.cfg.Binary))
}

func (f *Factory) note(format string, args ...any) {
	fmt.Fprintf(f.cfg.Log, format+"\n", args...)
}
