package runtime

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// Several nodes may share one engine: a demo runs seven on one machine, all
// with the same app. The first node that claims the engine names its projects
// after the apps, as docker compose would ("shop"); the others add their own
// name ("shop-press-7"), and nothing clashes. In this order:
//
//  1. Something of this node and app is there already: its project label
//     decides, for good.
//  2. The node claims the engine by creating the volume pharos-engine with its
//     ID as the label pharos.node. The engine makes a volume once and gives
//     everybody the labels of the first, so there is one holder. The holder's
//     project is APP, unless things of a project APP exist that are not the
//     node's (somebody's own docker compose project); then it is APP-NODE.
//  3. Another node holds the claim. If it has no container on the engine and
//     its claim is older than claimLease, the claim is removed and made anew
//     once; otherwise the project is APP-NODE.
//
// A node that removes its last app gives its claim back.
const (
	claimVolume = "pharos-engine"
	claimLease  = time.Minute
)

// projectName says what the app's project is called on this engine.
func (a *app) projectName(ctx context.Context, seen observed) (string, error) {
	for _, c := range seen.containers {
		if p := c.Labels[labelProject]; p != "" {
			return p, nil
		}
	}
	for _, n := range seen.networks {
		if p := n.Labels[labelProject]; p != "" {
			return p, nil
		}
	}
	for _, v := range seen.volumes {
		if p := v.Labels[labelProject]; p != "" {
			return p, nil
		}
	}
	holder, err := a.claim(ctx)
	if err != nil {
		return "", err
	}
	names := []string{string(a.name)}
	if holder != string(a.cfg.Node) {
		names = nil
	}
	withNode := string(a.name) + "-" + string(a.cfg.Name)
	names = append(names, withNode)
	for _, name := range names {
		foreign, err := a.foreign(ctx, name)
		if err != nil {
			return "", err
		}
		if !foreign {
			return name, nil
		}
	}
	id := string(a.cfg.Node)
	return withNode + "-" + strings.ToLower(id[max(0, len(id)-8):]), nil
}

// claim gives the ID of the node that holds the engine.
func (a *app) claim(ctx context.Context) (string, error) {
	for attempt := 0; ; attempt++ {
		v, err := a.cfg.Engine.CreateVolume(ctx, claimVolume, types.VolumeConfig{}, map[string]string{LabelNode: string(a.cfg.Node)})
		if err != nil {
			return "", err
		}
		holder := v.Labels[LabelNode]
		if holder == string(a.cfg.Node) || attempt > 0 || time.Since(v.Created) < claimLease {
			return holder, nil
		}
		there, err := a.cfg.Engine.Containers(ctx, map[string]string{LabelNode: holder})
		if err != nil || len(there) > 0 {
			return holder, err
		}
		if err := a.cfg.Engine.RemoveVolume(ctx, claimVolume); err != nil && !errors.Is(err, ErrNotFound) {
			return holder, nil
		}
	}
}

// foreign says whether anything of a project of that name is not this node's.
func (a *app) foreign(ctx context.Context, project string) (bool, error) {
	labels := map[string]string{labelProject: project}
	mine := func(l map[string]string) bool { return l[LabelNode] == string(a.cfg.Node) }
	containers, err := a.cfg.Engine.Containers(ctx, labels)
	if err != nil {
		return false, err
	}
	for _, c := range containers {
		if !mine(c.Labels) {
			return true, nil
		}
	}
	networks, err := a.cfg.Engine.Networks(ctx, labels)
	if err != nil {
		return false, err
	}
	for _, n := range networks {
		if !mine(n.Labels) {
			return true, nil
		}
	}
	volumes, err := a.cfg.Engine.Volumes(ctx, labels)
	if err != nil {
		return false, err
	}
	for _, v := range volumes {
		if !mine(v.Labels) {
			return true, nil
		}
	}
	return false, nil
}

// unclaim gives the claim back when the node has no container left.
func (a *app) unclaim(ctx context.Context) {
	left, err := a.cfg.Engine.Containers(ctx, map[string]string{LabelNode: string(a.cfg.Node)})
	if err != nil || len(left) > 0 {
		return
	}
	v, err := a.cfg.Engine.Volume(ctx, claimVolume)
	if err == nil && v.Labels[LabelNode] == string(a.cfg.Node) {
		_ = a.cfg.Engine.RemoveVolume(ctx, claimVolume) // it can wait: the lease ends it too
	}
}
