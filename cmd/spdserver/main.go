// Spdserver is an FTP and FTPS gateway in front of S3-compatible object storage.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
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

func run() int {
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
