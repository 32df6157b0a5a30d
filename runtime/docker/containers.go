package docker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/pkg/stdcopy"

	"pharos/runtime"
)

// Containers implements runtime.Engine.
func (e *Engine) Containers(ctx context.Context, labels map[string]string) ([]runtime.Container, error) {
	list, err := e.c.ContainerList(ctx, container.ListOptions{All: true, Filters: labelFilter(labels)})
	if err != nil {
		return nil, translate(err)
	}
	out := make([]runtime.Container, len(list))
	for i, s := range list {
		out[i] = runtime.Container{ID: s.ID, Image: s.Image, ImageID: s.ImageID, Labels: s.Labels, State: s.State}
		if len(s.Names) > 0 {
			out[i].Name = strings.TrimPrefix(s.Names[0], "/")
		}
		for _, p := range s.Ports {
			if p.PublicPort != 0 {
				out[i].Ports = append(out[i].Ports, runtime.Port{HostIP: p.IP, HostPort: p.PublicPort, Container: p.PrivatePort, Protocol: p.Type})
			}
		}
	}
	return out, nil
}

// Inspect implements runtime.Engine.
func (e *Engine) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	in, err := e.c.ContainerInspect(ctx, id)
	if err != nil {
		return runtime.Container{}, translate(err)
	}
	if in.ContainerJSONBase == nil || in.State == nil || in.Config == nil || in.HostConfig == nil {
		return runtime.Container{}, fmt.Errorf("the engine's answer on container %s has holes", id)
	}
	c := runtime.Container{
		ID: in.ID, Name: strings.TrimPrefix(in.Name, "/"), Image: in.Config.Image, ImageID: in.Image, Labels: in.Config.Labels,
		State: in.State.Status, ExitCode: in.State.ExitCode, OOMKilled: in.State.OOMKilled, Error: in.State.Error,
		RestartCount: in.RestartCount, Created: parseTime(in.Created), Started: parseTime(in.State.StartedAt), Finished: parseTime(in.State.FinishedAt),
		Grace: 10 * time.Second, Networks: map[string]string{}, Anonymous: map[string]string{},
	}
	if t := in.Config.StopTimeout; t != nil {
		c.Grace = time.Duration(*t) * time.Second
	}
	if h := in.State.Health; h != nil && h.Status != container.NoHealthcheck {
		c.Health = h.Status
		if n := len(h.Log); n > 0 && h.Log[n-1] != nil && h.Log[n-1].ExitCode != 0 {
			c.HealthLog = strings.TrimSpace(h.Log[n-1].Output)
		}
	}
	if in.NetworkSettings != nil {
		for name, n := range in.NetworkSettings.Networks {
			if n != nil {
				c.Networks[name] = n.NetworkID
			}
		}
		for port, bindings := range in.NetworkSettings.Ports {
			for _, b := range bindings {
				host, err := strconv.ParseUint(b.HostPort, 10, 16)
				// The IPv6 twin of a binding answers only where the host has IPv6.
				twin := b.HostIP == "::" && len(bindings) > 1
				if err == nil && !twin {
					c.Ports = append(c.Ports, runtime.Port{HostIP: b.HostIP, HostPort: uint16(host), Container: uint16(port.Int()), Protocol: port.Proto()})
				}
			}
		}
		slices.SortFunc(c.Ports, func(a, b runtime.Port) int { return int(a.HostPort) - int(b.HostPort) })
	}
	for _, m := range in.Mounts {
		if m.Type == mount.TypeVolume && len(m.Name) == 64 && strings.Trim(m.Name, "0123456789abcdef") == "" {
			c.Anonymous[m.Destination] = m.Name
		}
	}
	for _, mode := range []string{string(in.HostConfig.NetworkMode), string(in.HostConfig.IpcMode), string(in.HostConfig.PidMode)} {
		if id, found := strings.CutPrefix(mode, "container:"); found {
			c.Shares = append(c.Shares, id)
		}
	}
	return c, nil
}

// Create implements runtime.Engine. Until API 1.44 an engine takes one network
// at creation; the container joins the others before its first start.
func (e *Engine) Create(ctx context.Context, spec runtime.ContainerSpec) (string, error) {
	if _, err := e.c.Ping(ctx); err != nil { // negotiates the API version
		return "", translate(err)
	}
	m, err := mapped(spec, e.c.ClientVersion())
	if err != nil {
		return "", err
	}
	for _, w := range m.warnings {
		e.log.Warn("the engine is too old for a key of the Compose file, which is left out", "container", spec.Name, "what", w)
	}
	made, err := e.c.ContainerCreate(ctx, m.config, m.host, m.network, m.platform, spec.Name)
	if err != nil {
		return "", translate(err)
	}
	for _, name := range m.joinOrder {
		if err := e.c.NetworkConnect(ctx, name, made.ID, m.join[name]); err != nil {
			err = translate(err)
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			if rm := e.c.ContainerRemove(undo, made.ID, container.RemoveOptions{Force: true}); rm != nil {
				err = fmt.Errorf("%w (and it could not be removed: %w)", err, rm)
			}
			return "", err
		}
	}
	return made.ID, nil
}

// Rename implements runtime.Engine.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	return translate(e.c.ContainerRename(ctx, id, name))
}

// Start implements runtime.Engine.
func (e *Engine) Start(ctx context.Context, id string) error {
	return translate(e.c.ContainerStart(ctx, id, container.StartOptions{}))
}

// Stop implements runtime.Engine.
func (e *Engine) Stop(ctx context.Context, id string) error {
	return translate(e.c.ContainerStop(ctx, id, container.StopOptions{}))
}

// Remove implements runtime.Engine.
func (e *Engine) Remove(ctx context.Context, id string, anonymous bool) error {
	return translate(e.c.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: anonymous}))
}

// Logs implements runtime.Engine.
func (e *Engine) Logs(ctx context.Context, id string, lines int) ([]string, error) {
	in, err := e.c.ContainerInspect(ctx, id)
	if err != nil {
		return nil, translate(err)
	}
	r, err := e.c.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines)})
	if err != nil {
		return nil, translate(err)
	}
	defer r.Close()
	// Whatever a program prints, a few lines of it are enough.
	limited := io.LimitReader(r, 256<<10)
	plain := limited
	if in.Config == nil || !in.Config.Tty {
		pr, pw := io.Pipe()
		go func() {
			_, err := stdcopy.StdCopy(pw, pw, limited)
			pw.CloseWithError(err)
		}()
		defer pr.Close() //nolint:errcheck // ends the copying above, no more
		plain = pr
	}
	var out []string
	scan := bufio.NewScanner(plain)
	scan.Buffer(make([]byte, 0, 4096), 256<<10)
	for scan.Scan() {
		out = append(out, strings.TrimRight(scan.Text(), "\r"))
	}
	return out[max(0, len(out)-lines):], nil
}

// Answers implements runtime.Engine. Docker's proxy accepts for a container
// that listens to nobody, and closes at once: a port answers when the
// connection also stays open, or says something.
func (e *Engine) Answers(ctx context.Context, port runtime.Port) error {
	host := port.HostIP
	switch addr, err := netip.ParseAddr(host); {
	case host == "", err == nil && addr.IsUnspecified() && addr.Is4():
		host = "127.0.0.1"
	case err == nil && addr.IsUnspecified():
		host = "::1"
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port.HostPort))))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(150 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil && !os.IsTimeout(err) {
		return fmt.Errorf("the connection is closed at once: %w", err)
	}
	return nil
}
