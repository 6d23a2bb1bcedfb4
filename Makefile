# A thin front for people; the work is in CMakeLists.txt. Everything lands in build/.
BUILD ?= build
JOBS  ?= $(shell nproc)
CMAKE_FLAGS ?=
GOMESH = $(abspath $(BUILD))/gomesh

all: $(BUILD)/Makefile ## build build/gomesh
	@$(MAKE) --no-print-directory -C $(BUILD) -j$(JOBS)

run: all ## build, then backend and proxy together: try curl http://localhost:8000/api/users
	@$(GOMESH) demo

check: $(BUILD)/Makefile ## build and run every test
	@$(MAKE) --no-print-directory -C $(BUILD) -j$(JOBS)
	@$(MAKE) --no-print-directory -C $(BUILD) check

check-asan: ## the whole suite under AddressSanitizer and UBSan, built with clang
	@$(MAKE) --no-print-directory check BUILD=build-asan \
	    CMAKE_FLAGS="-DCMAKE_C_COMPILER=clang -DGM_WERROR=ON -DGM_SANITIZE=address,undefined"

check-tsan: ## the threaded tests under ThreadSanitizer
	@$(MAKE) --no-print-directory check-threads BUILD=build-tsan \
	    CMAKE_FLAGS="-DCMAKE_C_COMPILER=gcc -DGM_WERROR=ON -DGM_SANITIZE=thread"

check-threads: $(BUILD)/Makefile
	@$(MAKE) --no-print-directory -C $(BUILD) -j$(JOBS)
	@$(MAKE) --no-print-directory -C $(BUILD) check-threads

bench: all ## CPU, system calls, memory and start-up, beside nginx and haproxy
	@deps/install build bench
	@t/bench/run --gomesh $(GOMESH)

format: ## clang-format over src, t and deps
	@clang-format -i $$(git ls-files --cached --others --exclude-standard '*.c' '*.h')

format-check: ## fails where `make format` would change something
	@clang-format --dry-run --Werror $$(git ls-files --cached --others --exclude-standard '*.c' '*.h')

analyse: ## cppcheck over src and deps
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --library=posix -DH2O_USE_EPOLL=1 -D_GNU_SOURCE -DGM_VERSION='"0"' -Isrc src deps/picotest

clean: ## remove what was built
	rm -rf build build-asan build-tsan build-clang

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

$(BUILD)/Makefile: CMakeLists.txt t/CMakeLists.txt
	@deps/install
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS) > $(BUILD).log 2>&1 || { cat $(BUILD).log; rm -f $(BUILD).log; exit 1; }
	@mv $(BUILD).log $(BUILD)/configure.log

.PHONY: all run check check-asan check-tsan check-threads bench format format-check analyse clean help
