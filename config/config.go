// Package config is what an operator may set: defaults, a YAML file, the environment.
//
// A configuration is read once, at the start, and every problem in it is reported at
// once. The package knows nothing of the rest of SPD, and it does not touch the system:
// whether a certificate can be read or a server answers is for "spdserver check".
package config

import "time"

// Config is everything that can be set. The key of a field is its section and its koanf
// tag, as in "ftp.idle_timeout"; docs/configuration.md explains each one.
type Config struct {
	FTP      FTP      `koanf:"ftp"`
	TLS      TLS      `koanf:"tls"`
	S3       S3       `koanf:"s3"`
	Database Database `koanf:"database"`
	Auth     Auth     `koanf:"auth"`
	Guard    Guard    `koanf:"guard"`
	Transfer Transfer `koanf:"transfer"`
	Upload   Upload   `koanf:"upload"`
	Admin    Admin    `koanf:"admin"`
	Log      Log      `koanf:"log"`
	Cluster  Cluster  `koanf:"cluster"`
	Audit    Audit    `koanf:"audit"`
}

// FTP is what clients connect to, and the limits of a session.
type FTP struct {
	Listen           string        `koanf:"listen"`              // address of the control port
	PassivePorts     PortRange     `koanf:"passive_ports"`       // ports of data connections; zero: any free port
	PublicIP         PublicIPs     `koanf:"public_ip"`           // IPv4 addresses that PASV names; none: the one the client reached
	IdleTimeout      time.Duration `koanf:"idle_timeout"`        // a session without a command and without a transfer ends
	LoginTimeout     time.Duration `koanf:"login_timeout"`       // from the connection to the successful login
	DataTimeout      time.Duration `koanf:"data_timeout"`        // a data connection on which no byte moves ends
	ConnectTimeout   time.Duration `koanf:"connect_timeout"`     // waiting for a data connection to come about
	DrainDelay       time.Duration `koanf:"drain_delay"`         // after SIGTERM, time for balancers to notice; 0: none
	DrainTimeout     time.Duration `koanf:"drain_timeout"`       // after that, time for running transfers; 0: none
	MaxSessions      int           `koanf:"max_sessions"`        // at a time, on this node; 0: no limit
	MaxSessionsPerIP int           `koanf:"max_sessions_per_ip"` // at a time, on all nodes; 0: no limit
	LoginAttempts    int           `koanf:"login_attempts"`      // wrong passwords answered 530; one more closes the connection
	Banner           string        `koanf:"banner"`              // text of the greeting
	CharsetHint      string        `koanf:"charset_hint"`        // charset of file names in doubt; "": none
	ActiveMode       bool          `koanf:"active_mode"`         // allow PORT and EPRT
	ASCII            string        `koanf:"ascii"`               // line ends in TYPE A: "convert" or "binary"

	ProxyProtocolFrom Networks `koanf:"proxy_protocol_from"` // balancers whose connections begin with a PROXY header
}

// TLS is the certificate, and whether clients must use it.
type TLS struct {
	Cert           string       `koanf:"cert"`            // PEM file, the chain included; "": no TLS
	Key            string       `koanf:"key"`             // PEM file
	Required       bool         `koanf:"required"`        // refuse logins and transfers in clear text
	ImplicitListen string       `koanf:"implicit_listen"` // address of the FTPS port; "": none
	MinVersion     string       `koanf:"min_version"`     // "1.2" or "1.3"
	Ciphers        Ciphers      `koanf:"ciphers"`         // of TLS 1.2; none: all good ones
	ClientCA       string       `koanf:"client_ca"`       // PEM file of the authorities of clients' certificates
	ClientAuth     string       `koanf:"client_auth"`     // certificates of clients: "off", "request", "require"
	MoreCerts      Certificates `koanf:"more_certs"`      // for other names (SNI)
	SessionReuse   string       `koanf:"session_reuse"`   // data connections resume the control connection's: "off", "prefer", "require"
}

