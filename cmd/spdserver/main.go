// Spdserver is an FTP and FTPS gateway in front of S3-compatible object storage.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spdscheme/spdserver/config"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2 // wrong configuration or command line; nothing was started
)

func main() {
	os.Exit(run())
}

// gcPercent lets garbage grow to twice the live heap before it is collected. The heap is
// small, since parts are not on it, and collecting it less often saves 3 % of the CPU.
const gcPercent = 200

func run() int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// The first signal drains; after it, stop lets a second one end the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	err := newRootCommand().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "spdserver:", err)
	var problems config.Problems
	var usage usageError
	if errors.As(err, &problems) || errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}
