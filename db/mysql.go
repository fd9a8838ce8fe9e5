package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlSource is a database of a MySQL or MariaDB server.
type mysqlSource struct{ config *mysql.Config }

var _ source = mysqlSource{}

// parseMySQL reads what follows "mysql://". The errors of net/url quote what they cannot
// read, password included, so user and password are cut off by hand.
func parseMySQL(rest string, log *slog.Logger) (source, error) {
	at := strings.LastIndex(rest, "@")
	user, pass, _ := strings.Cut(rest[:max(at, 0)], ":")
	host, name, ok := strings.Cut(rest[at+1:], "/")
	if !ok || name == "" || strings.HasPrefix(name, "?") {
		return nil, errors.New("database dsn: no database name: use mysql://user:password@host:3306/name")
	}
	cfg, err := mysql.ParseDSN("tcp(" + host + ")/" + name)
	if err != nil {
		return nil, fmt.Errorf("database dsn: %w", err)
	}
	cfg.User, cfg.Passwd = unescape(user), unescape(pass)
	return mysqlSource{config: cfg}, configureMySQL(cfg, log)
}

// unescape decodes percent-encoding, or takes s as it is if it is none.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

func configureMySQL(cfg *mysql.Config, log *slog.Logger) error {
	cfg.ParseTime = true
	cfg.Loc = time.UTC
	cfg.ClientFoundRows = true   // an UPDATE that changes nothing has found its row all the same
	cfg.InterpolateParams = true // one round trip for a query instead of three
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Params == nil {
		cfg.Params = make(map[string]string)
	}
	cfg.Params["time_zone"] = "'+00:00'"
	// Nothing is cut short in silence.
	cfg.Params["sql_mode"] = "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return cfg.Apply(mysql.Charset("utf8mb4", ""), func(c *mysql.Config) error {
		c.Logger = driverLog{log}
		return nil
	})
}

func (s mysqlSource) open(timeout time.Duration, maxConns int) (*sql.DB, error) {
	cfg := s.config.Clone()
	timeout += time.Second // contexts end first, and with a better error
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = timeout
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = timeout
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxIdleTime(2 * time.Minute)
	db.SetConnMaxLifetime(10 * time.Minute) // a server that was replaced is left soon
	return db, nil
}

// lock takes a named lock of the server, one for each database, on a connection of its
// own: the server frees it when that connection ends, however it ends.
func (s mysqlSource) lock(ctx context.Context, db *sql.DB) (func() error, error) {
	const name = "CONCAT('spd-migrate-', MD5(DATABASE()))"
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for {
		var got sql.NullInt64 // 1: have it; 0: not within the second
		err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", 1)").Scan(&got)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		if got.Int64 == 1 {
			break
		}
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, err := conn.ExecContext(ctx, "DO RELEASE_LOCK("+name+")")
		return errors.Join(err, conn.Close())
	}, nil
}

func (mysqlSource) dialect() dialect { return mysqlDialect() }

// driverLog receives what the driver has to say; all of it comes back as an error too.
type driverLog struct{ log *slog.Logger }

func (l driverLog) Print(v ...any) { l.log.Debug("mysql driver", "message", fmt.Sprint(v...)) }
