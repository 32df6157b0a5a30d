package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// Engine is what this package needs of a container engine. Packages docker
// and simulated implement it. Errors wrap ErrNotFound, ErrConflict or
// ErrUnreachable where one of them is the case.
//
// Every call may be made by many goroutines at once, and ends with its context.
type Engine interface {
	// Info asks the engine who it is: the cheapest proof that it answers.
	Info(ctx context.Context) (EngineInfo, error)
	// Events calls subscribed once nothing can be missed any more, then each
	// for every event, one after the other, until the stream breaks or ctx ends.
	Events(ctx context.Context, subscribed func(), each func(Event)) error

	// Containers lists those with all the labels, running or not. The list
	// may lag behind: Inspect tells the truth.
	Containers(ctx context.Context, labels map[string]string) ([]Container, error)
	Inspect(ctx context.Context, id string) (Container, error)
	Create(ctx context.Context, spec ContainerSpec) (id string, err error)
	Rename(ctx context.Context, id, name string) error
	Start(ctx context.Context, id string) error
	// Stop gives the container its own grace period to end.
	Stop(ctx context.Context, id string) error
	// Remove forces, and with anonymous also removes its anonymous volumes.
	Remove(ctx context.Context, id string, anonymous bool) error
	// Logs gives the last lines that the container printed.
	Logs(ctx context.Context, id string, lines int) ([]string, error)
	// Answers says whether somebody listens behind a published TCP port.
	Answers(ctx context.Context, port Port) error

	Networks(ctx context.Context, labels map[string]string) ([]Network, error)
	Network(ctx context.Context, name string) (Network, error)
	CreateNetwork(ctx context.Context, name string, n types.NetworkConfig, labels map[string]string) error
	RemoveNetwork(ctx context.Context, id string) error

	Volumes(ctx context.Context, labels map[string]string) ([]Volume, error)
	Volume(ctx context.Context, name string) (Volume, error)
	// CreateVolume gives the existing one when there is one: look at its labels.
	CreateVolume(ctx context.Context, name string, v types.VolumeConfig, labels map[string]string) (Volume, error)
	RemoveVolume(ctx context.Context, name string) error

	Image(ctx context.Context, ref string) (Image, error)
	// Pull calls progress whenever anything moves.
	Pull(ctx context.Context, ref, platform string, progress func()) error
}

// The kinds of engine errors that decisions hang on.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("in conflict")
	ErrUnreachable = errors.New("the container engine does not answer")
)

// EngineInfo is who the engine is.
type EngineInfo struct {
	Kind    string    // "docker", "simulated"
	Version string    // "20.10.24"
	Started time.Time // when this run of it began; zero when it can't be told
}

// Event is something that happened to a container, network or volume.
type Event struct {
	Type   string // container, network, volume
	Action string // die, start, kill, destroy, health_status …
	ID     string
	Signal int // of a kill
	Labels map[string]string
}

// Container is a container as the engine has it. From a list, only ID, Name,
// Labels, State, Image and Ports are set.
type Container struct {
	ID           string
	Name         string // without Docker's leading slash
	Image        string // as it was asked for: "shop/web:1"
	ImageID      string
	Labels       map[string]string
	State        string // created, running, restarting, paused, exited, dead, removing
	Health       string // healthy, unhealthy, starting; empty without a check
	HealthLog    string // what the last failed check printed
	ExitCode     int
	OOMKilled    bool
	Error        string // why it could not be started
	RestartCount int    // by the engine's own policy, since it was last started otherwise
	Created      time.Time
	Started      time.Time // of the last run; zero when it never ran
	Finished     time.Time
	Grace        time.Duration     // how long it may take to stop
	Ports        []Port            // published, as bound now
	Networks     map[string]string // name → ID (empty before the first start)
	Anonymous    map[string]string // anonymous volumes: where mounted → name
	Shares       []string          // IDs of containers whose namespaces it uses
}

// Port is one published port: "0.0.0.0:8080 → 80/tcp".
type Port struct {
	HostIP    string
	HostPort  uint16
	Container uint16
	Protocol  string // tcp, udp, sctp
}

// Network is a network as the engine has it.
type Network struct {
	ID, Name string
	Labels   map[string]string
}

// Volume is a volume as the engine has it.
type Volume struct {
	Name    string
	Labels  map[string]string
	Created time.Time
}

// Image is an image as the engine has it.
type Image struct {
	ID      string
	Volumes []string // where the image wants a volume
}

// ContainerSpec says what container to create.
type ContainerSpec struct {
	Name    string
	Project *types.Project      // with its names on this engine
	Service types.ServiceConfig // references to other services resolved to container:ID
	Aliases []string            // on each of its networks, beside the file's own
	Labels  map[string]string
	Inherit map[string]string // anonymous volumes of the container before it: where mounted → name
}
