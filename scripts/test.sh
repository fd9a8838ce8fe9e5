#!/usr/bin/env bash
# Runs the tests with the race detector and sums up. Fails if one fails or is skipped.
#   PKGS=./config/... scripts/test.sh    only some packages
#   FLAGS='-run TestX'                   more flags for "go test"
set -euo pipefail
cd "$(dirname "$0")/.."

read -ra packages <<<"${PKGS:-./...}"
read -ra flags <<<"${FLAGS:-}"

mkdir -p .tools/bin
go build -o .tools/bin/testsummary ./scripts/testsummary
CGO_ENABLED=1 go test -json -race -count=1 -timeout=20m "${flags[@]}" "${packages[@]}" |
	.tools/bin/testsummary
