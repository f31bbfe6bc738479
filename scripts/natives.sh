#!/bin/bash
# natives.sh [TARGET...]: libngff with its codecs in it for other machines, by zig, below build-natives/: those of the six
# TARGETs that are named, or all. Says how large each is (at most 2 MB), and that it exports what ngff.h declares; puts a copy of
# each below build-natives/jna/ under the names that JNA has, where driver/imagej takes them from.
# natives.sh check: passes the C suite with the library for x86-64, and compares the stores that it writes with those of the
#   same codecs compiled by gcc, byte for byte.
# natives.sh plugin: builds the GDAL plugin with these codecs in it, beside those that libgdal loads, and lets gdal_translate
#   write by each of them; the plugin of the folder build, with the system's codecs, reads the same pixels.
# natives.sh arm64: what check does, with the library for arm64, run by qemu (minutes).
# Where zig or the sources of the codecs cannot be had, the last line says why and the exit status is 77.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
build=$source/build-natives
targets="x86_64-linux-gnu.2.17 aarch64-linux-gnu.2.17 x86_64-windows-gnu aarch64-windows-gnu x86_64-macos aarch64-macos"
most=2000000

mkdir -p "$build"
"$source/scripts/codec_sources.sh" "$build/sources"
zig=$("$source/scripts/zig.sh" "$build/zig") || { status=$? && echo "$zig" && exit $status; }
export ZIG_GLOBAL_CACHE_DIR=$build/cache ZIG_LOCAL_CACHE_DIR=$build/cache # what zig makes of its C libraries takes minutes

# by_zig TARGET [CMAKE-OPTION...]
by_zig() {
    local target=$1
    shift
    "$source/scripts/build.sh" "$build/$target" --toolchain "$source/cmake/zig.cmake" -DNGFF_ZIG_TARGET="$target" \
        -DNGFF_ZIG="$zig" -C "$build/sources/sources.cmake" -DNGFF_BUNDLED_CODECS=ON -DNGFF_WITH_GDAL=OFF -DNGFF_PYTHON=OFF -DNGFF_WERROR=ON \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_SHARED_LINKER_FLAGS=-s "$@"
}

look_at() { # the library that was built for a target
    local library size
    library=$(find "$build/$1" -maxdepth 1 -type f '(' -name 'libngff.so.*' -o -name 'libngff*.dll' -o -name 'libngff*.dylib' ')')
    size=$(stat -c %s "$library")
    if [[ $library = *.so* ]] || command -v llvm-readobj >/dev/null; then
        "$source/scripts/exported_symbols.sh" "$library" >"$build/symbols.log" || { cat "$build/symbols.log" && return 1; }
    else
        echo "(There is no llvm-readobj: what $1 exports is not looked at.)"
    fi
    echo "$1: $(basename "$library"), $size bytes"
    [ "$size" -le $most ] || { echo "That is more than $most bytes." && return 1; }
    place_for_jna "$1" "$library"
}

place_for_jna() { # TARGET LIBRARY
    local cpu=${1%%-*} folder name
    case $1 in
    *-linux-*) folder=linux name=libngff.so ;;
    *-windows-*) folder=win32 name=ngff.dll ;;
    *) folder=darwin name=libngff.dylib ;;
    esac
    folder=$build/jna/$folder-${cpu/x86_64/x86-64}
    mkdir -p "$folder"
    cp "$2" "$folder/$name"
}

# same_stores TARGET [RUNNER...]: what the target's build writes is what gcc's writes. gcc's without optimisation, which is
# compiled fastest and changes no number.
same_stores() {
    local target=$1
    shift
    NGFF_TARGETS=machine_stores "$source/scripts/build.sh" "$build/gcc" -C "$build/sources/sources.cmake" \
        -DNGFF_BUNDLED_CODECS=ON -DNGFF_WITH_GDAL=OFF -DCMAKE_BUILD_TYPE=Debug
    stores=$(mktemp -d)
    trap 'rm -rf "$stores"' EXIT
    "$build/gcc/tests/machine_stores" write "$stores/gcc"
    "$@" "$build/$target/tests/machine_stores" write "$stores/zig"
    "$@" "$build/$target/tests/machine_stores" read "$stores/gcc"
    diff -rq "$stores/gcc" "$stores/zig" || { echo "gcc's build and $target's write other bytes" && return 1; }
    echo "$(find "$stores/gcc" -type f | wc -l) files: the same bytes by gcc and by $target"
}

