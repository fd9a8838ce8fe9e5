package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

const (
	killedLimit    = 2 * time.Second // until directors send nothing more to a dead process
	unpluggedLimit = 4 * time.Second // ... to a node without a cable
	outLimit       = 15 * time.Second
)

// Files for what is interrupted. Only whole parts (8 MiB) of an upload are durable.
var (
	interruptedUp   = content{seed: 21, size: 40 << 20} //nolint:gochecknoglobals // a constant
	interruptedDown = content{seed: 22, size: 8 << 20}  //nolint:gochecknoglobals // a constant
)

func stageKill(l *lab) {
	n := l.nodes[0]
	l.check("process killed: out of the pool, its transfers go on elsewhere", func() (string, error) {
		return l.lose(n, killedLimit, func() error { n.process.kill(); return nil })
	})
	l.check("process started again: back in the pool", func() (string, error) {
		begun := time.Now()
		if err := n.start(); err != nil {
			return "", err
		}
		err := l.awaitCluster()
		return "after " + since(begun), err
	})
	l.check("lftp goes on with an upload by itself", func() (string, error) { return l.lftpGoesOn(true) })
	l.check("lftp goes on with a download by itself", func() (string, error) { return l.lftpGoesOn(false) })
}

func stageUnplug(l *lab) {
	n := l.nodes[len(l.nodes)-1]
	l.check("node unplugged: out of the pool, its transfers go on elsewhere", func() (string, error) {
		return l.lose(n, unpluggedLimit, func() error { return l.cable(n.name(), "down") })
	})
	l.check("node plugged in again: back in the pool", func() (string, error) {
		begun := time.Now()
		if err := l.cable(n.name(), "up"); err != nil {
			return "", err
		}
		err := l.awaitCluster()
		return "after " + since(begun), err
	})
}

// lose makes a node go away while it has an upload and a download, and goes on with both.
func (l *lab) lose(n *node, limit time.Duration, away func() error) (string, error) {
	up := &flow{mode: "EPSV", up: true, how: plainFTP, path: "/lost.up." + n.name(), data: interruptedUp, rate: 8 << 20}
	down := &flow{mode: "PASV", how: explicit, path: "/lost.down." + n.name(), data: interruptedDown}
	if err := l.put(down.path, down.data); err != nil {
		return "", err
	}
	if err := n.begin(up, down); err != nil {
		return "", err
	}
	if _, err := l.await("20 MiB are up", outLimit, func() error { return moved(up, 20<<20) }); err != nil {
		return "", err
	}
	director, _, err := l.activeDirector()
	if err != nil {
		return "", err
	}
	probe := startProbe()
	begun := time.Now()
	if err := away(); err != nil {
		return "", err
	}
	out, err := l.await("the director notices", outLimit, func() error { return director.sees(n, false) })
	sleep(l.ctx, time.Second) // more sessions, which must all come about
	probe.end()
	up.abandon()
	down.abandon()
	if err != nil {
		return "", err
	}
	refused, err := probe.onlyWithin(begun, begun.Add(limit))
	measured := fmt.Sprintf("after %s; %s", seconds(out), refused)
	if err := errors.Join(err, atMost("to be out of the pool", out, limit)); err != nil {
		return measured, err
	}
	resumed, err := resume(up, down)
	return measured + "; " + resumed, err
}

// begin starts transfers that all run on one node.
func (n *node) begin(flows ...*flow) error {
	for i, f := range flows {
		user := slow
		if f.up {
			user = fast // paced by the client
		}
		s, err := connectTo(n, clientIP(40+i), f.how, user)
		if err != nil {
			return err
		}
		f.start(s)
	}
	return nil
}

func moved(f *flow, bytes int64) error {
	if f.moved.Load() < bytes {
		return errNotYet
	}
	return nil
}

// put stores a file for the accounts slow and fast.
func (l *lab) put(path string, data content) error {
	for _, user := range []string{slow, fast} {
		s, err := connect(vip4, clientIP(0), plainFTP, user)
		if err != nil {
			return err
		}
		err = s.upload("EPSV", path, 0, data.reader(0))
		s.quit()
		if err != nil {
			return err
		}
	}
	return nil
}

