#!/bin/sh
# TAP test: each fuzz target runs for a few seconds on its seeds. GM_FUZZ_SECONDS gives it longer.
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
seconds=${GM_FUZZ_SECONDS:-3}
names="text config route head chunked record spans trace policies grpc connection http2 h2-origin admin"
build=${GM_FUZZ_BUILD:-$root/build/fuzz}

if ! command -v clang >/dev/null; then
    echo "1..0 # SKIP clang is not installed"
    exit 0
fi
if ! { cmake -S "$root" -B "$build" -DCMAKE_C_COMPILER=clang -DGM_FUZZ=ON -DGM_SANITIZE=address,undefined &&
       make -C "$build" -j2 fuzz; } >"$scratch/build.log" 2>&1; then
    sed 's/^/# /' "$scratch/build.log"
    echo "not ok 1 - the fuzz targets build"
    echo "1..1"
    exit 1
fi
echo "ok 1 - the fuzz targets build"
number=1
for name in $names; do
    number=$((number + 1))
    mkdir "$scratch/$name"
    set --
    [ ! -f "$root/t/fuzz/$name.dict" ] || set -- "-dict=$root/t/fuzz/$name.dict"
    # new inputs go into the first folder; what they find is printed, so nothing is left in the tree
    if "$build/t/fuzz-$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "$@" \
        -artifact_prefix="$scratch/" "$scratch/$name" "$root/t/fuzz/corpus/$name" >"$scratch/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/$name.log")
        echo "ok $number - $name, ${runs:-0} inputs"
    else
        tail -60 "$scratch/$name.log" | sed 's/^/# /' >&2
        echo "not ok $number - $name"
        failed=1
    fi
done
echo "1..$number"
exit "${failed:-0}"