case ${1:-} in
check)
    target=x86_64-linux-gnu.2.17
    by_zig $target -DBUILD_TESTING=ON
    look_at $target
    needed=$(objdump -p "$build/$target/libngff.so" | awk '$1 == "NEEDED" { print $2 }' | grep -vE '^(libc|libm|libpthread)\.so' || true)
    [ -z "$needed" ] || { echo "The library needs $needed" && exit 1; }
    same_stores $target
    ctest --test-dir "$build/$target" --output-on-failure -E '^writer/memory$' -j"$(nproc)"
    ;;
plugin)
    NGFF_TARGETS="gdal_OMEZARR" "$source/scripts/build.sh" "$build/plugin" -C "$build/sources/sources.cmake" \
        -DNGFF_BUNDLED_CODECS=ON -DBUILD_TESTING=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG= -DCMAKE_CXX_FLAGS_DEBUG=
    plugin=$build/plugin/driver/gdal/gdal_OMEZARR.so
    exported=$(nm -D --defined-only "$plugin" | awk '{ print $3 }')
    [ "$exported" = GDALRegister_OMEZARR ] || { echo "The plugin exports $exported" && exit 1; }
    needed=$(objdump -p "$plugin" | awk '$1 == "NEEDED" { print $2 }' | grep -E 'blosc|zstd|lz4|deflate|cjson|libz\.' || true)
    [ -z "$needed" ] || { echo "The plugin needs $needed" && exit 1; }
    stores=$(mktemp -d)
    trap 'rm -rf "$stores"' EXIT
    picture=$source/autotest/gdrivers/data/rocky_mountain.tif
    sums() { gdalinfo -checksum "$1" | grep Checksum; }
    expected=$(sums "$picture")
    for codec in "BLOSC BLOSC_CNAME=ZLIB" "BLOSC BLOSC_CNAME=ZSTD" "BLOSC BLOSC_CNAME=LZ4" ZSTD GZIP; do
        store=$stores/${codec// /-}.ome.zarr
        # shellcheck disable=SC2086
        GDAL_DRIVER_PATH=$build/plugin/driver/gdal gdal_translate -q -of OMEZARR $(printf -- '-co %s ' COMPRESS=$codec) -co VERIFY=SOURCE \
            "$picture" "$store"
        for reader in "$build/plugin/driver/gdal" "$source/build/driver/gdal"; do
            [ -e "$reader" ] || continue
            [ "$(GDAL_DRIVER_PATH=$reader sums "$store")" = "$expected" ] || { echo "$codec: other pixels by $reader" && exit 1; }
        done
    done
    echo "A plugin with codecs in it exports $exported only, and writes and reads by each of them"
    ;;
arm64)
    target=aarch64-linux-gnu.2.17 root=/usr/aarch64-linux-gnu
    if [ ! -e $root/lib/ld-linux-aarch64.so.1 ] || ! command -v qemu-aarch64 >/dev/null; then
        "$source/scripts/apt_install.sh" qemu-user libc6-arm64-cross >/dev/null 2>&1 </dev/null || { echo "skipped: qemu-user and libc6-arm64-cross cannot be installed" && exit 77; }
    fi
    by_zig $target -DBUILD_TESTING=ON "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;$root"
    same_stores $target qemu-aarch64 -L $root
    # reader/helpers: qemu-user 7.2 ends with an assertion of its own where a process that has threads forks.
    ctest --test-dir "$build/$target" --output-on-failure -E '^(writer/memory|reader/helpers)$' -j"$(nproc)"
    ;;
*)
    for target in ${*:-$targets}; do
        NGFF_TARGETS=ngff by_zig "$target" -DBUILD_TESTING=OFF
        look_at "$target"
    done
    ;;
esac
