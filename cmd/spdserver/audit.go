package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/config"
	"github.com/spdscheme/spdserver/db"
)

// auditFlush is how long the end of the program waits for the last events.
const auditFlush = 5 * time.Second

// openAudit returns the audit trail, or nil for none. It must be closed before database.
func openAudit(cfg config.Audit, database *db.DB, log *slog.Logger) (*audit.Log, error) {
	var sinks []audit.Sink
	sink, err := legacySink(cfg.File)
	if sink != nil {
		sinks = append(sinks, sink)
	}
	for _, s := range cfg.Sinks {
		if err != nil {
			break
		}
		if sink, err = newSink(s, database); err != nil {
			err = fmt.Errorf("audit.sinks: %s: %w", s, err)
			break
		}
		sinks = append(sinks, sink)
	}
	if err != nil {
		for _, s := range sinks {
			_ = s.Close() // nothing was written
		}
		return nil, err
	}
	if len(sinks) == 0 {
		return nil, nil
	}
	return audit.New(log, sinks...), nil
}

// legacySink is what audit.file asks for, or nil.
func legacySink(file string) (audit.Sink, error) {
	switch file {
	case "":
		return nil, nil
	case "-":
		return audit.NewWriter(config.AuditStdout, os.Stdout, audit.JSON), nil
	}
	sink, err := audit.OpenFile(file, audit.JSON, audit.Rotation{})
	if err != nil {
		return nil, fmt.Errorf("audit.file: %w", err)
	}
	return sink, nil
}

// newSink returns what one of audit.sinks asks for.
func newSink(s config.AuditSink, database *db.DB) (audit.Sink, error) {
	rotation := audit.Rotation{Size: int64(s.RotateSize), Age: s.RotateAge, Keep: s.RotateKeep}
	switch s.Kind {
	case config.AuditStdout:
		return audit.NewWriter(config.AuditStdout, os.Stdout, audit.JSON), nil
	case config.AuditFile:
		return openSinkFile(s.Path, audit.JSON, rotation)
	case config.AuditXferlog:
		return openSinkFile(s.Path, audit.Xferlog(nil), rotation)
	case config.AuditSyslog:
		return newSyslog(s)
	case config.AuditSQL:
		return database.Events(), nil
	}
	return nil, fmt.Errorf("no sink of kind %s", s.Kind)
}

// openSinkFile has no nil *audit.File in a Sink.
func openSinkFile(path string, format audit.Format, r audit.Rotation) (audit.Sink, error) {
	file, err := audit.OpenFile(path, format, r)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func newSyslog(s config.AuditSink) (audit.Sink, error) {
	o := audit.SyslogOptions{Transport: audit.Transport(s.Transport), Address: s.Address}
	source := audit.Source{App: "spdserver", Proc: strconv.Itoa(os.Getpid())}
	if o.Transport == audit.Unix {
		o.Address = s.Path
	} else {
		source.Host = hostName()
	}
	o.Format = audit.RFC5424(source)
	if s.Format == "rfc3164" {
		o.Format = audit.RFC3164(source, nil)
	}
	if s.Framing == "lf" {
		o.Framing = audit.LineFeeds
	}
	if o.Transport == audit.TLS {
		var err error
		if o.TLS, err = syslogTLS(s); err != nil {
			return nil, err
		}
	}
	return audit.NewSyslog(o), nil
}

var errNoCertificates = errors.New("holds no certificate in PEM")

// syslogTLS is how to trust the receiver, and what to show it.
func syslogTLS(s config.AuditSink) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s: %w", s.CA, errNoCertificates)
		}
	}
	if s.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("cert, key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// pruneEvents deletes old events until ctx ends, if they go to the database.
func (a *App) pruneEvents(ctx context.Context) {
	for _, s := range a.cfg.Audit.Sinks {
		if s.Kind == config.AuditSQL {
			(&db.EventPruner{DB: a.database, Node: a.holder(), Keep: s.Keep, Log: a.Log}).Run(ctx)
		}
	}
}

// auditMetrics are numbers of the sinks of status.
type auditMetrics struct {
	status          func() []audit.Status
	dropped, queued *prometheus.Desc
}

var _ prometheus.Collector = (*auditMetrics)(nil)

func newAuditMetrics(status func() []audit.Status) *auditMetrics {
	return &auditMetrics{
		status: status,
		dropped: prometheus.NewDesc("spd_audit_dropped_total",
			"Events that a sink of the audit trail has not got.", []string{"sink"}, nil),
		queued: prometheus.NewDesc("spd_audit_queued",
			"Events that wait for a sink of the audit trail.", []string{"sink"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *auditMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.dropped
	to <- m.queued
}

// Collect implements prometheus.Collector.
func (m *auditMetrics) Collect(to chan<- prometheus.Metric) {
	for _, s := range m.status() {
		to <- prometheus.MustNewConstMetric(m.dropped, prometheus.CounterValue, float64(s.Dropped), s.Sink)
		to <- prometheus.MustNewConstMetric(m.queued, prometheus.GaugeValue, float64(s.Queued), s.Sink)
	}
}
