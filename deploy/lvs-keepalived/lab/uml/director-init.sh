#!/bin/bash
# The init of a director's virtual machine: file systems, modules, network, then the agent
# through which the lab does the rest. The kernel's command line has the parameters.
export PATH=/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run LC_ALL=C

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mkdir -p /run/home /run/lock /run/out /run/bin
ln -sf /proc/self/fd /dev/fd

for word in $(cat /proc/cmdline); do
	case $word in
	spd.host=*) host=${word#*=} ;;
	spd.out=*) out=${word#*=} ;;
	spd.agent=*) agent=${word#*=} ;;
	esac
done
mount -t hostfs none /run/out -o "$out"

# The disk has the modules in the place that Debian's package chose, not in /lib/modules.
mkdir -p /run/kmod/lib/modules
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/kmod/lib/modules/$(uname -r)"
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/kmod "$@"\n' >/run/bin/modprobe
chmod +x /run/bin/modprobe
echo /run/bin/modprobe >/proc/sys/kernel/modprobe

modprobe ipv6
ip link set lo up
ip link set vec0 name eth0
ip addr add "10.77.0.$host/24" dev eth0
ip -6 addr add "fd77::$host/64" dev eth0 nodad
ip link set eth0 up
ip route add default via 10.77.0.1
ip -6 route add default via fd77::1
hostname "d$((host - 1))"

exec "$agent" agent "10.77.0.$host:7777"
