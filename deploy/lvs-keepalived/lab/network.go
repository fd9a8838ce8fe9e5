package main

import "fmt"

// The network:
//
//	clients 10.88.0.10-60 --- router --- switch --- d1 d2       10.77.0.2-3
//	                                           |--- n1 n2 ...   10.77.0.21-40
//	                                           |--- db          10.77.0.50
//	                                           '--- s3-1 ... 4  10.77.0.51-54
//
// The switch is a bridge in a namespace of its own. IPv6 is the same with fd77:: and fd88::.
const (
	vip4     = "10.77.0.100"
	vip6     = "fd77::100"
	maxNodes = 20
	clients  = 51 // addresses of the clients' machine
)

// clientIP is one of the clients' addresses, from 0.
func clientIP(i int) string { return fmt.Sprintf("10.88.0.%d", 10+i%clients) }

const clientIP6 = "fd88::10"

// network makes router, switch and the clients' interface.
func (l *lab) network() error {
	err := l.commands(
		"ip link set lo up",
		"ip netns add switch",
		"ip -n switch link add br0 type bridge forward_delay 0 mcast_snooping 0",
		"ip -n switch link set br0 up",
		"ip -n switch link set lo up",
	)
	if err != nil {
		return err
	}
	if err := l.plugIn("router", 1); err != nil {
		return err
	}
	return l.clientNetwork()
}

func (l *lab) clientNetwork() error {
	err := l.commands(
		"ip link add eth0 type veth peer name wan netns router",
		"ip link set eth0 up",
		"ip -n router link set wan up",
		"ip -n router addr add 10.88.0.1/24 dev wan",
		"ip -n router addr add fd88::1/64 dev wan nodad",
		"ip netns exec router sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
		"ip netns exec router sysctl -q -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0",
		"ip addr add fd88::10/64 dev eth0 nodad",
	)
	for i := 0; i < clients && err == nil; i++ {
		err = l.commands(fmt.Sprintf("ip addr add %s/24 dev eth0", clientIP(i)))
	}
	if err != nil {
		return err
	}
	return l.commands("ip route add default via 10.88.0.1", "ip -6 route add default via fd88::1")
}

// plugIn makes a namespace with a cable to the switch.
func (l *lab) plugIn(name string, host int) error {
	err := l.commands(
		"ip netns add "+name,
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n switch link add p-%s type veth peer name eth0 netns %s", name, name),
		fmt.Sprintf("ip -n switch link set p-%s master br0 up", name),
		fmt.Sprintf("ip -n %s addr add 10.77.0.%d/24 dev eth0", name, host),
		fmt.Sprintf("ip -n %s addr add fd77::%d/64 dev eth0 nodad", name, host),
		fmt.Sprintf("ip -n %s link set eth0 up", name),
	)
	if err != nil || name == "router" {
		return err
	}
	return l.commands(
		fmt.Sprintf("ip -n %s route add default via 10.77.0.1", name),
		fmt.Sprintf("ip -n %s -6 route add default via fd77::1", name),
	)
}

// cable plugs a machine in or out.
func (l *lab) cable(name, state string) error {
	return l.commands(fmt.Sprintf("ip -n switch link set p-%s %s", name, state))
}