// resume goes on with an upload where the server says, and with a download where it ended.
func resume(up, down *flow) (string, error) {
	s, err := connect(vip4, clientIP(0), plainFTP, fast)
	if err != nil {
		return "", err
	}
	defer s.quit()
	offset, err := s.size(up.path)
	if err != nil {
		return "", fmt.Errorf("size of what is durable: %w", err)
	}
	if err := s.upload("EPSV", up.path, offset, up.data.reader(offset)); err != nil {
		return "", fmt.Errorf("resume at %d: %w", offset, err)
	}
	if err := up.data.verify(s, up.path); err != nil {
		return "", err
	}
	if down != nil {
		rest := down.moved.Load()
		got := newPart(down.data, rest)
		if err := s.download("EPSV", down.path, rest, got); err != nil {
			return "", fmt.Errorf("resume the download at %d: %w", rest, err)
		}
		if err := got.complete(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("resumed at %d MiB of %d on %s, SHA-256 equal", offset>>20, up.data.size>>20, s.node), nil
}

// greeting is how lftp shows, when asked to, on which node it is.
var greeting = regexp.MustCompile(`220 SPD on (n\d+)`)

// lftpGoesOn kills the node that lftp is on, and leaves the rest to it.
func (l *lab) lftpGoesOn(up bool) (string, error) {
	file, err := localFile("lftp.big", interruptedUp)
	if err != nil {
		return "", err
	}
	back, log := filepath.Join(work, "lftp.back"), filepath.Join(l.out, "lftp.log")
	_ = os.Remove(log) // of the direction before
	if err := l.put("/lftp.down", interruptedUp); err != nil {
		return "", err
	}
	transfer := "get -c lftp.down -o " + back
	if up {
		transfer = "put -c " + file + " -o lftp.up"
	}
	script := fmt.Sprintf("debug -o %s 5; set net:reconnect-interval-base 1; set net:reconnect-interval-multiplier 1; set net:timeout 10; "+
		"set ftp:ssl-allow no; set net:limit-total-rate 8M:8M; open ftp://%s:%[2]s@%s; %s", log, fast, vip4, transfer)
	cmd := exec.Command("lftp", "--norc", "-c", script)
	ended := make(chan error, 1)
	go func() { // ends with lftp, within commandLimit or when the lab ends
		_, err := output(cmd)
		ended <- err
	}()
	sleep(l.ctx, 3*time.Second)
	on, err := lastGreeting(log)
	if err != nil {
		return "", err
	}
	n, err := l.byName(on)
	if err != nil {
		return "", err
	}
	n.process.kill()
	select {
	case err = <-ended:
	case <-time.After(commandLimit):
		_ = cmd.Process.Kill() // it has failed
		err = errors.New("lftp does not end")
	}
	if err := errors.Join(err, n.start()); err != nil {
		return "", err
	}
	if _, err := l.await(n.name()+" is back", nodeLimit, l.awaitCluster); err != nil {
		return "", err
	}
	then, err := lastGreeting(log)
	if err != nil {
		return "", err
	}
	if then == on {
		return "", fmt.Errorf("it ended on %s, which was killed: too late", on)
	}
	if !up {
		return fmt.Sprintf("from %s to %s, content equal", on, then), sameFile(back, file)
	}
	s, err := connect(vip4, clientIP(0), plainFTP, fast)
	if err != nil {
		return "", err
	}
	defer s.quit()
	return fmt.Sprintf("from %s to %s, SHA-256 equal", on, then), interruptedUp.verify(s, "/lftp.up")
}

func lastGreeting(log string) (string, error) {
	data, err := os.ReadFile(log)
	if err != nil {
		return "", err
	}
	found := greeting.FindAllSubmatch(data, -1)
	if len(found) == 0 {
		return "", errors.New("lftp has not connected")
	}
	return string(found[len(found)-1][1]), nil
}
