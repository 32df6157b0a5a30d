package tiers_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pharos/state"
	"pharos/testnet/simulation"
)

// TestPromises plays random schedules of orders, group changes, cut links and
// dying nodes, and asserts the promises of the design: nothing accepted is
// lost, nothing goes back, nothing stops without an order, and once the links
// heal every node has the newest and the root's picture is the truth.
//
// PHAROS_SEEDS=n plays n schedules; PHAROS_SEED=s plays the one of that seed.
func TestPromises(t *testing.T) {
	first, count := 1, 12
	if s, err := strconv.Atoi(os.Getenv("PHAROS_SEEDS")); err == nil {
		count = s
	}
	if s, err := strconv.Atoi(os.Getenv("PHAROS_SEED")); err == nil {
		first, count = s, 1
	}
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			world(t, func(t *testing.T, f *simulation.Factory) { playSchedule(t, f, uint64(seed)) })
		})
	}
}

// healWithin is the stated bound: from the last heal to a whole, true picture.
const healWithin = 10 * time.Second

func playSchedule(t *testing.T, f *simulation.Factory, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(names []state.Name) state.Name { return names[r.IntN(len(names))] }
	below := everybody[1:]
	groups := []state.Name{"red", "blue"}
	for _, g := range groups {
		if err := f.Root().CreateGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	apps := []state.Name{"shop", "watch", "plc"}
	targets := []string{"all", "tier:line-1", "tier:line-2", "press-1", "office,oven-1", "all,!tier:line-1", "tier:plant,!press-2", "line-1,line-2"}
	var story []string
	tell := func(format string, a ...any) {
		story = append(story, fmt.Sprintf("%6.1fs ", f.Since().Seconds())+fmt.Sprintf(format, a...))
	}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d:\n%s\n%s", seed, strings.Join(story, "\n"), f.Picture())
		}
	}()
	accepted := map[state.Name]state.Accepted{}
	for range 25 {
		switch what := r.IntN(10); what {
		case 0, 1, 2:
			app, to := pick(apps), targets[r.IntN(len(targets))]
			a, err := f.Root().Deploy(t.Context(), state.DeployRequest{App: app, Selector: selector(t, to), Compose: []byte("services: {}")})
			if err != nil {
				t.Fatal(err)
			}
			accepted[app] = a
			tell("deploy %s to %s: revision %d, %s", app, to, a.Revision, a.Stamp)
		case 3:
			app, want := pick(apps), []state.Want{state.Run, state.Stopped, state.Gone}[r.IntN(3)]
			a, err := f.Root().Order(t.Context(), app, want)
			if err == nil {
				accepted[app] = a
			} else if k := state.KindOf(err); k != state.NotFound && k != state.Refused {
				t.Fatal(err)
			}
			tell("%s %s: %v", want, app, err)
		case 4:
			g, name := pick(groups), pick(everybody)
			_, err := f.Root().AddToGroup(t.Context(), g, []state.Name{name})
			if err != nil {
				t.Fatal(err)
			}
			targets = append(targets, "group:"+string(g))
			tell("%s joins %s", name, g)
		case 5:
			g := pick(groups)
			v, err := f.Root().Group(t.Context(), g)
			if err != nil {
				t.Fatal(err)
			}
			if len(v.Members) > 1 {
				_, err = f.Root().RemoveFromGroup(t.Context(), g, v.Members[:1])
				tell("%s leaves %s: %v", v.Members[0], g, err)
			}
		case 6:
			name := pick(below)
			f.Net.Isolate(string(name))
			tell("%s is cut off", name)
		case 7:
			name := pick(below)
			f.Net.Rejoin(string(name))
			tell("%s is linked again", name)
		case 8:
			name := pick(everybody)
			f.Node(name).Stop()
			f.Pass(time.Duration(r.IntN(5000)) * time.Millisecond)
			f.Node(name).Start()
			tell("%s was restarted", name)
		case 9:
			f.Net.CutOneWay(string(pick(below)), string(pick(everybody)))
			tell("a link is cut one way")
		}
		f.Pass(time.Duration(r.IntN(2500)) * time.Millisecond)
	}
	f.Net.HealAll()
	for _, name := range below {
		f.Net.Rejoin(string(name))
	}
	tell("all is healed")
	took := f.Wait(healWithin, "everything converges", func() bool { return differs(t, f, apps, accepted) == "" || finished(t, &story, f, apps, accepted) })
	t.Logf("converged %v after the last heal", took)
}

// finished keeps the last difference as the story's last line.
func finished(t *testing.T, story *[]string, f *simulation.Factory, apps []state.Name, accepted map[state.Name]state.Accepted) bool {
	line := "differs: " + differs(t, f, apps, accepted)
	if last := len(*story) - 1; strings.HasPrefix((*story)[last], "differs: ") {
		(*story)[last] = line
	} else {
		*story = append(*story, line)
	}
	return false
}

// differs says where the machines, or the root's picture of them, are not yet
// what the newest accepted orders want; "" when all is well.
func differs(t *testing.T, f *simulation.Factory, apps []state.Name, accepted map[state.Name]state.Accepted) string {
	members := map[state.Name]state.Member{}
	for _, v := range f.Root().Nodes(t.Context()) {
		if v.Readiness != state.Ready {
			return fmt.Sprintf("%s is %s: %s", v.Name, v.Readiness, v.Reason)
		}
		m := state.Member{Name: v.Name, Groups: v.Groups, Labels: v.Labels}
		if v.Parent != "" {
			m.Path = append(slices.Clone(members[v.Parent].Path), v.Parent)
		}
		members[v.Name] = m
	}
	for _, app := range apps {
		a, has := accepted[app]
		var detail state.AppDetail
		if has {
			var err error
			if detail, err = f.Root().App(t.Context(), app); err != nil && state.KindOf(err) != state.NotFound {
				return err.Error()
			} else if err == nil && (detail.Revision != a.Revision) {
				return fmt.Sprintf("the root knows %s as revision %d and accepted %d", app, detail.Revision, a.Revision)
			}
		}
		told := map[state.Name]uint64{}
		for _, on := range detail.On {
			told[on.Node] = on.Revision
			if !on.Done {
				return fmt.Sprintf("%s on %s is %s, revision %d", app, on.Node, on.State, on.Revision)
			}
		}
		for name, m := range members {
			revision, runs := f.Node(name).Pretended.Running()[app]
			wanted := has && detail.Want != state.Gone && detail.Selector.Names(m)
			switch {
			case wanted != runs:
				return fmt.Sprintf("%s on %s: runs %v, wanted %v", app, name, runs, wanted)
			case runs && revision != a.Revision:
				return fmt.Sprintf("%s on %s has revision %d of %d", app, name, revision, a.Revision)
			case runs && told[name] != revision:
				return fmt.Sprintf("the root thinks that %s on %s has revision %d", app, name, told[name])
			}
		}
	}
	return ""
}
