package testnet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pharos/state"
)

// containerDies kills the process of one container and shows it return.
func (d *demo) containerDies(ctx context.Context) error {
	if !d.real() {
		d.say("   Skipped: the simulated engine has no processes to kill.")
		return nil
	}
	victim, err := d.container(ctx, demoCells[0], "web")
	if err != nil {
		return err
	}
	before, err := d.f.Inspect(ctx, victim.ID)
	if err != nil {
		return err
	}
	d.say("   $ docker inspect --format '{{.State.Pid}}' %s\n   %d", victim.Name, before[0].State.Pid)
	d.say("   $ kill -9 %d", before[0].State.Pid)
	killed := time.Now()
	if err := d.f.KillContainer(ctx, before[0]); err != nil {
		return err
	}
	var again time.Time
	err = Poll(ctx, victim.Name+" running again", restartedWithin, func(ctx context.Context) (bool, error) {
		now, err := d.f.Inspect(ctx, victim.Name)
		if err != nil {
			return false, err
		}
		again = now[0].State.StartedAt // by Docker's clock, which is ours
		return now[0].State.Running && now[0].State.Pid != before[0].State.Pid, fmt.Errorf("docker says %+v", now[0].State)
	})
	if err != nil {
		return err
	}
	if err := d.claim(again.After(killed), "its process runs again, %s after the kill", short(again.Sub(killed))); err != nil {
		return err
	}
	err = Poll(ctx, "the root counting the restart", restartedWithin, func(ctx context.Context) (bool, error) {
		now, err := d.container(ctx, demoCells[0], "web")
		return err == nil && now.Restarts > victim.Restarts && now.State == "running" && now.Health != "starting", err
	})
	if err != nil {
		return err
	}
	if _, err := d.pharos(ctx, 0, "app", "ps", string(demoApp)); err != nil {
		return err
	}
	if err := d.claim(true, "the root counts the restart, and the app is healthy again"); err != nil {
		return err
	}
	d.containers, err = d.seen(ctx)
	return err
}

// container is one service's container on a node, as the root has it.
func (d *demo) container(ctx context.Context, node state.Name, service string) (state.Container, error) {
	a, err := d.f.Client(d.f.Root()).App(ctx, demoApp)
	if err != nil {
		return state.Container{}, err
	}
	for _, n := range a.On {
		if i := slices.IndexFunc(n.Services, func(c state.Container) bool { return c.Service == service }); n.Node == node && i >= 0 {
			return n.Services[i], nil
		}
	}
	return state.Container{}, fmt.Errorf("the root knows no container of %s on %s", service, node)
}
