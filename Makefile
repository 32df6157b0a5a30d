# make help says what there is. Tools that are not Go's own are built into
# .tools/ at the versions below; git ignores both it and .bin/.

GO            ?= go
GOLANGCI_LINT := v2.12.2
PROTOC        := 3.21
# go.mod decides: the generator and the library it generates for go together.
PROTOC_GEN_GO  = $(shell $(GO) list -m -f '{{.Version}}' google.golang.org/protobuf 2>/dev/null)
PROTOS        := state/wire/state.proto tiers/wire/session.proto
TOOLS         := $(CURDIR)/.tools
FUZZ_TIME     ?= 10s
# RACE=1 turns the race detector on, in the tests and in the processes they start.
RACE          ?=
# Never from the cache: it can't see that a test runs a product that has changed.
TEST_FLAGS    := $(if $(RACE),-race) -count=1 -timeout 15m
VERSION        = $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

.DEFAULT_GOAL := help
.PHONY: help build demo test race vet lint generate check-generated fuzz clean

help: ## say what there is
	@echo "Pharos: Docker Compose apps on every device of a factory, from one place."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build .bin/pharos, the product, and .bin/testnet, which runs factories to try it on
	$(GO) build -trimpath -ldflags "-s -w -X main.built=$(VERSION)" -o .bin/pharos ./cmd/pharos
	$(GO) build -trimpath -o .bin/testnet ./cmd/testnet

demo: build ## show what it does: a factory of seven nodes on this machine, in a minute
	@.bin/testnet demo

# Go tells nobody of skipped tests, so that is said here, where it can't be
# overlooked. With PHAROS_REQUIRE_ENGINE=1 those tests fail instead.
test: ## run all tests, those on a real Docker Engine too (RACE=1: with the race detector)
	@$(GO) test $(TEST_FLAGS) ./...; code=$$?; \
	docker version >/dev/null 2>&1 || echo "!!! NO DOCKER ENGINE ANSWERS: all tests on a real engine were SKIPPED (PHAROS_REQUIRE_ENGINE=1 makes that a failure)"; \
	exit $$code

race: ## run all tests with the race detector
	@$(MAKE) --no-print-directory test RACE=1

vet: ## run go vet
	$(GO) vet ./...

lint: $(TOOLS)/golangci-lint-$(GOLANGCI_LINT) ## run the linters of .golangci.yml, which says why each is there
	$< run ./...

generate: $(TOOLS)/protoc-gen-go-$(PROTOC_GEN_GO) ## make the Go code of the wire messages anew
	@protoc --version | grep -q ' $(PROTOC)\.' || { echo "protoc $(PROTOC) is needed (Debian: protobuf-compiler), and this is: $$(protoc --version)"; exit 1; }
	protoc --plugin=protoc-gen-go=$< --go_out=. --go_opt=module=pharos $(PROTOS)

# Whatever generating changes was not generated from these sources.
check-generated: ## fail when the committed wire code is not what generate makes
	@old=$$(mktemp -d) && trap 'rm -rf "$$old"' EXIT && \
	cp --parents $(PROTOS:.proto=.pb.go) "$$old" && \
	$(MAKE) --no-print-directory generate && \
	for f in $(PROTOS:.proto=.pb.go); do \
		diff -u "$$old/$$f" "$$f" || { echo "$$f was not what its .proto file gives; it is now: commit it"; bad=1; }; \
	done; test -z "$$bad"

fuzz: ## fuzz each target for FUZZ_TIME (10s)
	@set -e; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) $$pkg; \
		done; \
	done

clean: ## remove what was built, tools included
	rm -rf .bin .tools

# A tool of another version has another name, and so is built.
$(TOOLS)/golangci-lint-%:
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$*
	@mv $(TOOLS)/golangci-lint $@

$(TOOLS)/protoc-gen-go-%:
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go@$*
	@mv $(TOOLS)/protoc-gen-go $@
