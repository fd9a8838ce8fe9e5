package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of a part (Amazon S3 User Guide, "Multipart upload limits").
const (
	minPart = 5 * MiB
	maxPart = 5 * GiB
)

// Validate reports every impossible value, as Problems.
func (c Config) Validate() error { return c.check().err() }

// checker collects problems.
type checker struct{ problems Problems }

// require notes a problem of key unless ok.
func (ck *checker) require(ok bool, key, format string, args ...any) {
	if !ok {
		ck.problems = append(ck.problems, Problem{Key: key, Text: fmt.Sprintf(format, args...)})
	}
}

func (c Config) check() Problems {
	ck := &checker{}
	ck.ftp(c.FTP)
	ck.tls(c.TLS)
	ck.s3(c.S3)
	ck.dsn(c.Database.DSN)
	ck.oneOf("auth.scheme", c.Auth.Scheme, "argon2id", "bcrypt")
	ck.guard(c.Guard)
	ck.transfer(c.Transfer)
	ck.upload(c.Upload)
	ck.address("admin.listen", c.Admin.Listen, true)
	ck.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	ck.oneOf("log.format", c.Log.Format, "json", "text")
	ck.audit(c.Audit)
	ck.cluster(c.Cluster)
	ck.ports(c)
	return ck.problems
}

func (ck *checker) ftp(f FTP) {
	ck.address("ftp.listen", f.Listen, false)
	ck.require(f.PassivePorts.valid(), "ftp.passive_ports",
		"%s is no range of ports: write the first and the last, from 1 to 65535", f.PassivePorts)
	ck.positive("ftp.idle_timeout", f.IdleTimeout)
	ck.positive("ftp.login_timeout", f.LoginTimeout)
	ck.positive("ftp.data_timeout", f.DataTimeout)
	ck.positive("ftp.connect_timeout", f.ConnectTimeout)
	ck.notNegative("ftp.drain_delay", int64(f.DrainDelay))
	ck.notNegative("ftp.drain_timeout", int64(f.DrainTimeout))
	ck.notNegative("ftp.max_sessions", int64(f.MaxSessions))
	ck.notNegative("ftp.max_sessions_per_ip", int64(f.MaxSessionsPerIP))
	ck.require(f.LoginAttempts > 0, "ftp.login_attempts", "%d is too few: write 1 or more", f.LoginAttempts)
	ck.oneOf("ftp.ascii", f.ASCII, "convert", "binary")
	ck.require(f.Banner != "" && !strings.ContainsFunc(f.Banner, control), "ftp.banner",
		"write one line of text, without control characters")
}

func (ck *checker) tls(t TLS) {
	ck.require(t.Cert == "" || t.Key != "", "tls.key", "is missing: tls.cert needs its key")
	ck.require(t.Key == "" || t.Cert != "", "tls.cert", "is missing: tls.key needs its certificate")
	ck.require(!t.Required || t.Cert != "", "tls.required", "needs tls.cert and tls.key")
	ck.require(t.ImplicitListen == "" || t.Cert != "", "tls.implicit_listen", "needs tls.cert and tls.key")
	ck.address("tls.implicit_listen", t.ImplicitListen, true)
	ck.oneOf("tls.min_version", t.MinVersion, "1.2", "1.3")
	ck.oneOf("tls.client_auth", t.ClientAuth, "off", "request", "require")
	ck.require(t.ClientAuth == "off" || t.ClientCA != "", "tls.client_auth", "needs tls.client_ca")
	ck.require(t.ClientCA == "" || t.ClientAuth != "off", "tls.client_ca", "has no effect: set tls.client_auth to request or require")
	ck.require(t.ClientCA == "" || t.Cert != "", "tls.client_ca", "needs tls.cert and tls.key")
	ck.require(len(t.MoreCerts) == 0 || t.Cert != "", "tls.more_certs", "needs tls.cert and tls.key")
	ck.oneOf("tls.session_reuse", t.SessionReuse, "off", "prefer", "require")
}

func (ck *checker) s3(s S3) {
	ck.endpoint(s.Endpoint)
	ck.require(s.Region != "", "s3.region", "is missing: write the store's region; most stores that have none take us-east-1")
	ck.require(s.SecretKey == "" || s.AccessKey != "", "s3.access_key", "is missing: s3.secret_key needs it")
	ck.require(s.AccessKey == "" || s.SecretKey != "", "s3.secret_key", "is missing: s3.access_key needs it")
	ck.require(bucketName(s.Bucket), "s3.bucket",
		"%q is no bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit", s.Bucket)
	ck.oneOf("s3.path_style", s.PathStyle, "auto", "always", "never")
	ck.oneOf("s3.checksum", s.Checksum, "crc32c", "md5", "none")
	ck.require(s.MaxRequests > 0, "s3.max_requests", "%d is too few: write 1 or more", s.MaxRequests)
	ck.positive("s3.request_timeout", s.RequestTimeout)
}

