package testnet

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// attached makes a process the leader of its own group, so that a Ctrl-C in
// the terminal reaches only us, and has the kernel end it when we end.
func attached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// starter runs functions on one thread that lives as long as the program: to
// the kernel, a child's parent is the thread that made it, and Pdeathsig comes
// when that thread ends.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

func startAttached(cmd *exec.Cmd) error {
	started := make(chan error)
	starter() <- func() { started <- cmd.Start() }
	return <-started
}
