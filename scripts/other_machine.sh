#!/bin/bash
# other_machine.sh s390x|i386 [CTEST-OPTION...]: s390x is big-endian: builds libngff without GDAL for it in build-s390x
# and passes the C suite there, run by qemu, but for a few long tests. The codecs are the packages of
# that machine in the version of this one, unpacked into build-s390x/root: nothing of another machine is installed here
# but its compiler (and qemu). Then each machine reads the stores that the other wrote, and their bytes are compared.
# i386 has 32 bits: CMake must refuse it in words. Where the packages cannot be had the last line says why and the exit
# status is 77.
set -euo pipefail
machine=${1:-}
shift || true
source=$(cd "$(dirname "$0")/.." && pwd)
codecs="libblosc-dev libzstd-dev liblz4-dev libdeflate-dev libcjson-dev"
case $machine in
s390x) triplet=s390x-linux-gnu cpu=s390x loader=ld64.so.1 tools="gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user" run=qemu-s390x ;;
i386) triplet=i686-linux-gnu tools="gcc-i686-linux-gnu libc6-dev-i386-cross" run="" ;;
*)
    sed -n '2,7s/^# //p' "$0" >&2
    exit 2
    ;;
esac
build=$source/build-$machine
root=$build/root

skip() {
    echo "skipped: $*"
    exit 77
}

# -- Compiler and codecs -----------------------------------------------------------------------------------------------

command -v apt-get >/dev/null || skip "no apt on this machine, so no packages of $machine"
has_tools() {
    [ -e "/usr/$triplet/include/stdio.h" ] && command -v "$triplet-gcc" >/dev/null && { [ -z "$run" ] || command -v "$run" >/dev/null; }
}
if ! has_tools; then
    # shellcheck disable=SC2086
    "$source/scripts/apt_install.sh" $tools 2>/dev/null </dev/null || true
    has_tools || skip "$tools cannot be installed"
fi

mkdir -p "$build"
if [ "$machine" = i386 ]; then
    cmake -S "$source" -B "$build" -G Ninja -DNGFF_WITH_GDAL=OFF -DCMAKE_SYSTEM_NAME=Linux \
        "-DCMAKE_C_COMPILER=$triplet-gcc" >"$build/cmake.log" 2>&1 && { echo "CMake does not refuse $machine" && exit 1; }
    grep -q "needs a 64-bit machine" "$build/cmake.log" || { tail -20 "$build/cmake.log" && exit 1; }
    echo "CMake refuses $machine in words"
    exit 0
fi
if [ ! -e "$root/.whole" ]; then
    echo "Fetching the codecs of $machine ..."
    rm -rf "$root" "$build/apt"
    mkdir -p "$root" "$build/apt/lists/partial" "$build/apt/cache/archives/partial"
    : >"$build/apt/status"
    cat >"$build/apt/conf" <<TEXT
APT::Architecture "$machine";
APT::Architectures { "$machine"; };
APT::Sandbox::User "";
Dir::State::lists "$build/apt/lists";
Dir::State::status "$build/apt/status";
Dir::Cache "$build/apt/cache";
Acquire::Languages "none";
Debug::NoLocking "true";
TEXT
    # shellcheck disable=SC2086
    { APT_CONFIG=$build/apt/conf apt-get update -qq || true
        APT_CONFIG=$build/apt/conf apt-get install -d -y -qq --no-install-recommends $codecs; } >"$build/apt.log" 2>&1 </dev/null ||
        skip "the mirror has no codecs for $machine ($build/apt.log)"
    for package in "$build"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    rm -rf "$build/apt"
    touch "$root/.whole"
fi
libraries=$(dirname "$(find "$root/usr/lib" -name libzstd.so)")
[ -e "$root/lib/$loader" ] || skip "the packages of $machine are not as on Debian: no $loader"

# -- Build and test ----------------------------------------------------------------------------------------------------

cat >"$build/toolchain.cmake" <<TEXT
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $cpu)
set(CMAKE_C_COMPILER $triplet-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR "$run;-L;$root")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,$libraries:$root/lib/$(basename "$libraries")")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-Wl,-rpath-link,$libraries:$root/lib/$(basename "$libraries")")
set(CMAKE_FIND_ROOT_PATH "$root")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
TEXT
export PKG_CONFIG_LIBDIR=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
"$source/scripts/build.sh" "$build" --toolchain "$build/toolchain.cmake" -DNGFF_WITH_GDAL=OFF -DNGFF_WERROR=OFF
# reader/helpers: qemu-user 7.2 ends with an assertion of its own where a process that has threads forks. The others that are
# left out take longest and see no order of bytes, or see it in the stores below too (codecs, levels).
not_here='^(faults/alloc_.*|writer/(writer|memory|change|planes)|reader/helpers|codec/(blosc|zstd)|store/claim|base/number|pyramid/tally_.*)$'
ctest --test-dir "$build" --output-on-failure -j"$(nproc)" -E "$not_here" "$@"

# -- Stores of both machines ---------------------------------------------------------------------------------------------

unset PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
here=$source/build-nogdal
NGFF_TARGETS=machine_stores "$source/scripts/build.sh" "$here" -DNGFF_WITH_GDAL=OFF -DNGFF_WERROR=ON
stores=$(mktemp -d)
trap 'rm -rf "$stores"' EXIT
there() {
    "$run" -L "$root" "$build/tests/machine_stores" "$@"
}
"$here/tests/machine_stores" write "$stores/here"
there write "$stores/there"
"$here/tests/machine_stores" read "$stores/there"
there read "$stores/here"
# LZ4 finds other matches where the bytes of a machine word have another order; what it writes decodes to the same.
differing=$(diff -rq "$stores/here" "$stores/there" | sed -n "s|^Files $stores/here/\([^ ]*\) and .*|\1|p; /^Only/p" || true)
odd=$(for file in $differing; do grep -q LZ4 "$stores/here/${file%%.ome.zarr*}.ome.zarr.json" 2>/dev/null || echo "$file"; done)
if [ -n "$odd" ]; then
    printf 'The stores of %s differ from those of this machine in\n%s\n' "$machine" "$odd"
    exit 1
fi
echo "$(find "$stores/here" -type f | wc -l) files of $(find "$stores/here" -maxdepth 1 -name '*.json' | wc -l) stores:" \
    "the same bytes on $machine and here, but for $(wc -w <<<"$differing") of LZ4; each reads the other's"
