// Package admin is what operators and their machines ask over HTTP: is the process alive,
// should clients be sent here, what are the numbers.
//
// It has no login: its listener belongs on an inner network. Nothing it answers names a
// host, a bucket or an account.
package admin

import (
	_ "embed" // the status page
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options is what a Handler shows.
type Options struct {
	Watch    *Watch              // what /readyz tells; nil: always ready
	Summary  func() Summary      // for the status page; nil: zeros
	Gatherer prometheus.Gatherer // what /metrics shows; nil: no such page
	Version  string
	Started  time.Time // of the process
}

// Summary is what a node is doing.
type Summary struct {
	Sessions  int
	Transfers int
}

//go:embed status.html
var statusPage string

// Handler answers GET and HEAD:
//
//	/healthz   200 as long as the process answers
//	/readyz    200 if every probe holds for good, else 503; a line for each
//	/metrics   Prometheus
//	/          a status page for people
func Handler(o Options) http.Handler {
	h := &handler{
		options: o,
		page:    template.Must(template.New("status").Parse(statusPage)),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.HandleFunc("GET /{$}", h.status)
	if o.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	}
	return guarded(mux)
}

// guarded adds headers that keep browsers and proxies from being clever.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

type handler struct {
	options Options
	page    *template.Template
}

func (h *handler) healthz(w http.ResponseWriter, _ *http.Request) {
	text(w)
	_, _ = fmt.Fprintln(w, "ok") // whoever asked is gone
}

func (h *handler) readyz(w http.ResponseWriter, r *http.Request) {
	checks := h.options.Watch.Checks(r.Context())
	text(w)
	if !ready(checks) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, c := range checks {
		_, _ = fmt.Fprintf(w, "%s: %s\n", c.Name, c.State()) // whoever asked is gone
	}
}

func text(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/plain; charset=utf-8") }

// status shows the page. It is 200 even if the node is not ready: the page is.
func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	checks := h.options.Watch.Checks(r.Context())
	view := struct {
		Summary
		Version string
		Uptime  time.Duration
		Ready   bool
		Checks  []Check
		Metrics bool
	}{
		Version: h.options.Version,
		Uptime:  time.Since(h.options.Started).Truncate(time.Second),
		Ready:   ready(checks),
		Checks:  checks,
		Metrics: h.options.Gatherer != nil,
	}
	if h.options.Summary != nil {
		view.Summary = h.options.Summary()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = h.page.Execute(w, view) // whoever asked is gone
}
