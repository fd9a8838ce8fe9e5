package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// director is a virtual machine with ip_vs and keepalived, configured by the files that lvs
// render wrote. Its disk is the host's, read only.
type director struct {
	lab    *lab
	number int
	vm     *process
}

func newDirector(l *lab, number int) *director { return &director{lab: l, number: number} }

func (d *director) name() string  { return fmt.Sprintf("d%d", d.number) }
func (d *director) host() int     { return d.number + 1 }
func (d *director) ip() string    { return fmt.Sprintf("10.77.0.%d", d.host()) }
func (d *director) agent() string { return d.ip() + ":7777" }
func (d *director) files() string { return filepath.Join(d.lab.rendered(), d.name()) }

// bootLimit: a virtual machine boots in one or two seconds on an idle host.
const bootLimit = 60 * time.Second

func (l *lab) startDirectors() error {
	for _, d := range l.directors {
		tap := "tap-" + d.name()
		if err := l.commands(
			"ip -n switch tuntap add "+tap+" mode tap",
			"ip -n switch link set "+tap+" master br0 up",
		); err != nil {
			return err
		}
		if err := d.boot(); err != nil {
			return err
		}
	}
	return nil
}

// boot powers the machine on. uml/director-init.sh is its init.
func (d *director) boot() error {
	here, err := sourceDir()
	if err != nil {
		return err
	}
	env := []string{"LD_PRELOAD=" + filepath.Join(d.lab.bin, "umlfp.so"), "HOME=" + work, "TMPDIR=/dev/shm"}
	d.vm, err = d.lab.start("vm-"+d.name(), "switch", env, "linux.uml", "mem=192M",
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null", "con0=null,fd:1", "ssl=null",
		fmt.Sprintf("vec0:transport=tap,ifname=tap-%s,depth=64,gro=1,mac=02:77:00:00:00:0%d", d.name(), d.number),
		"umid=spd-"+d.name()+"-"+strconv.FormatInt(time.Now().UnixNano(), 36),
		"init="+filepath.Join(here, "uml/director-init.sh"),
		"spd.host="+strconv.Itoa(d.host()), "spd.out="+d.lab.out, "spd.agent="+filepath.Join(d.lab.bin, "lvs-lab"))
	return err
}

// sourceDir is where this program's shell scripts are.
func sourceDir() (string, error) {
	dir := os.Getenv("LVS_LAB")
	if _, err := os.Stat(filepath.Join(dir, "uml/director-init.sh")); err != nil {
		return "", fmt.Errorf("the lab's own scripts: %w", err)
	}
	return dir, nil
}

func (l *lab) awaitDirectors() error {
	for _, d := range l.directors {
		if _, err := l.await(d.name()+" has booted", bootLimit, d.alive); err != nil {
			return err
		}
	}
	return nil
}

func (d *director) alive() error { _, err := d.shell("true"); return err }

// shell runs a script in the machine.
func (d *director) shell(script string) (string, error) { return askAgent(d.agent(), script) }

func (l *lab) startKeepalived() error {
	for i, d := range l.directors {
		if err := d.startKeepalived(); err != nil {
			return err
		}
		if i == 0 { // so that everybody knows which one is active
			if _, err := l.await("d1 has the VIP", nodeLimit, d.active); err != nil {
				return err
			}
		}
	}
	return nil
}

// startKeepalived does what the units of a director do.
func (d *director) startKeepalived() error {
	_, err := d.shell(fmt.Sprintf(`set -e
%[1]s/etc/spd-lvs/setup up
keepalived --dont-fork --log-console --log-detail --use-file %[1]s/etc/keepalived/keepalived.conf \
	--pid /run/keepalived.pid --vrrp_pid /run/vrrp.pid --checkers_pid /run/checkers.pid \
	</dev/null >>/run/out/keepalived-%[2]s.log 2>&1 &`, d.files(), d.name()))
	return err
}

// active tells whether this director has the VIP.
func (d *director) active() error {
	out, err := d.shell("ip -4 addr show dev eth0")
	if err != nil {
		return err
	}
	if !strings.Contains(out, vip4+"/") {
		return errNotYet
	}
	return nil
}

// handOver gives the VIP away, or (false) lets it come back should the other one fail.
func (d *director) handOver(away bool) error {
	value := "0"
	if away {
		value = "1"
	}
	_, err := d.shell("echo " + value + " > /run/spd-lvs/hand-over")
	return err
}

// crash is what pulling the plug does.
func (d *director) crash() { d.vm.signal(syscall.SIGKILL) }

// weights are what the control service gives each node, by its address.
func (d *director) weights() (map[string]int, error) {
	out, err := d.shell("ipvsadm --list --numeric")
	if err != nil {
		return nil, err
	}
	weights := make(map[string]int)
	control := false
	for line := range strings.Lines(out) {
		switch fields := strings.Fields(line); {
		case len(fields) >= 2 && fields[0] == "FWM":
			control = fields[1] == "1000"
		case control && len(fields) >= 4 && fields[0] == "->":
			weight, err := strconv.Atoi(fields[3])
			if err != nil {
				return nil, err
			}
			weights[strings.TrimSuffix(fields[1], ":0")] = weight
		}
	}
	return weights, nil
}

var errOtherWeight = errors.New("the director thinks otherwise")

// sees tells whether the director sends new sessions to a node, or does not.
func (d *director) sees(n *node, ready bool) error {
	weights, err := d.weights()
	if err != nil {
		return err
	}
	if weight, ok := weights[n.ip()]; !ok || (weight > 0) != ready {
		return errOtherWeight
	}
	return nil
}

// activeDirector is the one that has the VIP, and standby the other.
func (l *lab) activeDirector() (active, standby *director, err error) {
	for i, d := range l.directors {
		if d.active() == nil {
			return d, l.directors[1-i], nil
		}
	}
	return nil, nil, errors.New("no director has the VIP")
}

// awaitCluster waits until both directors send new sessions to all nodes.
func (l *lab) awaitCluster() error {
	for _, d := range l.directors {
		for _, n := range l.nodes {
			if _, err := l.await(fmt.Sprintf("%s sees %s", d.name(), n.name()), nodeLimit, func() error { return d.sees(n, true) }); err != nil {
				return err
			}
		}
	}
	return nil
}
