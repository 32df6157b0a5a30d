package docker_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet/image"
	"pharos/testnet/image/imagetest"
)

// deaths are the ways a container can die.
var deaths = []struct {
	name string
	kill func(t *testing.T, container string)
}{
	{"kill -9 of its process", func(t *testing.T, c string) {
		pid, err := strconv.Atoi(cli(t, "inspect", "-f", "{{.State.Pid}}", c))
		if err != nil || pid <= 1 {
			t.Fatalf("no process: %v", err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}},
	{"docker kill", func(t *testing.T, c string) { cli(t, "kill", c) }},
	{"docker stop", func(t *testing.T, c string) { cli(t, "stop", c) }},
	{"docker rm -f", func(t *testing.T, c string) { cli(t, "rm", "-f", c) }},
	{"docker kill, again", func(t *testing.T, c string) { cli(t, "kill", c) }},
}

func TestDeadContainersReturn(t *testing.T) {
	e := imagetest.Engine(t)
	// A second, on a machine that is not busy with other tests: there the
	// engine alone takes about 0.25 s to start a container.
	bare := bareStart(t)
	limit := max(time.Second, 4*bare)
	t.Logf("the engine alone starts a container in %s; the limit is %s", bare.Round(time.Millisecond), limit.Round(time.Millisecond))
	for _, policy := range []string{"", "always", "unless-stopped", "on-failure"} {
		t.Run("policy "+policy, func(t *testing.T) {
			n := newNode(t, e)
			app := imagetest.Unique()
			text := "services:\n  worker:\n    image: IMAGE\n    command: serve --port 80\n    stop_grace_period: 2s\n"
			if policy != "" {
				text += "    restart: " + policy + "\n"
			}
			n.order(state.Name(app), state.Run, file(t, app, text))
			n.until(state.AppReady, 15*time.Second)
			for i, d := range deaths {
				before := n.containers()["worker-1"]
				n.eventually(10*time.Second, func() string { // a run that lasts a moment
					if up := time.Since(before.Started); up < time.Second {
						return "it runs for " + up.String()
					}
					return ""
				})
				d.kill(t, before.Name)
				took := n.eventually(10*time.Second, func() string {
					c := n.containers()["worker-1"]
					if c.State == "running" && c.Started.After(before.Started) {
						return ""
					}
					return "it is " + c.State
				})
				t.Logf("%-24s back after %s", d.name, took.Round(time.Millisecond))
				if took > limit {
					t.Errorf("%s: back after %s, more than %s", d.name, took, limit)
				}
				n.until(state.AppReady, 5*time.Second)
				n.eventually(5*time.Second, func() string {
					if r := n.last(); len(r.Containers) != 1 || r.Containers[0].Restarts != uint64(i+1) {
						return fmt.Sprintf("%s: the report has %v, not %d restarts", d.name, r.Containers, i+1)
					}
					return ""
				})
			}
			if name := n.containers()["worker-1"].Name; strings.HasPrefix(name, "pharos_new_") {
				t.Errorf("it is called %s", name)
			}
		})
	}
}

// bareStart is how long the engine takes to start a container, now.
func bareStart(t *testing.T) time.Duration {
	id := cli(t, "create", "--name", imagetest.Unique(), image.Ref)
	defer cli(t, "rm", "-f", id)
	began := time.Now()
	cli(t, "start", id)
	return time.Since(began)
}

func TestCrashLoopIsReported(t *testing.T) {
	e := imagetest.Engine(t)
	for _, policy := range []string{"no", "always"} {
		t.Run("policy "+policy, func(t *testing.T) {
			n := newNode(t, e)
			app := imagetest.Unique()
			n.order(state.Name(app), state.Run, file(t, app, `
services:
  bad:
    image: IMAGE
    command: serve --port 80 --exit-after 50ms --code 3 --print "no such valve"
    restart: "`+policy+`"
`))
			n.until(state.AppFailed, 30*time.Second)
			r := n.last()
			if !strings.Contains(r.Reason, "bad-1") || !strings.Contains(r.Reason, "exit code 3") || !strings.Contains(strings.Join(r.Logs, "\n"), "no such valve") {
				t.Errorf("the report is %+v", r)
			}
			// It clears with the next revision.
			n.order(state.Name(app), state.Run, file(t, app, "services:\n  bad:\n    image: IMAGE\n    command: serve --port 80\n    stop_grace_period: 1s\n"))
			n.until(state.AppReady, 15*time.Second)
		})
	}
}
