package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	s3Key, s3Secret = "labkey", "labsecret"
	databaseHost    = 50
	storeHost       = 50 // plus the number of the store node
	backendLimit    = 60 * time.Second
)

// store is one of four MinIO servers, which together survive the loss of one.
type store struct {
	lab     *lab
	number  int
	process *process
}

func (s *store) name() string { return fmt.Sprintf("s3-%d", s.number) }
func (s *store) ip() string   { return fmt.Sprintf("10.77.0.%d", storeHost+s.number) }

// startStores starts four servers that are one store, known as s3.lab to everybody.
func (l *lab) startStores() error {
	var hosts strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n")
	for i := 1; i <= 4; i++ {
		s := &store{lab: l, number: i}
		l.stores = append(l.stores, s)
		fmt.Fprintf(&hosts, "%s s3.lab\n", s.ip())
		if err := l.plugIn(s.name(), storeHost+i); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(work, "hosts"), []byte(hosts.String()), 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(filepath.Join(work, "hosts"), "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /etc/hosts: %w", err)
	}
	for _, s := range l.stores {
		if err := s.start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) start() error {
	args := []string{filepath.Join(s.lab.bin, "minio"), "server", "--quiet", "--address", s.ip() + ":9000"}
	for _, o := range s.lab.stores {
		args = append(args, fmt.Sprintf("http://%s:9000%s/minio/%d", o.ip(), work, o.number))
	}
	env := []string{
		"MINIO_ROOT_USER=" + s3Key, "MINIO_ROOT_PASSWORD=" + s3Secret, "MINIO_STORAGE_CLASS_STANDARD=EC:2",
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1", "MINIO_API_ROOT_ACCESS=on", "HOME=" + work, "GOMAXPROCS=2",
	}
	var err error
	s.process, err = s.lab.start(s.name(), s.name(), env, args...)
	return err
}

// healthy tells whether this server takes part in the store.
func (s *store) healthy() error {
	return httpOK(fmt.Sprintf("http://%s:9000/minio/health/cluster", s.ip()))
}

func (l *lab) awaitStores() error {
	for _, s := range l.stores {
		if _, err := l.await(s.name(), backendLimit, s.healthy); err != nil {
			return err
		}
	}
	return nil
}

func httpOK(url string) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	_ = response.Body.Close() // only the status matters
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return nil
}

// database is a MariaDB server.
type database struct {
	lab     *lab
	process *process
}

func (d *database) data() string   { return filepath.Join(work, "mariadb") }
func (d *database) socket() string { return filepath.Join(work, "mariadb.sock") }
func (d *database) ip() string     { return fmt.Sprintf("10.77.0.%d", databaseHost) }

const databaseInit = `CREATE DATABASE IF NOT EXISTS spd;
CREATE USER IF NOT EXISTS 'spd'@'%' IDENTIFIED BY 'spd';
GRANT ALL ON *.* TO 'spd'@'%';
`

func (l *lab) startDatabase() error {
	l.database = &database{lab: l}
	if err := l.plugIn("db", databaseHost); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "init.sql"), []byte(databaseInit), 0o644); err != nil {
		return err
	}
	if _, err := l.command("mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+l.database.data(),
		"--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return err
	}
	if err := l.database.start(); err != nil {
		return err
	}
	_, err := l.await("the database", backendLimit, func() error { _, err := l.database.query("SELECT 1"); return err })
	return err
}

func (d *database) start() error {
	var err error
	d.process, err = d.lab.start("mariadb", "db", nil, "mariadbd", "--no-defaults", "--user=root", "--datadir="+d.data(),
		"--socket="+d.socket(), "--bind-address=0.0.0.0", "--skip-name-resolve", "--max-connections=1000",
		"--max-connect-errors=1000000", "--innodb-flush-log-at-trx-commit=2", "--performance-schema=OFF",
		"--init-file="+filepath.Join(work, "init.sql"))
	return err
}

// query runs statements as an administrator would.
func (d *database) query(statements string) (string, error) {
	return d.lab.command("mariadb", "--no-defaults", "-uroot", "-S", d.socket(), "-N", "-B", "spd", "-e", statements)
}
