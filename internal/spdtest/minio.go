package spdtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// Endpoint is where an S3 service listens, and who may use it.
type Endpoint struct {
	URL       string // "http://127.0.0.1:port"
	AccessKey string
	SecretKey string
}

// MinIO starts a MinIO server with one drive, which takes about a second. It has no
// buckets. The program is .tools/bin/minio or what $SPD_MINIO names.
func MinIO(t testing.TB) Endpoint {
	t.Helper()
	e, _ := StartMinIO(t, FreeAddr(t), t.TempDir())
	return e
}

// StartMinIO starts a MinIO server on addr ("host:port") with its data in dir, for tests that
// kill it and start it again.
func StartMinIO(t testing.TB, addr, dir string) (Endpoint, *Process) {
	t.Helper()
	e := Endpoint{URL: "http://" + addr, AccessKey: "spdtest", SecretKey: "spdtest-secret"}
	cmd := exec.Command(Tool(t, "minio", "SPD_MINIO"), "server", "--quiet", "--address", addr, dir)
	cmd.Env = append(os.Environ(),
		"MINIO_ROOT_USER="+e.AccessKey, "MINIO_ROOT_PASSWORD="+e.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1", "MINIO_API_ROOT_ACCESS=on")
	p := StartProcess(t, cmd, minioReady(e.URL))
	return e, p
}

// minioReady waits for the cluster's health, and then until requests are no longer refused
// because the server is not initialized yet: an anonymous one is then forbidden.
func minioReady(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := HTTPReady(url + "/minio/health/ready")(ctx); err != nil {
			return err
		}
		return httpStatus(ctx, url+"/", http.StatusForbidden)
	}
}

// HTTPReady is a ready function for StartProcess: a GET of url must answer 200.
func HTTPReady(url string) func(context.Context) error {
	return func(ctx context.Context) error { return httpStatus(ctx, url, http.StatusOK) }
}

func httpStatus(ctx context.Context, url string, want int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	req.Close = true // leaves no idle connection behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // only the status matters
	if resp.StatusCode != want {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}
