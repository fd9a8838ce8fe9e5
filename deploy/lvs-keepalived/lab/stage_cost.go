package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	costSessions = 100
	costIdle     = 10 * time.Second
	costAfter    = 6 * time.Second // for what nodes write later, by the beat
)

// stageCost measures what docs/scale.md multiplies: SQL statements and sync traffic.
func stageCost(l *lab) {
	idle := 0.0 // SQL statements a second, of all nodes
	l.check("SQL statements of idle nodes", func() (string, error) {
		count, err := l.statements(func() error { sleep(l.ctx, costIdle); return nil })
		idle = count / costIdle.Seconds()
		return fmt.Sprintf("%.2f a second and node", idle/float64(len(l.nodes))), err
	})
	var open []*session
	defer func() {
		for _, s := range open {
			s.quit()
		}
	}()
	each := func(what string, step func() error) {
		l.check(what, func() (string, error) {
			var statements float64
			sent, err := l.syncTraffic(func() (err error) {
				begun := time.Now()
				statements, err = l.statements(func() error {
					err := step()
					sleep(l.ctx, costAfter)
					return err
				})
				statements -= idle * time.Since(begun).Seconds()
				return err
			})
			return fmt.Sprintf("%.1f SQL statements and %.0f bytes of sync traffic each", statements/costSessions, sent/costSessions), err
		})
	}
	each(fmt.Sprintf("%d logins", costSessions), func() error {
		for i := range costSessions {
			s, err := connect(vip4, clientIP(i), plainFTP, fast)
			if err != nil {
				return err
			}
			open = append(open, s)
		}
		return nil
	})
	small := content{seed: 81, size: 1 << 10}
	each("an upload of 1 KiB in each", func() error {
		for i, s := range open {
			if err := s.upload("EPSV", fmt.Sprintf("/cost.%d", i), 0, small.reader(0)); err != nil {
				return err
			}
		}
		return nil
	})
	each("a download of 1 KiB in each", func() error {
		for i, s := range open {
			if err := small.verify(s, fmt.Sprintf("/cost.%d", i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// statements counts what the database is asked while something is done.
func (l *lab) statements(do func() error) (float64, error) {
	before, err := l.asked()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := l.asked()
	return after - before - 3, err // those of asked itself
}

func (l *lab) asked() (float64, error) {
	out, err := l.database.query("SHOW GLOBAL STATUS LIKE 'Queries'")
	if err != nil {
		return 0, err
	}
	return lastNumber(out)
}

func lastNumber(text string) (float64, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return 0, errNotYet
	}
	return strconv.ParseFloat(fields[len(fields)-1], 64)
}

// syncTraffic is how many bytes the active director tells the other one while something is
// done, and shortly after.
func (l *lab) syncTraffic(do func() error) (float64, error) {
	active, _, err := l.activeDirector()
	if err != nil {
		return 0, err
	}
	const rule = "OUTPUT -p udp --dport 8848"
	if _, err := active.shell("iptables-legacy -t mangle -A " + rule); err != nil {
		return 0, err
	}
	doErr := do()
	sleep(l.ctx, 3*time.Second) // the daemon gathers connections for up to two seconds
	out, err := active.shell("iptables-legacy -t mangle -L OUTPUT -v -x -n | awk '/dpt:8848/ {print $2}'; iptables-legacy -t mangle -D " + rule)
	if err := errors.Join(doErr, err); err != nil {
		return 0, err
	}
	return lastNumber(out)
}
