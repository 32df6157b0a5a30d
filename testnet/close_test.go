package testnet_test

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"pharos/state"
	"pharos/testnet"
)

// A factory that is closed leaves nothing on the machine: no process, folder,
// container, network or volume; those of a node that died count too.
func TestCloseLeavesNothing(t *testing.T) {
	f := up(t, engine(t), testnet.Tiers(1, 2)...)
	must(t, f, 0, "plant-7", "deploy", "-f", file(t, "compose.yaml", shop(t, "hello")), "--to", "all")
	if err := f.Node("press-2").Kill(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	var ids []state.NodeID
	for _, name := range f.Names() {
		ids = append(ids, f.Node(name).ID)
		if pid := f.Node(name).PID(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	if before, err := f.Leftovers(t.Context(), ids...); err != nil || len(before) < 6 {
		t.Fatalf("the factory should be on the engine now: %v %v", before, err)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there (%v)", pid, err)
		}
	}
	if _, err := os.Stat(f.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder %s is still there (%v)", f.Dir(), err)
	}
	left, err := f.Leftovers(t.Context(), ids...)
	if err != nil || len(left) > 0 {
		t.Errorf("left on the engine: %v %v", left, err)
	}
}
