#!/usr/bin/env bash
# Fuzzes every Fuzz function for FUZZTIME (default 20s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."

grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r package; do
	grep -ho '^func Fuzz[A-Za-z0-9_]*' "$package"/*_test.go | cut -d' ' -f2 | while read -r target; do
		echo "== $package $target"
		go test -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-20s}" "$package" </dev/null
	done
done
