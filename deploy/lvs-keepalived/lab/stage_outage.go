package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	databaseGone  = 30 * time.Second
	recoveryLimit = 5 * time.Second // until new logins work after the database is back
	storeGone     = 10 * time.Second
)

func stageOutage(l *lab) {
	l.check(fmt.Sprintf("database gone for %s", databaseGone), l.loseDatabase)
	l.check("one of four store nodes killed and revived under load", l.loseStore)
}

// loseDatabase: what runs goes on; new sessions wait, or are told to come again.
func (l *lab) loseDatabase() (string, error) {
	data := content{seed: 51, size: 20 * slowBytes}
	if err := l.put("/outage.down", data); err != nil {
		return "", err
	}
	up := &flow{mode: "EPSV", up: true, how: plainFTP, path: "/outage.up", data: data, rate: slowBytes}
	down := &flow{mode: "EPSV", how: explicit, path: "/outage.down", data: data}
	if err := l.nodes[0].begin(up, down); err != nil {
		return "", err
	}
	sleep(l.ctx, time.Second)
	l.database.process.kill()
	begun := time.Now()
	newcomers := l.startNewcomers(begun.Add(databaseGone))
	downErr := down.wait()
	sleep(l.ctx, time.Until(begun.Add(databaseGone)))
	if startErr := l.database.start(); startErr != nil {
		return "", startErr
	}
	if _, err := l.await("the database is back", backendLimit, func() error { _, err := l.database.query("SELECT 1"); return err }); err != nil {
		return "", err
	}
	recovered, recoverErr := l.await("a login", nodeLimit, quickLogin)
	upText, upErr := l.finishedOrResumed(up)
	answers, err := newcomers.end()
	measured := fmt.Sprintf("%s; upload that had begun: %s; download ended; logins %s after it was back", answers, upText, seconds(recovered))
	err = errors.Join(err, downErr, upErr, recoverErr, atMost("recovery", recovered, recoveryLimit))
	return measured, errors.Join(err, l.awaitCluster())
}

// newcomers are clients that come while the database is away, one a second. Each must be told
// to come again (421), or wait until it is let in. None may hear that its password is wrong.
type newcomers struct {
	done sync.WaitGroup

	mu     sync.Mutex
	counts map[string]int
	wrong  error
}

func (l *lab) startNewcomers(until time.Time) *newcomers {
	n := &newcomers{counts: make(map[string]int)}
	n.done.Go(func() {
		for i := 0; time.Now().Before(until) && l.ctx.Err() == nil; i++ {
			n.done.Go(func() { n.come(clientIP(i)) })
			sleep(l.ctx, time.Second)
		}
	})
	return n
}

// newcomerLimit is how long a client tries to connect: as long as Linux does by default.
const newcomerLimit = 2 * time.Minute

func (n *newcomers) come(from string) {
	s, err := connectWithin(newcomerLimit, vip4, from, plainFTP, fast)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil:
		s.quit()
		n.counts["let in"]++
	case hasReply(err, "421"):
		n.counts["told 421"]++
	default:
		n.wrong = fmt.Errorf("a client was neither let in nor told 421: %w", err)
	}
}

func (n *newcomers) end() (string, error) {
	n.done.Wait()
	return fmt.Sprintf("%d newcomers told 421, %d waited and were let in", n.counts["told 421"], n.counts["let in"]), n.wrong
}

// quickLogin is a new client that does not wait for a connection.
func quickLogin() error {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(vip4, "21"), 200*time.Millisecond)
	if err != nil {
		return err
	}
	_ = conn.Close() // it only shows that there is a way
	s, err := connect(vip4, clientIP(0), plainFTP, fast)
	if err == nil {
		s.quit()
	}
	return err
}

// finishedOrResumed: an upload that lasted through a fault is whole, or goes on where it was.
func (l *lab) finishedOrResumed(up *flow) (string, error) {
	err := up.wait()
	if err == nil {
		s, err := connect(vip4, clientIP(0), plainFTP, fast)
		if err != nil {
			return "", err
		}
		defer s.quit()
		return "226", up.data.verify(s, up.path)
	}
	text, resumeErr := resume(up, nil)
	return text, errors.Join(resumeErr)
}

// loseStore: three of four MinIO servers are enough to read and to write.
func (l *lab) loseStore() (string, error) {
	load := l.startLoad()
	sleep(l.ctx, 2*time.Second)
	lost := l.stores[0] // the first address of s3.lab
	lost.process.kill()
	sleep(l.ctx, storeGone)
	if err := lost.start(); err != nil {
		return "", err
	}
	back, err := l.await("the store is whole", backendLimit, lost.healthy)
	sleep(l.ctx, 2*time.Second)
	load.end()
	measured := fmt.Sprintf("%s; store whole again %s after its start", load, seconds(back))
	return measured, errors.Join(err, load.err(), l.awaitCluster())
}
