// Package docker is the Docker Engine behind runtime.Engine: the only package
// that imports the Docker client. It negotiates the API version and talks to
// engines from 20.10 on.
//
// It translates and decides nothing: a service of a Compose project becomes
// what docker compose makes of it (create.go), an answer becomes the small
// types of package runtime. Import puts an image into the engine from a tar
// stream, for tests, demos and machines without a registry.
package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"pharos/runtime"
	"pharos/state"
)

// DefaultHost is where a Docker Engine listens.
const DefaultHost = "unix:///var/run/docker.sock"

// Engine implements runtime.Engine.
type Engine struct {
	c   *client.Client
	log *slog.Logger
}

// New makes a client of the engine at host, "unix:///var/run/docker.sock". It
// does not ask whether one is there: Info does. A log that is nil is nobody's.
func New(host string, log *slog.Logger) (*Engine, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, state.Because(state.Invalid, "using the container engine at "+state.Clip(host, 200), err, "name its socket, like "+DefaultHost)
	}
	return &Engine{c: c, log: log}, nil
}

// Close closes idle connections.
func (e *Engine) Close() error { return e.c.Close() }

// Info implements runtime.Engine. The engine does not say when it started; but
// it makes its default bridge anew each time.
func (e *Engine) Info(ctx context.Context) (runtime.EngineInfo, error) {
	v, err := e.c.ServerVersion(ctx)
	if err != nil {
		return runtime.EngineInfo{}, translate(err)
	}
	info := runtime.EngineInfo{Kind: "docker", Version: v.Version}
	bridge, err := e.c.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	switch {
	case err == nil:
		info.Started = bridge.Created
	case !cerrdefs.IsNotFound(err):
		return info, translate(err)
	}
	return info, nil
}

// Events implements runtime.Engine.
func (e *Engine) Events(ctx context.Context, subscribed func(), each func(runtime.Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := filters.NewArgs()
	for _, t := range []events.Type{events.ContainerEventType, events.NetworkEventType, events.VolumeEventType} {
		args.Add("type", string(t))
	}
	for _, a := range []events.Action{
		events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionKill, events.ActionStop, events.ActionOOM,
		events.ActionDestroy, events.ActionHealthStatus, events.ActionPause, events.ActionUnPause, events.ActionRename, events.ActionUpdate,
	} {
		args.Add("event", string(a))
	}
	messages, errs := e.c.Events(ctx, events.ListOptions{Filters: args})
	select {
	case err := <-errs:
		return translate(err)
	default:
		subscribed()
	}
	for {
		select {
		case err := <-errs:
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w: its stream of events ended", runtime.ErrUnreachable)
			}
			return translate(err)
		case m := <-messages:
			if m.Type != events.ContainerEventType && m.Action != events.ActionDestroy {
				continue
			}
			signal, _ := strconv.Atoi(m.Actor.Attributes["signal"])
			each(runtime.Event{Type: string(m.Type), Action: string(m.Action), ID: m.Actor.ID, Signal: signal, Labels: m.Actor.Attributes})
		}
	}
}

// translate gives the client's errors the kinds that package runtime knows.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case cerrdefs.IsNotFound(err):
		return fmt.Errorf("%w (%w)", clean(err), runtime.ErrNotFound)
	case cerrdefs.IsConflict(err):
		return fmt.Errorf("%w (%w)", clean(err), runtime.ErrConflict)
	case client.IsErrConnectionFailed(err), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", runtime.ErrUnreachable, clean(err))
	}
	return clean(err)
}

// said is an error without the client's and runc's noise around what matters.
type said struct {
	text string
	err  error
}

func (s said) Error() string { return s.text }
func (s said) Unwrap() error { return s.err }

func clean(err error) error {
	text := err.Error()
	for _, noise := range []string{"Error response from daemon: ", "driver failed programming external connectivity on endpoint "} {
		text = strings.ReplaceAll(text, noise, "")
	}
	return said{text, err}
}

func labelFilter(labels map[string]string) filters.Args {
	args := filters.NewArgs()
	for k, v := range labels {
		args.Add("label", k+"="+v)
	}
	return args
}

// parseTime reads the engine's times; its "0001-01-01" is zero.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

var _ runtime.Engine = (*Engine)(nil)
