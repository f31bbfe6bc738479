#!/bin/bash
# fuzz.sh SECONDS [TARGET]: builds every tests/fuzz/fuzz_*.c (LLVMFuzzerTestOneInput) with libFuzzer, ASan and UBSan
# against the library without GDAL, and runs each for SECONDS. Seeds: tests/fuzz/seeds/<target>/, if there.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-20}
only=${2:-}
shopt -s nullglob
targets=("$root"/tests/fuzz/fuzz_*.c)
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz targets in tests/fuzz"; exit 77; }
command -v clang >/dev/null || { echo "no clang on this machine"; exit 77; }

build=$root/build-fuzz
log=$build/build.log
mkdir -p "$build"
flags="-fsanitize=address,undefined -fno-sanitize-recover=all -g -O1"
if ! { cmake -S "$root" -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DNGFF_WITH_GDAL=OFF \
    -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS=$flags -fsanitize=fuzzer-no-link" &&
    cmake --build "$build" --target ngff_internal; } >"$log" 2>&1; then
    tail -40 "$log"
    exit 1
fi

includes=()
for folder in "$root"/core/*/; do includes+=("-I$folder"); done
for source in "${targets[@]}"; do
    name=$(basename "$source" .c)
    [ -z "$only" ] || [ "$name" = "$only" ] || continue
    clang -std=c11 -D_GNU_SOURCE $flags -fsanitize=fuzzer "${includes[@]}" "-I$root/tests" "$source" \
        "$build/tests/libngff_internal.a" $(pkg-config --libs blosc libzstd liblz4 libdeflate libcjson) -lpthread -lm \
        -o "$build/$name"
    mkdir -p "$build/corpus/$name" "$build/crashes"
    seeds=()
    [ -d "$root/tests/fuzz/seeds/$name" ] && seeds=("$root/tests/fuzz/seeds/$name")
    echo "$name: $seconds s"
    if ! "$build/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name" "${seeds[@]}" >"$build/$name.log" 2>&1; then
        tail -40 "$build/$name.log"
        exit 1
    fi
    grep number_of_executed_units "$build/$name.log" || true
done
echo "${#targets[@]} fuzz targets, no finding in $seconds s each"
