package server

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what the server does.
type metrics struct {
	sessions  prometheus.Gauge
	refused   prometheus.Counter
	logins    *prometheus.CounterVec
	transfers *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
}

// newMetrics registers with reg, which may be nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spd_sessions", Help: "FTP sessions now."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "spd_connections_refused_total", Help: "Connections answered 421: limits or drain."}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spd_logins_total", Help: "Logins by result: ok, refused, error."}, []string{"result"}),
		transfers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spd_transfers_total", Help: "File transfers by direction (up, down) and result (ok, failed)."},
			[]string{"direction", "result"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spd_transfer_bytes_total", Help: "Bytes moved over data connections by direction."},
			[]string{"direction"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "spd_command_seconds", Help: "Time of commands that ask the store, by FTP verb.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"verb"}),
	}
	if reg != nil {
		reg.MustRegister(m.sessions, m.refused, m.logins, m.transfers, m.bytes, m.seconds)
	}
	return m
}
