#!/bin/bash
# fuzz.sh SECONDS [TARGET]: builds every tests/fuzz/fuzz_*.c and .cpp (LLVMFuzzerTestOneInput) with libFuzzer, ASan and
# UBSan and runs each for SECONDS, as many at a time as there are cores. fuzz_store and fuzz_arrays run the plugin in GDAL,
# fuzz_describe the driver's parsers of descriptions, fuzz_pages its walk over TIFFs with GDAL's TIFF driver, the others the
# library without GDAL. fuzz_store, fuzz_arrays and fuzz_tree take whole stores, which tests/fuzz/mutate.c changes as trees. Memory is
# limited: 1 GiB in all, 256 MiB for one allocation, where documents and chunks may have 1 MiB. Seeds: tests/fuzz/seeds/<target>/ and
# what is in tests/fuzz/corpus.tar.gz; what is found on the way is kept in build-fuzz/corpus/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-12}
only=${2:-}
command -v clang >/dev/null || { echo "no clang on this machine"; exit 77; }

build=$root/build-fuzz
log=$build/build.log
mkdir -p "$build/crashes" "$build/corpus" "$build/kept"
[ ! -e "$root/tests/fuzz/corpus.tar.gz" ] || tar -C "$build/kept" -xzf "$root/tests/fuzz/corpus.tar.gz"
checks=(-fsanitize=address,undefined -fno-sanitize-recover=all -g1 -O1)

# configure FOLDER TARGET FLAGS...: one more build of the project by clang, with the coverage that libFuzzer looks at
configure() {
    local folder=$1 target=$2
    shift 2
    { cmake -S "$root" -B "$folder" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=None -DNGFF_SANITIZE=address,undefined \
        "-DCMAKE_C_FLAGS=${checks[*]} -fsanitize=fuzzer-no-link" "-DCMAKE_CXX_FLAGS=${checks[*]} -fsanitize=fuzzer-no-link" "$@" &&
        cmake --build "$folder" --target "$target"; } >"$log" 2>&1 || { tail -40 "$log"; exit 1; }
}

build_target() {
    local source=$1 name
    name=$(basename "${source%.*}")
    local mutator=()
    if [[ "$name" = fuzz_store || "$name" = fuzz_arrays || "$name" = fuzz_tree ]]; then
        clang -std=gnu11 "${checks[@]}" $(pkg-config --cflags libcjson) -c "$root/tests/fuzz/mutate.c" -o "$build/mutate-$name.o"
        mutator=("$build/mutate-$name.o")
    fi
    if [[ "$name" = fuzz_store || "$name" = fuzz_arrays ]]; then
        configure "$build/gdal" gdal_OMEZARR -DBUILD_TESTING=OFF
        clang -std=gnu11 "${checks[@]}" -fsanitize=fuzzer $(gdal-config --cflags) -c "$source" -o "$build/$name.o"
        clang++ "${checks[@]}" -fsanitize=fuzzer "$build/$name.o" "${mutator[@]}" -rdynamic $(gdal-config --libs) \
            $(pkg-config --libs libcjson) -o "$build/$name"
        return
    fi
    local includes=()
    for folder in "$root"/core/*/; do includes+=("-I$folder"); done
    if [ "$name" = fuzz_describe ] || [ "$name" = fuzz_pages ]; then
        configure "$build/gdal" driver_common -DBUILD_TESTING=OFF
        clang++ -std=c++17 "${checks[@]}" -fsanitize=fuzzer "${includes[@]}" "-I$root/driver/gdal" $(gdal-config --cflags) \
            "$source" "$build/gdal/driver/gdal/libdriver_common.a" "$build/tests/libngff_internal.a" $(gdal-config --libs) \
            $(pkg-config --libs blosc libzstd liblz4 libdeflate libcjson) -lpthread -lm -o "$build/$name"
        return
    fi
    clang -std=c11 -D_GNU_SOURCE "${checks[@]}" -fsanitize=fuzzer "${includes[@]}" "-I$root/tests" "$source" "${mutator[@]}" \
        "$build/tests/libngff_internal.a" $(pkg-config --libs blosc libzstd liblz4 libdeflate libcjson) -lpthread -lm -o "$build/$name"
}

# run_target NAME: libgdal keeps memory until the process ends, so leaks are only looked for where it is not
run_target() {
    local name=$1 seeds=() leaks=1
    mkdir -p "$build/corpus/$name"
    local alike=("$name") folder
    case $name in fuzz_store | fuzz_arrays | fuzz_tree) alike=(fuzz_store fuzz_tree) ;; esac
    for folder in "${alike[@]/#/$root/tests/fuzz/seeds/}" "${alike[@]/#/$build/kept/}"; do
        [ ! -d "$folder" ] || seeds+=("$folder")
    done
    [[ "$name" != fuzz_store && "$name" != fuzz_arrays && "$name" != fuzz_pages ]] || leaks=0
    if ! GDAL_DRIVER_PATH=$build/gdal/driver/gdal ASAN_OPTIONS=detect_leaks=$leaks UBSAN_OPTIONS=print_stacktrace=1 \
        "$build/$name" -max_total_time="$seconds" -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name" "${seeds[@]}" >"$build/$name.log" 2>&1; then
        tail -40 "$build/$name.log"
        return 1
    fi
    echo "$name: $(grep number_of_executed_units "$build/$name.log" | grep -o '[0-9]*$') inputs in $seconds s"
}

configure "$build" ngff_internal -DNGFF_WITH_GDAL=OFF
names=()
for source in "$root"/tests/fuzz/fuzz_*.c "$root"/tests/fuzz/fuzz_*.cpp; do
    name=$(basename "${source%.*}")
    [ -z "$only" ] || [ "$name" = "$only" ] || continue
    build_target "$source"
    names+=("$name")
done
export -f run_target
export root build seconds
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_target {}' || exit 1
echo "${#names[@]} fuzz targets, no finding in $seconds s each"
