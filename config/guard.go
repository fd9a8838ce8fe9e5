package config

import (
	"net/netip"
	"time"
)

// Guard is what keeps out those who guess passwords and those who flood the server. A limit
// of 0 means none.
type Guard struct {
	Allow               Networks      `koanf:"allow"`                 // never banned, and held to no limit of their network
	Deny                Networks      `koanf:"deny"`                  // whose connections are closed at once
	AddressFailures     int           `koanf:"address_failures"`      // failed logins of one network within Window that ban it
	AccountFailures     int           `koanf:"account_failures"`      // failed logins of one account within Window that ban it
	Window              time.Duration `koanf:"window"`                //
	BanTime             time.Duration `koanf:"ban_time"`              // of the first ban; each further one is twice as long
	BanTimeMax          time.Duration `koanf:"ban_time_max"`          // but no longer than this
	MaxPending          int           `koanf:"max_pending"`           // connections that are not logged in, on this node
	MaxPendingPerIP     int           `koanf:"max_pending_per_ip"`    // of one network
	ConnectionRate      int           `koanf:"connection_rate"`       // connections a second of one network
	ConnectionBurst     int           `koanf:"connection_burst"`      // that may come at once
	MaxHandshakes       int           `koanf:"max_handshakes"`        // TLS handshakes of control connections at a time
	CommandsBeforeLogin int           `koanf:"commands_before_login"` // of one connection
	BytesBeforeLogin    Size          `koanf:"bytes_before_login"`    // of one connection's command lines
}

func defaultGuard() Guard {
	return Guard{
		Allow:               Networks{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		AddressFailures:     10,
		AccountFailures:     50,
		Window:              10 * time.Minute,
		BanTime:             10 * time.Minute,
		BanTimeMax:          24 * time.Hour,
		MaxPending:          1000,
		MaxPendingPerIP:     50,
		ConnectionRate:      50,
		ConnectionBurst:     200,
		MaxHandshakes:       64,
		CommandsBeforeLogin: 100,
		BytesBeforeLogin:    16 * KiB,
	}
}

func (ck *checker) guard(g Guard) {
	for key, n := range map[string]int64{
		"guard.address_failures": int64(g.AddressFailures), "guard.account_failures": int64(g.AccountFailures),
		"guard.max_pending": int64(g.MaxPending), "guard.max_pending_per_ip": int64(g.MaxPendingPerIP),
		"guard.connection_rate": int64(g.ConnectionRate), "guard.connection_burst": int64(g.ConnectionBurst),
		"guard.max_handshakes": int64(g.MaxHandshakes), "guard.commands_before_login": int64(g.CommandsBeforeLogin),
	} {
		ck.notNegative(key, n)
	}
	ck.require(g.Window >= time.Second, "guard.window", "%s is too short: write 1s or more", g.Window)
	ck.require(g.BanTime >= time.Second, "guard.ban_time", "%s is too short: write 1s or more", g.BanTime)
	ck.require(g.BanTimeMax >= g.BanTime, "guard.ban_time_max", "%s is shorter than guard.ban_time %s", g.BanTimeMax, g.BanTime)
	ck.require(g.MaxPending == 0 || g.MaxPending >= 4, "guard.max_pending", "%d is too few: write 4 or more, or 0 for no limit", g.MaxPending)
	ck.require(g.CommandsBeforeLogin == 0 || g.CommandsBeforeLogin >= 6, "guard.commands_before_login",
		"%d is too few for clients to log in: write 6 or more, or 0 for no limit", g.CommandsBeforeLogin)
	ck.require(g.BytesBeforeLogin == 0 || g.BytesBeforeLogin >= KiB, "guard.bytes_before_login",
		"%s is too little for clients to log in: write 1KiB or more, or 0 for no limit", g.BytesBeforeLogin)
}
