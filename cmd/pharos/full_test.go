package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pharos/state"
	"pharos/tiers"
)

// A node that is started on a full disk says so: the store maps its files, and
// a page that can't be had is a SIGBUS.
func TestRunOnAFullDisk(t *testing.T) {
	data := t.TempDir()
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(data, unix.MNT_DETACH) })
	how := opening{data: data, listen: []string{"/ip4/127.0.0.1/tcp/0"}, engine: simulatedEngine, log: slog.New(slog.DiscardHandler)}
	if _, err := tiers.InitRoot(data, "plant-7"); err != nil {
		t.Fatal(err)
	}
	// A process that was killed leaves files to replay: copied while it runs.
	n, err := open(t.Context(), how)
	if err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	copyStore(t, filepath.Join(data, "store"), killed)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for _, files := range []string{"closed well", "killed"} {
		if files == "killed" {
			if err := os.RemoveAll(filepath.Join(data, "store")); err != nil {
				t.Fatal(err)
			}
			copyStore(t, killed, filepath.Join(data, "store"))
		}
		junk := filepath.Join(data, "junk")
		if err := os.WriteFile(junk, make([]byte, 80<<20), 0o600); err == nil {
			t.Fatal("80 MiB fit into 64")
		}
		n, err := open(context.Background(), how)
		if err == nil {
			_ = n.Close()
		} else if state.KindOf(err) != state.Unable || !strings.Contains(err.Error(), "less than 32 MiB left") || !strings.Contains(err.Error(), "free some space") {
			t.Errorf("%s: %v", files, err)
		}
		if files == "killed" && err == nil {
			t.Error("a killed store was opened on a full disk")
		}
		if err := os.Remove(junk); err != nil {
			t.Fatal(err)
		}
		if n, err = open(context.Background(), how); err != nil {
			t.Fatalf("%s, with space again: %v", files, err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// copyStore copies the files with their holes, where the faults are.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "-rT", "--sparse=always", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
