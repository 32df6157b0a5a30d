package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pharos/runtime"
)

type dumbEngine struct {
	tries int
	after int // tries until it answers; 0: never
}

func (d *dumbEngine) Info(context.Context) (runtime.EngineInfo, error) {
	if d.tries++; d.tries == d.after {
		return runtime.EngineInfo{Kind: "docker"}, nil
	}
	return runtime.EngineInfo{}, errors.New("dial unix /run/docker.sock: connection refused")
}

func TestEngineIsWaitedFor(t *testing.T) {
	if err := answers(t.Context(), &dumbEngine{after: 2}, "unix:///run/docker.sock", time.Minute); err != nil {
		t.Error(err)
	}
	err := answers(t.Context(), &dumbEngine{}, "unix:///run/docker.sock", 10*time.Millisecond)
	for _, part := range []string{"looking for a Docker Engine at unix:///run/docker.sock", "connection refused (tried for 10ms)", "--engine simulated"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := answers(ctx, &dumbEngine{}, "x", time.Minute); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestImages(t *testing.T) {
	if got := images([]byte("no project")); got != nil {
		t.Error(got)
	}
	p, err := load(t.Context(), []string{"-"}, "shop", strings.NewReader("services: {web: {image: 'web:1'}, db: {image: 'db:2'}, api: {image: 'web:1'}}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(images(p.compose), " "); got != "db:2 web:1" || p.name != "shop" {
		t.Errorf("%s of %s", got, p.name)
	}
}
