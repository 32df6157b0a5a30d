package testnet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"pharos/testnet"
)

// orphanEnv makes this test's program a builder of a factory in the folder that
// it names, to be killed.
const orphanEnv = "TESTNET_ORPHAN"

func orphan() {
	dir := os.Getenv(orphanEnv)
	f, err := testnet.Up(context.Background(), testnet.Config{
		Nodes: testnet.Tiers(1, 1), Engine: testnet.SimulatedEngine,
		Binary: filepath.Join(dir, "pharos"), Dir: filepath.Join(dir, "f"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range f.Names() {
		fmt.Fprintln(os.Stdout, f.Node(name).PID())
	}
	select {} // until it is killed
}

// Processes of a factory end with the one that built it, even when that is
// killed with -9 and can clean up nothing.
func TestNodesEndWithTheirBuilder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends processes with the one that started them")
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pharos-") // a short path: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Symlink(path, filepath.Join(dir, "pharos")); err != nil {
		t.Fatal(err)
	}
	builder := exec.Command(os.Args[0])
	builder.Env = append(os.Environ(), orphanEnv+"="+dir)
	builder.Stderr = os.Stderr
	out, err := builder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := builder.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 2 && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("the builder told of %d processes: %v", len(pids), builder.Wait())
	}
	if err := builder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = builder.Wait() // it was killed
	err = testnet.Poll(t.Context(), "the nodes' processes ending", 10*time.Second, func(context.Context) (bool, error) {
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) && !zombie(pid) {
				return false, fmt.Errorf("process %d is there (%v)", pid, err)
			}
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// zombie says that a process has ended and nobody has asked how: the first
// process of a container often never does.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	var state string
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%d (pharos) %s", new(int), &state)
	}
	return err == nil && state == "Z"
}
