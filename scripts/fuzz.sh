#!/bin/bash
# fuzz.sh SECONDS [TARGET]: builds every tests/fuzz/fuzz_*.c and .cpp with libFuzzer, ASan and UBSan (in build-asan, the
# build of clang that check.sh's other sanitizer steps use) and runs each for SECONDS, as many at a time as there are cores.
# Memory is limited: 1 GiB in all, 256 MiB for one allocation, where documents and chunks may have 1 MiB. Seeds:
# tests/fuzz/seeds/<target>/ and what is in tests/fuzz/corpus.tar.gz; what is found on the way is kept in build-fuzz/corpus/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-12}
only=${2:-}
command -v clang >/dev/null || { echo "no clang on this machine"; exit 77; }

built=$root/build-asan
place=$root/build-fuzz
mkdir -p "$place/crashes" "$place/corpus" "$place/kept"
[ ! -e "$root/tests/fuzz/corpus.tar.gz" ] || tar -C "$place/kept" -xzf "$root/tests/fuzz/corpus.tar.gz"
NGFF_TARGETS=${only:-fuzz_targets} "$root/scripts/asan.sh"

# run_target NAME: libgdal keeps memory until the process ends, so leaks are only looked for where it does no work
run_target() {
    local name=$1 seeds=() leaks=1 seconds=$seconds
    mkdir -p "$place/corpus/$name"
    local alike=("$name") folder
    case $name in fuzz_store | fuzz_arrays | fuzz_tree) # the stores that are kept take ten seconds by themselves
        alike=(fuzz_store fuzz_tree) seconds=$((2 * seconds)) ;;
    esac
    for folder in "${alike[@]/#/$root/tests/fuzz/seeds/}" "${alike[@]/#/$place/kept/}"; do
        [ ! -d "$folder" ] || seeds+=("$folder")
    done
    [[ "$name" != fuzz_store && "$name" != fuzz_arrays && "$name" != fuzz_pages ]] || leaks=0
    if ! GDAL_DRIVER_PATH=$built/driver/gdal ASAN_OPTIONS=detect_leaks=$leaks UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        "$built/tests/fuzz/$name" -max_total_time="$seconds" -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$place/crashes/$name-" "$place/corpus/$name" "${seeds[@]}" >"$place/$name.log" 2>&1; then
        tail -40 "$place/$name.log"
        return 1
    fi
    echo "$name: $(grep number_of_executed_units "$place/$name.log" | grep -o '[0-9]*$') inputs in $seconds s"
}

names=()
for source in "$root"/tests/fuzz/fuzz_*.c "$root"/tests/fuzz/fuzz_*.cpp; do
    name=$(basename "${source%.*}")
    [ -z "$only" ] || [ "$name" = "$only" ] || continue
    names+=("$name")
done
export -f run_target
export root built place seconds
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_target {}' || exit 1
echo "${#names[@]} fuzz targets, no finding in $seconds s each"
