#!/usr/bin/env bash
# Prepares and runs the lab: run.sh [-full] [-nodes N] [-scheduler rr] [-stages up,modes,...]. Root, Debian 12.
#   SPDSERVER=file   tests this program instead of building one
set -euo pipefail
cd "$(dirname "$0")/../../.."
here=$PWD/deploy/lvs-keepalived/lab bin=$PWD/.tools/bin out=$PWD/.tools/lab

[ "$(id -u)" -eq 0 ] || { echo "lab: needs root, for network namespaces" >&2; exit 2; }
scripts/tools.sh system minio lab

mkdir -p "$bin"
if [ -n "${SPDSERVER:-}" ]; then
	cp "$SPDSERVER" "$bin/spdserver-lab"
else
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$bin/spdserver-lab" ./cmd/spdserver
fi
CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$bin/lvs-lab" ./deploy/lvs-keepalived/lab
gcc -O2 -Wall -shared -fPIC -o "$bin/umlfp.so" "$here/uml/umlfp.c"
rm -rf "$out"
mkdir -p "$out"

# Namespaces of its own for network, mounts and processes: whatever happens, all of it is gone
# when the lab ends, and the host's network is never touched.
export LVS_LAB=$here
exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private sh -euc '
	mount -t tmpfs tmp /run
	mkdir -p /run/lock
	exec "$@"' lab "$bin/lvs-lab" -bin "$bin" -out "$out" "$@"
