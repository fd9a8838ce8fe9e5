#!/usr/bin/env bash
# Installs what the tests and the linter need and what is missing: Debian packages, and
# Go programs in .tools/bin. With arguments (system, gui, lab, minio, golangci-lint), only those.
set -euo pipefail
cd "$(dirname "$0")/.."

minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
golangci_version=v2.15.0
bin=$PWD/.tools/bin

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

has() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }

# The tests start their own servers. Of MariaDB they need only the programs, and the
# -core packages have those without a system service.
system() {
	local want=()
	has mariadbd && has mariadb-install-db || want+=(mariadb-server-core)
	has mariadb && has my_print_defaults || want+=(mariadb-client-core)
	has lftp || want+=(lftp)
	has ncftpput || want+=(ncftp)
	has curl || want+=(curl)
	has openssl || want+=(openssl)
	has rsyslogd || want+=(rsyslog)
	has webalizer || want+=(webalizer) # reads xferlog
	compgen -G '/usr/lib/*/rsyslog/lmnsd_ossl.so' >/dev/null || want+=(rsyslog-openssl)
	has python3 || want+=(python3) # for ftplib, and examples in the documentation
	has gcc || want+=(gcc libc6-dev) # for the race detector
	has keepalived || want+=(keepalived) # these accept what "spdserver lvs render" writes
	has nft || want+=(nftables)
	has iptables-legacy || want+=(iptables)
	has ip || want+=(iproute2)
	apt_install "${want[@]}"
}

# For "make test-gui": FileZilla, a screen without a monitor, a window manager, what moves
# mouse and keys, and what takes pictures.
gui() {
	local want=()
	has filezilla || want+=(filezilla)
	has Xvfb || want+=(xvfb)
	has openbox || want+=(openbox)
	has xdotool || want+=(xdotool)
	has import || want+=(imagemagick)
	apt_install "${want[@]}"
}

# For "make lab": machines of their own for the directors, and what they run.
lab() {
	local want=()
	has linux.uml || want+=(user-mode-linux)
	has ipvsadm || want+=(ipvsadm)
	has modprobe || want+=(kmod)
	has sysctl || want+=(procps)
	apt_install "${want[@]}"
}

apt_install() {
	[ $# -gt 0 ] || return 0
	if ! has apt-get; then
		echo "tools.sh: please install: $*" >&2
		return 1
	fi
	echo "tools.sh: installing $*"
	as_root apt-get update -q
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

# go_install NAME PACKAGE VERSION puts a program into .tools/bin, unless that version is
# there. It builds outside of this module, so go.mod has no say.
go_install() {
	local name=$1 package=$2 version=$3
	local stamp=$bin/.$name-$version
	[ -x "$bin/$name" ] && [ -e "$stamp" ] && return
	echo "tools.sh: building $name $version (takes some minutes)"
	mkdir -p "$bin"
	(cd / && GOBIN=$bin GOFLAGS='' CGO_ENABLED=0 go install -trimpath "$package@$version")
	rm -f "$bin/.$name-"*
	touch "$stamp"
}

minio() { go_install minio github.com/minio/minio "$minio_version"; }

golangci-lint() {
	go_install golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint "$golangci_version"
}

[ $# -gt 0 ] || set -- system minio golangci-lint
for tool; do
	case $tool in
	system | gui | lab | minio | golangci-lint) "$tool" ;;
	*)
		echo "tools.sh: no such tool: $tool" >&2
		exit 2
		;;
	esac
done
