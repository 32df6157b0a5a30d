//go:build !linux

package testnet

import (
	"os/exec"
	"syscall"
)

// attached makes a process the leader of its own group, so that a Ctrl-C in
// the terminal reaches only us. There is no way here to have it end with us.
func attached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func startAttached(cmd *exec.Cmd) error { return cmd.Start() }
