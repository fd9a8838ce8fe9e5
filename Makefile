# "make" lists the targets. PKGS narrows test and lint: make test PKGS=./config/...

PKGS     ?= ./...
FUZZTIME ?= 20s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

export PKGS FUZZTIME

.PHONY: help build test test-gui bench bench-encoding lab lab-full lint fuzz tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

build: ## build ./spdserver, static
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.release=$(VERSION)' -o spdserver ./cmd/spdserver

test: ## run all tests against real servers, with the race detector
	@scripts/tools.sh system minio
	@scripts/test.sh

test-gui: ## drive FileZilla on a virtual screen; screenshots of failures stay in .tools/gui
	@scripts/tools.sh system minio gui
	@mkdir -p .tools/gui
	go test -race -count=1 -timeout=10m -tags gui -run '^TestFileZilla$$' -artifacts -outputdir "$(CURDIR)/.tools/gui" ./integration

bench: ## measure it next to the bare S3 client; SCENARIO=small-up, QUICK=1, PROFILE=1
	@scripts/tools.sh system minio
	@go run ./bench

bench-encoding: ## measure how often the charset of file names is found
	@go run ./encoding/internal/measure

lab: ## prove the cluster on the real IPVS, the short set; root, Debian 12 (2 minutes)
	@deploy/lvs-keepalived/lab/run.sh

lab-full: ## all of it, with 10 nodes
	@deploy/lvs-keepalived/lab/run.sh -full -nodes 10

lint: ## look for mistakes and for breaches of the layers
	@scripts/tools.sh golangci-lint
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmted: $$unformatted"; exit 1; }
	go vet -tags gui $(PKGS)
	.tools/bin/golangci-lint run --build-tags gui $(PKGS)

fuzz: ## fuzz every target for FUZZTIME (20s)
	@scripts/fuzz.sh

tools: ## install what tests and linter need and what is missing
	@scripts/tools.sh

clean: ## remove what was built, but not the tools
	rm -rf spdserver coverage.out .tools/bin/spdserver-race .tools/bin/spdserver-plain .tools/bin/testsummary .tools/mariadb-template .tools/gui