// S3 is where the objects live.
type S3 struct {
	Endpoint       string        `koanf:"endpoint"`        // URL: scheme, host and port
	Region         string        `koanf:"region"`          // name the requests are signed for
	AccessKey      Secret        `koanf:"access_key"`      // who we are
	SecretKey      Secret        `koanf:"secret_key"`      //
	Bucket         string        `koanf:"bucket"`          // bucket of accounts that name none
	CreateBucket   bool          `koanf:"create_bucket"`   // create Bucket at the start if it is missing
	PathStyle      string        `koanf:"path_style"`      // "auto", "always" or "never"
	Checksum       string        `koanf:"checksum"`        // "crc32c", "md5" or "none"
	MaxRequests    int           `koanf:"max_requests"`    // requests at a time, on this node
	RequestTimeout time.Duration `koanf:"request_timeout"` // of one attempt
}

// Database is where the accounts and the shared state live.
type Database struct {
	DSN Secret `koanf:"dsn"` // mysql://user:password@host:port/name or sqlite:///path
}

// Auth is how the passwords of accounts are kept.
type Auth struct {
	Scheme string `koanf:"scheme"` // of new hashes: "argon2id" or "bcrypt"
	Rehash bool   `koanf:"rehash"` // replace imported and weak hashes at login
}

// Transfer is how bytes travel between clients and S3.
type Transfer struct {
	PartSize      Size          `koanf:"part_size"`       // of a multipart upload, at first; it grows with the file
	PartsInFlight int           `koanf:"parts_in_flight"` // of one upload, at a time
	Memory        Size          `koanf:"memory"`          // for the buffers of all transfers together
	RetryFor      time.Duration `koanf:"retry_for"`       // how long a failing S3 request is tried again; 0: never
}

// Upload is what becomes of uploads that break off.
type Upload struct {
	Keep time.Duration `koanf:"keep"` // how long an interrupted upload can be resumed
}

// Admin is the HTTP listener for probes, metrics and the status page.
type Admin struct {
	Listen string `koanf:"listen"` // address; "": none
}

// Log is the program's own log, on standard error.
type Log struct {
	Level  string `koanf:"level"`  // "debug", "info", "warn" or "error"
	Format string `koanf:"format"` // "json" or "text"
}

// Audit is the record of what clients did.
type Audit struct {
	File  string     `koanf:"file"`  // JSON lines are appended; "": none, "-": standard output
	Sinks AuditSinks `koanf:"sinks"` // where else it goes
}

// Default returns what holds where nothing is set. It is valid but for the database's
// DSN, which has no default.
func Default() Config {
	return Config{
		FTP: FTP{
			Listen:         ":21",
			PassivePorts:   PortRange{First: 50000, Last: 50999},
			IdleTimeout:    5 * time.Minute,
			LoginTimeout:   60 * time.Second,
			DataTimeout:    60 * time.Second,
			ConnectTimeout: 10 * time.Second,
			DrainTimeout:   60 * time.Second,
			MaxSessions:    5000,
			LoginAttempts:  3,
			Banner:         "SPD ready",
			ActiveMode:     true,
			ASCII:          "convert",
		},
		TLS: TLS{MinVersion: "1.2", ClientAuth: "off", SessionReuse: "prefer"},
		S3: S3{
			Endpoint:       "http://127.0.0.1:9000",
			Region:         "us-east-1",
			Bucket:         "spd",
			PathStyle:      "auto",
			Checksum:       "crc32c",
			MaxRequests:    256,
			RequestTimeout: 30 * time.Second,
		},
		Auth:  Auth{Scheme: "argon2id", Rehash: true},
		Guard: defaultGuard(),
		Transfer: Transfer{
			PartSize:      8 * MiB,
			PartsInFlight: 4,
			Memory:        512 * MiB,
			RetryFor:      30 * time.Second,
		},
		Upload: Upload{Keep: 24 * time.Hour},
		Admin:  Admin{Listen: "127.0.0.1:8021"},
		Log:    Log{Level: "info", Format: "json"},
	}
}
