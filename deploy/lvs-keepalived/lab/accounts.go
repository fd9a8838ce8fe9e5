package main

import (
	"fmt"
	"path/filepath"
)

// Accounts of the lab. The password of each is its name.
const (
	fast = "fast"
	slow = "slow" // moves slowBytes a second, so that its transfers last
)

// slowBytes is the rate of the account slow.
const slowBytes = 512 << 10

// prepareAccounts migrates the database and makes the accounts, by SQL.
func (l *lab) prepareAccounts() error {
	if _, err := l.command(l.spdserver("migrate", "--config", l.nodes[0].config())...); err != nil {
		return err
	}
	for name, rate := range map[string]int{fast: 0, slow: slowBytes} {
		_, err := l.database.query(fmt.Sprintf(
			"INSERT INTO users (username, password, bucket, prefix, permissions, status, download_rate, upload_rate) "+
				"VALUES ('%[1]s', '{plain}%[1]s', 'spd', '%[1]s/', 'rw', 'active', %[2]d, 0)", name, rate))
		if err != nil {
			return err
		}
	}
	return nil
}

// spdserver is a command line of the program under test.
func (l *lab) spdserver(args ...string) []string {
	return append([]string{filepath.Join(l.bin, "spdserver-lab")}, args...)
}