func (ck *checker) transfer(t Transfer) {
	ck.require(minPart <= t.PartSize && t.PartSize <= maxPart, "transfer.part_size",
		"%s is no part size of S3: write %s to %s", t.PartSize, minPart, maxPart)
	ck.require(t.PartsInFlight > 0, "transfer.parts_in_flight", "%d is too few: write 1 or more", t.PartsInFlight)
	ck.require(t.Memory/2 >= t.PartSize, "transfer.memory",
		"%s is too little for transfer.part_size %s: write twice that or more", t.Memory, t.PartSize)
	ck.notNegative("transfer.retry_for", int64(t.RetryFor))
}

func (ck *checker) upload(u Upload) {
	ck.positive("upload.keep", u.Keep)
}

// endpoint wants scheme, host and port. A user in it would end up in logs.
func (ck *checker) endpoint(endpoint string) {
	const key = "s3.endpoint"
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		ck.require(false, key, "is no URL: write http:// or https:// and a host, as in https://s3.example.com")
	case u.User != nil:
		ck.require(false, key, "holds a user: write s3.access_key and s3.secret_key instead")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		ck.require(false, key, "has something behind the host: write the bucket as s3.bucket, and no path")
	}
}

// dsn never quotes what it checks, and neither the error of url.Parse, which does.
func (ck *checker) dsn(dsn Secret) {
	const key, shape = "database.dsn", "write mysql://user:password@host:3306/name or sqlite:///path"
	u, err := url.Parse(dsn.Reveal())
	switch {
	case dsn == "":
		ck.require(false, key, "is missing: "+shape)
	case err != nil:
		ck.require(false, key, "is no URL: %s, and in the password %%40 for @, %%2F for /, %%3A for :, %%25 for %%", shape)
	case u.Scheme == "mysql":
		ck.require(u.Host != "" && len(u.Path) > 1, key, "names no host or no database: %s", shape)
	case u.Scheme == "sqlite":
		ck.require(u.Host == "" && len(u.Path) > 1, key, "needs an absolute path: write sqlite:///path, with three slashes")
	default:
		ck.require(false, key, "is neither MySQL nor SQLite: "+shape)
	}
}

// ports finds listeners that take each other's port. Port 0 is any free one.
func (ck *checker) ports(c Config) {
	listeners := []struct{ key, address string }{
		{"ftp.listen", c.FTP.Listen}, {"tls.implicit_listen", c.TLS.ImplicitListen}, {"admin.listen", c.Admin.Listen},
	}
	taken := make(map[string]string)
	for _, l := range listeners {
		port, err := portOf(l.address)
		if err != nil || port == 0 {
			continue
		}
		ck.require(!c.FTP.PassivePorts.Contains(port), l.key, "port %d is one of ftp.passive_ports: take another", port)
		ck.require(taken[l.address] == "", l.key, "%s is taken by %s: take another", l.address, taken[l.address])
		taken[l.address] = l.key
	}
}

func (ck *checker) address(key, address string, optional bool) {
	if optional && address == "" {
		return
	}
	_, err := portOf(address)
	ck.require(err == nil, key, "%q is no address: write host:port or :port, as in 127.0.0.1:2121", address)
}

// portOf returns the port of host:port.
func portOf(address string) (int, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return int(n), err
}

func (ck *checker) positive(key string, d time.Duration) {
	ck.require(d > 0, key, "%s is no time to wait: write more than 0, as in 30s", d)
}

func (ck *checker) notNegative(key string, n int64) {
	ck.require(n >= 0, key, "is below 0")
}

func (ck *checker) oneOf(key, value string, allowed ...string) {
	ck.require(slices.Contains(allowed, value), key, "%q is not known: write one of %s", value, strings.Join(allowed, ", "))
}

func (r PortRange) valid() bool {
	return r.Any() || (0 < r.First && r.First <= r.Last && r.Last <= 65535)
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// bucketName follows the Amazon S3 User Guide, "General purpose bucket naming rules",
// but for the prefixes and suffixes that Amazon keeps to itself.
func bucketName(s string) bool {
	shape := regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	_, err := netip.ParseAddr(s)
	return shape.MatchString(s) && !strings.Contains(s, "..") && err != nil
}
