package testnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// EngineAnswers says whether a Docker Engine answers at the address,
// "unix:///var/run/docker.sock"; the error says why not.
func EngineAnswers(ctx context.Context, engine string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	path, unix := strings.CutPrefix(engine, "unix://")
	if !unix {
		return fmt.Errorf("%q is no unix socket", engine)
	}
	var dialer net.Dialer
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) },
	}}
	defer client.CloseIdleConnections()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := client.Do(ask)
	if err != nil {
		return fmt.Errorf("no Docker Engine answers at %s: %w", engine, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the Docker Engine at %s is not well: %s", engine, answer.Status)
	}
	return nil
}

// Docker runs the docker command line against the factory's engine and gives
// the words it prints. It is for looking on from outside, and for the clean-up
// of last resort; only package runtime/docker speaks the engine's API.
func (f *Factory) Docker(ctx context.Context, args ...string) ([]string, error) {
	out, err := f.docker(ctx, args...)
	return strings.Fields(out), err
}

func (f *Factory) docker(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"--host", f.cfg.Engine}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

// Inspected is what is of interest in a container, as Docker has it.
type Inspected struct {
	ID           string
	Name         string
	RestartCount int
	State        struct {
		Running   bool
		Pid       int
		StartedAt time.Time
		Health    *struct{ Status string }
	}
	Config struct {
		Image  string
		Labels map[string]string
		Env    []string
	}
}

// Inspect asks Docker about containers, by ID or name.
func (f *Factory) Inspect(ctx context.Context, containers ...string) ([]Inspected, error) {
	said, err := f.docker(ctx, append([]string{"container", "inspect", "--format", "{{json .}}"}, containers...)...)
	if err != nil {
		return nil, err
	}
	var out []Inspected
	for d := json.NewDecoder(strings.NewReader(said)); d.More(); {
		var one Inspected
		if err := d.Decode(&one); err != nil {
			return nil, fmt.Errorf("reading docker inspect: %w", err)
		}
		out = append(out, one)
	}
	return out, nil
}

// KillContainer kills the container's process with -9, as a crash or the
// kernel's out-of-memory killer would. (`docker kill` is another thing: after
// it Docker does not restart the container, whatever its policy.)
func (f *Factory) KillContainer(ctx context.Context, c Inspected) error {
	if !c.State.Running || c.State.Pid <= 1 {
		return fmt.Errorf("killing the process of container %s: it does not run", c.Name)
	}
	err := syscall.Kill(c.State.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.EPERM) {
		// Not root: the engine has to do it.
		_, err = f.Docker(ctx, "kill", "--signal", "KILL", c.ID)
	}
	if err != nil {
		return fmt.Errorf("killing the process of container %s: %w", c.Name, err)
	}
	return nil
}
