// Package embedded runs an S3 service inside the process, for trying SPD out and for small
// installations without an S3 service of their own.
//
// It is versitygw, which keeps each object as a file. What was answered survives the end of
// the process, however sudden, but not a power cut: nothing is synced to the disk. Names
// follow the file system: "a" and "a/b" exclude each other.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"

	"github.com/spdscheme/spdserver/store"
)

// Options of a Server.
type Options struct {
	Dir    string       // holds the objects and the keys; made if it is not there
	Logger *slog.Logger // nil means none
	// Sidecar keeps the objects' metadata in files of their own even where the file system
	// has extended attributes. It must not change between starts.
	Sidecar bool
}

// Server is a running S3 service. There can be one in a process at a time: the objects are
// found relative to the working directory, which Start changes and Close restores. Make
// other relative paths absolute before.
type Server struct {
	Endpoint  string // "http://127.0.0.1:port"
	AccessKey string
	SecretKey string

	workdir string // to go back to
	cancel  context.CancelFunc
	done    chan struct{} // closed when the service has ended
	err     error         // why; valid once done is closed
}

const (
	maxRequests  = 4096 // at a time, and as many connections
	portAttempts = 5    // a free port may be taken before the service has it
)

// Start starts the service on a free port of 127.0.0.1 and returns when it answers. ctx
// bounds the start only; Close ends the service.
func Start(ctx context.Context, opts Options) (*Server, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "objects"), 0o700); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	keys, err := loadKeys(filepath.Join(dir, "s3-keys.json"))
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	workdir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	for range portAttempts {
		var s *Server
		if s, err = start(ctx, dir, keys, opts.Sidecar); err == nil {
			s.workdir = workdir
			logger(opts).Info("embedded store is ready", "dir", dir, "endpoint", s.Endpoint)
			return s, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, fmt.Errorf("embedded store: %w", errors.Join(err, os.Chdir(workdir)))
}

func logger(opts Options) *slog.Logger {
	if opts.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return opts.Logger
}

// start runs the service and waits until it listens.
func start(ctx context.Context, dir string, k keys, sidecar bool) (*Server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	backend, err := newBackend(dir, sidecar)
	if err != nil {
		return nil, err
	}
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{
		Endpoint: "http://" + addr, AccessKey: k.Access, SecretKey: k.Secret,
		cancel: cancel, done: make(chan struct{}),
	}
	ready := make(chan struct{})
	cfg := &embedgw.Config{
		IAMService:               auth.NewIAMServiceSingle(auth.Account{Access: k.Access, Secret: k.Secret, Role: auth.RoleAdmin}),
		RootUserAccess:           k.Access,
		RootUserSecret:           k.Secret,
		Ports:                    []string{addr},
		MaxConnections:           maxRequests,
		MaxRequests:              maxRequests,
		MultipartMaxParts:        store.MaxParts,
		KeepAlive:                true,
		Quiet:                    true,
		DisableACLs:              true,
		DisableStrictBucketNames: true,
		S3Options:                []s3api.Option{s3api.WithOnListen(func() { close(ready) })},
	}
	go func() { // Close waits for it
		defer close(s.done)
		s.err = embedgw.RunVersityGW(rctx, backend, cfg)
	}()
	select {
	case <-ready:
		return s, nil
	case <-s.done:
		cancel()
		return nil, s.err
	case <-ctx.Done():
		cancel()
		<-s.done
		return nil, ctx.Err()
	}
}

// freeAddr finds a port for a service that cannot listen on port 0.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Done is closed when the service has ended, by Close or by a fault.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close lets requests finish, ends the service and restores the working directory. It
// waits no longer than ctx, and 10 seconds for requests under way.
func (s *Server) Close(ctx context.Context) error {
	s.cancel()
	select {
	case <-s.done:
	case <-ctx.Done():
		return fmt.Errorf("close embedded store: %w", ctx.Err())
	}
	if err := errors.Join(s.err, os.Chdir(s.workdir)); err != nil {
		return fmt.Errorf("close embedded store: %w", err)
	}
	return nil
}
