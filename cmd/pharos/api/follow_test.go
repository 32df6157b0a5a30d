package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pharos/cmd/pharos/api"
	"pharos/cmd/pharos/api/apitest"
	"pharos/state"
)

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never: %s", what)
		}
	}
}

func setReady(n int) func(*apitest.Factory) {
	return func(f *apitest.Factory) { f.AppList[0].Ready = n }
}

func TestFollowShowsEachChangeOnce(t *testing.T) {
	f := sample(t)
	c, _, _ := start(t, f)
	var seen []int
	err := c.Follow(t.Context(), "shop", func(d state.AppDetail) error {
		if d.Compose != "" {
			t.Error("the project travels with every change")
		}
		seen = append(seen, d.Ready)
		if d.Ready == 3 {
			return api.ErrEnough
		}
		f.Change(func(*apitest.Factory) {}) // a tick without a change
		f.Change(setReady(d.Ready + 1))
		return nil
	})
	if err != nil || len(seen) != 4 {
		t.Errorf("saw %v, %v", seen, err)
	}
	eventually(t, "the server ends the watch of a client that has gone", func() bool { return f.Watchers() == 0 })
}

func TestFollowEnds(t *testing.T) {
	errMine := errors.New("mine")
	for _, test := range []struct {
		name string
		end  func(f *apitest.Factory, s *api.Server, cancel context.CancelCauseFunc) error
		is   func(error) bool
	}{
		{"on cancel, with its cause", func(_ *apitest.Factory, _ *api.Server, cancel context.CancelCauseFunc) error {
			cancel(errMine)
			return nil
		}, func(err error) bool { return errors.Is(err, errMine) }},
		{"on Close", func(_ *apitest.Factory, s *api.Server, _ context.CancelCauseFunc) error {
			go s.Close()
			return nil
		}, func(err error) bool {
			return state.KindOf(err) == state.Unable && strings.Contains(err.Error(), "the daemon stopped meanwhile")
		}},
		{"when the app is no more", func(f *apitest.Factory, _ *api.Server, _ context.CancelCauseFunc) error {
			f.Change(func(f *apitest.Factory) { f.AppList = nil })
			return nil
		}, func(err error) bool { return state.KindOf(err) == state.NotFound }},
		{"as its caller says", func(*apitest.Factory, *api.Server, context.CancelCauseFunc) error { return errMine },
			func(err error) bool { return errors.Is(err, errMine) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := sample(t)
			c, s, _ := start(t, f)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			err := c.Follow(ctx, "shop", func(state.AppDetail) error { return test.end(f, s, cancel) })
			if !test.is(err) {
				t.Errorf("ended with %v", err)
			}
			eventually(t, "the watch ends too", func() bool { return f.Watchers() == 0 })
		})
	}
}

func TestFollowOfNothing(t *testing.T) {
	c, _, _ := start(t, sample(t))
	err := c.Follow(t.Context(), "none", func(state.AppDetail) error { t.Error("called"); return nil })
	if state.KindOf(err) != state.NotFound {
		t.Errorf("got %v", err)
	}
}

// Close waits: nothing of the server calls the factory afterwards.
func TestCloseEndsManyFollowers(t *testing.T) {
	f := sample(t)
	c, s, _ := start(t, f)
	done := make(chan error)
	for range 10 {
		go func() { done <- c.Follow(t.Context(), "shop", func(state.AppDetail) error { return nil }) }()
	}
	eventually(t, "all follow", func() bool { return f.Watchers() == 10 })
	s.Close()
	before := len(f.Calls())
	f.Change(setReady(7))
	for range 10 {
		if err := <-done; state.KindOf(err) != state.Unable {
			t.Errorf("got %v", err)
		}
	}
	if after := len(f.Calls()); after != before {
		t.Errorf("%d calls after Close", after-before)
	}
}
