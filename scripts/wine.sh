#!/bin/bash
# wine.sh: builds libngff for x86-64 Windows by zig, with its codecs in it, and runs under wine the C tests of what depends
# on the system, in a fresh WINEPREFIX; then compares the stores that it writes with those of the same codecs compiled here,
# byte for byte. The other C tests are of pure computation: `wine.sh all` runs them, too (minutes).
# Not ported, because Windows has no such thing: faults/alloc (a linker that puts our malloc first), writer/memory and
# reader/helpers (fork), tests of locales (localedef), and single tests, which say so when they are run ("not here: ...", listed
# in the end): kills by fork at counted calls (windows/windows kills a process that writes), symbolic links, pipes,
# permissions by mode, names that are exchanged. Where wine or zig cannot be had the last line says why, and the exit
# status is 77.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
build=$source/build-natives # as natives.sh, whose sources, compiler and objects are used
target=x86_64-windows-gnu

find_wine() { # Debian's package wine64 has no command of its own
    for wine in wine64 /usr/lib/wine/wine64; do ! command -v $wine || return 0; done | head -1
}
wine=$(find_wine)
if [ -z "$wine" ] && command -v apt-get >/dev/null; then
    "$source/scripts/apt_install.sh" wine64 >/dev/null 2>&1 </dev/null || true
    wine=$(find_wine)
fi
[ -n "$wine" ] || { echo "skipped: wine64 cannot be installed" && exit 77; }
wineserver=$(for name in wineserver /usr/lib/wine/wineserver64; do command -v $name && break; done) || true

mkdir -p "$build"
"$source/scripts/codec_sources.sh" "$build/sources"
zig=$("$source/scripts/zig.sh" "$build/zig") || { status=$? && echo "$zig" && exit $status; }
# What zig makes of Windows' C library (two minutes of processor time) outlives the working copy, where zig itself keeps it.
export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-$build}/.cache}/zig} ZIG_LOCAL_CACHE_DIR=$build/cache

# -- Build -----------------------------------------------------------------------------------------------------------

# writer/writer, writer/record and store/zip_index take minutes under wine; windows/windows has a killed writer taken over
# and resumed. Without optimisation, which compiles in a third of the time and changes no number.
tests="windows/windows base/(budget|pool) store/(claim|folder|local_posix|ngff_root|o.*|s.*|zip) reader/(recorded|verify)
    writer/(cancel|places|push|report|label_group)"
pattern=$(echo $tests | tr ' ' '|')
[ "${1:-}" != all ] || pattern=.*
codecs=(-C "$build/sources/sources.cmake" -DNGFF_BUNDLED_CODECS=ON -DNGFF_WITH_GDAL=OFF)
cmake -S "$source" -B "$build/wine" -G Ninja "${codecs[@]}" --toolchain "$source/cmake/zig.cmake" -DNGFF_ZIG="$zig" \
    -DNGFF_ZIG_TARGET=$target -DCMAKE_BUILD_TYPE=Release "-DCMAKE_C_FLAGS_RELEASE=-O0 -fno-sanitize=undefined -DNDEBUG" "-DCMAKE_CROSSCOMPILING_EMULATOR=$wine" >"$build/wine.log" ||
    { cat "$build/wine.log" && exit 1; }
programs=$(ctest --test-dir "$build/wine" -N -R "^($pattern)\$" | sed -n 's,^ *Test *#[0-9]*: \(.*\)/\(.*\),\1_test_\2,p' |
    grep -v '^machines' || true)
# shellcheck disable=SC2086
cmake --build "$build/wine" --target $programs machine_stores >"$build/wine.log" 2>&1 ||
    { grep -A12 'FAILED:' "$build/wine.log" | head -60 && exit 1; }

# -- Run -------------------------------------------------------------------------------------------------------------

place=$(mktemp -d)
export WINEPREFIX=$place/prefix WINEDEBUG=-all HOME=$place TMPDIR=$place/tmp WINEDLLOVERRIDES="mscoree,mshtml="
unset DISPLAY
mkdir -p "$TMPDIR" "$WINEPREFIX"
leave() {
    "$wineserver" -k 2>/dev/null || true # that of this prefix
    "$wineserver" -w 2>/dev/null || true
    rm -rf "$place"
}
trap leave EXIT
"$wineserver" -p # stays until it is told to end: else each program would start Windows anew
"$wine" wineboot -i >/dev/null 2>&1 </dev/null # what it starts holds no pipe that ctest waits for
cd "$TMPDIR"      # "\tmp" is on the drive of the working folder
ctest --test-dir "$build/wine" -R "^($pattern)\$" --output-on-failure --no-tests=error -j"$(nproc)"

NGFF_TARGETS=machine_stores "$source/scripts/build.sh" "$build/gcc" "${codecs[@]}" -DCMAKE_BUILD_TYPE=Debug
"$build/gcc/tests/machine_stores" write "$place/here"
"$wine" "$build/wine/tests/machine_stores.exe" write "$place/wine" 2>/dev/null
diff -rq "$place/here" "$place/wine" || { echo "Windows' stores have other bytes than those of this machine" && exit 1; }
grep -h '^not here' "$build/wine/Testing/Temporary/LastTest.log" | sort -u || true
echo "$(find "$place/here" -type f | wc -l) files: the same bytes from Windows and from here"
