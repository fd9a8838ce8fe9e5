package main

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/spdscheme/spdserver/config"
)

// A control connection says nothing while a long transfer goes on. It must be heard of long
// before a balancer forgets it: IPVS does after 900 seconds.
func TestControlConnectionsAreKeptAlive(t *testing.T) {
	const most = 900 / 2 // seconds
	l, err := listen("ftp.listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody uses it
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // nothing was said
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing was said
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		on, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		idle, _ := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
		if on != 1 || idle < 1 || idle > most {
			t.Errorf("keep-alive %d, after %d s", on, idle)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each node may be told its name and its ports by its environment.
func TestNodeFromTheEnvironment(t *testing.T) {
	cfg, err := config.Load("", []string{
		"SPD_DATABASE_DSN=sqlite:///spd.db", "SPD_CLUSTER_NODE=spd-3", "SPD_FTP_PASSIVE_PORTS=50600-50799",
	})
	if err != nil {
		t.Fatal(err)
	}
	if nodeName(cfg) != "spd-3" || cfg.FTP.PassivePorts != (config.PortRange{First: 50600, Last: 50799}) {
		t.Errorf("%s, %s", nodeName(cfg), cfg.FTP.PassivePorts)
	}
	if cfg.Cluster.Node = ""; nodeName(cfg) != hostName() {
		t.Errorf("without a name it is %s", nodeName(cfg))
	}
}
