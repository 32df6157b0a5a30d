// Package imagetest gives tests a Docker Engine with the specimen image in it,
// or skips them loudly where none answers. With PHAROS_REQUIRE_ENGINE=1 a
// missing engine is a failure: CI must not pass without it.
package imagetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"sync"
	"testing"
	"time"

	"pharos/runtime"
	"pharos/runtime/docker"
	"pharos/testnet/image"
)

// Host is the engine that tests use: DOCKER_HOST, or the usual socket.
func Host() string {
	if h := os.Getenv("DOCKER_HOST"); h != "" {
		return h
	}
	return docker.DefaultHost
}

// Engine gives a client of the engine, with image.Ref there, closed at the
// test's end.
func Engine(t testing.TB) *docker.Engine {
	t.Helper()
	e, err := docker.New(Host(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if _, err := e.Info(ctx); err != nil {
		missing(t, err)
	}
	building.Lock()
	defer building.Unlock()
	if err := image.Into(ctx, e, image.Ref); err != nil {
		t.Fatal(err)
	}
	return e
}

var building sync.Mutex

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("PHAROS_REQUIRE_ENGINE") == "1" {
		t.Fatalf("no Docker Engine answers at %s, and PHAROS_REQUIRE_ENGINE=1 wants one: %v", Host(), err)
	}
	t.Skipf("SKIPPED, NO DOCKER ENGINE ANSWERS AT %s (%v); PHAROS_REQUIRE_ENGINE=1 makes this a failure", Host(), err)
}

// Unique gives a name that no other test run has: "t3f9a0c".
func Unique() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return "t" + hex.EncodeToString(b)
}

// CleanUp removes at the test's end what bears the node's label: containers,
// networks and volumes. Nothing else is touched.
func CleanUp(t testing.TB, e *docker.Engine, node string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		labels := map[string]string{runtime.LabelNode: node}
		containers, err := e.Containers(ctx, labels)
		if err != nil {
			t.Errorf("cleaning up: %v", err)
		}
		for _, c := range containers {
			if err := e.Remove(ctx, c.ID, true); err != nil {
				t.Errorf("cleaning up: %v", err)
			}
		}
		networks, _ := e.Networks(ctx, labels)
		for _, n := range networks {
			if err := e.RemoveNetwork(ctx, n.ID); err != nil {
				t.Errorf("cleaning up: %v", err)
			}
		}
		volumes, _ := e.Volumes(ctx, labels)
		for _, v := range volumes {
			if err := e.RemoveVolume(ctx, v.Name); err != nil {
				t.Errorf("cleaning up: %v", err)
			}
		}
	})
}
