package spdtest

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill the child if the test binary ends without its
// cleanups, as it does when a test times out.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
