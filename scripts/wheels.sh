#!/bin/bash
# wheels.sh: the Python package omezarr (pyproject.toml, driver/python): a source package and a wheel for Linux x86-64, below
#   build-python/dist. zig compiles the wheel for glibc 2.17, with what scripts/natives.sh has compiled of it; where zig cannot be
#   had this machine's compiler does, for this machine only.
# wheels.sh all [TARGET...]: wheels for the other machines too, or for those TARGETs of scripts/natives.sh that are named: Linux
#   arm64, Windows and macOS on x86-64 and arm64. They are compiled, and looked at from outside; nothing here runs them.
# wheels.sh test: the source package and the wheel; builds the source package too, without optimisation; looks at both (at most
#   2 MB, the symbols of old systems, the stable ABI), and passes the tests of driver/python: what needs numpy only in a bare
#   environment, and all of them where the other readers are (build/venv).
# Where the sources of the codecs or a package of the build cannot be had, the last line says why and the exit status is 77.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
build=$source/build-python
natives=$source/build-natives
here=x86_64-linux-gnu.2.17
others="aarch64-linux-gnu.2.17 x86_64-windows-gnu aarch64-windows-gnu x86_64-macos aarch64-macos"
most=2000000
cd "$source"
mkdir -p "$build"

environment() { # NAME PACKAGE...: a virtual environment of its own
    local name=$1
    shift
    [ -x "$build/$name/bin/python" ] || /usr/bin/python3 -m venv "$build/$name"
    scripts/pip_install.sh "$build/$name/bin/python" "$@" >"$build/pip.log" 2>&1 ||
        { cat "$build/pip.log" && echo "skipped: pip has no $*" && exit 77; }
}
wheel_of() { # WHERE FROM: one wheel of a folder, in a folder
    rm -rf "$1"
    "$build/tools/bin/python" -m build --wheel --no-isolation --skip-dependency-check -o "$1" "$2" >"$build/build.log" 2>&1 ||
        { grep -E -A12 'error|Error|ERROR|FAILED' "$build/build.log" | head -60; exit 1; }
}

scripts/codec_sources.sh "$natives/sources"
environment tools build==1.3.0 scikit-build-core==1.1.2 cffi==2.1.1 wheel==0.46.1 auditwheel==6.8.2 abi3audit==0.0.26 mypy==2.4.1 numpy==2.4.6
codecs="-C $natives/sources/sources.cmake"

rm -rf "$build/dist"
"$build/tools/bin/python" -m build --sdist --no-isolation --skip-dependency-check -o "$build/dist" . >"$build/build.log" 2>&1 ||
    { cat "$build/build.log" && exit 1; }

# The wheel's name for a machine of natives.sh. The oldest macOS is that which zig links for.
platform_of() {
    case $1 in
    x86_64-linux-*) echo manylinux_2_17_x86_64 ;;
    aarch64-linux-*) echo manylinux_2_17_aarch64 ;;
    x86_64-windows-*) echo win_amd64 ;;
    aarch64-windows-*) echo win_arm64 ;;
    x86_64-macos) echo macosx_13_0_x86_64 ;;
    aarch64-macos) echo macosx_13_0_arm64 ;;
    *) echo "There is no machine $1: there are $here $others" >&2 && exit 1 ;;
    esac
}

# Python's headers alone, with Debian's pyconfig.h in place, or Windows': those of the system's C library are not zig's.
headers_for() { # TARGET
    local headers=$natives/python-${1#*-} include multiarch
    include=$("$build/tools/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    multiarch=${include/\/include\//\/include\/$(uname -m)-linux-gnu\/}
    rm -rf "$headers" && mkdir -p "$headers"
    cp -RL "$include/." "$headers"
    [ ! -e "$multiarch/pyconfig.h" ] || cp "$multiarch/pyconfig.h" "$headers"
    [[ $1 != *-windows-* ]] || cp driver/python/windows/pyconfig.h "$headers"
    echo "$headers"
}

# The wheel of a machine, into dist.
wheel_by_zig() { # TARGET
    local target=$1 platform headers more=""
    platform=$(platform_of "$target")
    headers=$(headers_for "$target")
    if [[ $target = *-windows-* ]]; then
        mkdir -p "$natives/$target"
        "$build/tools/bin/python" driver/python/windows/python3_def.py >"$natives/$target/python3.def"
        "$zig" dlltool -m "$([[ $target = x86_64-* ]] && echo i386:x86-64 || echo arm64)" -d "$natives/$target/python3.def" \
            -l "$natives/$target/python3.lib"
        more=-DNGFF_PYTHON_LIBRARY=$natives/$target/python3.lib
    fi
    SKBUILD_BUILD_DIR=$natives/$target CMAKE_GENERATOR=Ninja CMAKE_ARGS="--toolchain $source/cmake/zig.cmake -DNGFF_ZIG_TARGET=$target \
        -DNGFF_ZIG=$zig -DNGFF_PYTHON_INCLUDE=$headers $more $codecs" wheel_of "$build/plain" .
    "$build/tools/bin/python" -m wheel tags --remove --platform-tag "$platform" "$build"/plain/*.whl >/dev/null
    mv "$build"/plain/*.whl "$build/dist"
}

# A wheel that nothing here runs: what is in it, and what it asks of its system.
look_at_other() { # TARGET
    local wheel module wanted
    wheel=$(echo "$build"/dist/*-"$(platform_of "$1")".whl)
    [ "$(stat -c %s "$wheel")" -le $most ] || { echo "$wheel has more than $most bytes" && return 1; }
    rm -rf "$build/other" && mkdir "$build/other"
    "$build/tools/bin/python" -m wheel unpack -d "$build/other" "$wheel" >/dev/null
    module=$(find "$build/other" -name '_native.abi3.so' -o -name '_native.pyd')
    case $1 in
    aarch64-linux-*) wanted='ELF 64-bit.*ARM aarch64' ;;
    x86_64-windows-*) wanted='PE32\+.*x86-64' ;;
    aarch64-windows-*) wanted='PE32\+.*Aarch64' ;;
    x86_64-macos) wanted='Mach-O 64-bit.*x86_64' ;;
    aarch64-macos) wanted='Mach-O 64-bit.*arm64' ;;
    esac
    file "$module" | grep -qE "$wanted" || { file "$module" && return 1; }
    "$build/tools/bin/abi3audit" --strict "$wheel" || { echo "The extension of $wheel leaves the stable ABI" && return 1; }
    if [[ $1 = *-windows-* ]]; then # of Python's own only the DLL that every version has
        grep -aqi 'python3\.dll' "$module" && ! grep -aqiE 'python3[0-9]+\.dll' "$module" || { echo "$module wants another DLL of Python's" && return 1; }
    fi
    echo "$(basename "$wheel"): $(stat -c %s "$wheel") bytes, $(basename "$module")"
}

if zig=$(scripts/zig.sh "$natives/zig"); then
    export ZIG_GLOBAL_CACHE_DIR=$natives/cache ZIG_LOCAL_CACHE_DIR=$natives/cache
    wheel_by_zig $here
    wheel=$(echo "$build"/dist/*.whl)
    if [ "${1:-}" = all ]; then
        shift
        for target in ${*:-$others}; do
            wheel_by_zig "$target"
            look_at_other "$target"
        done
    fi
else
    [ "${1:-}" != all ] || { echo "skipped: without zig there are no wheels for other machines" && exit 77; }
    echo "(There is no zig: the wheel is for this machine's C library and newer ones.)"
    CMAKE_GENERATOR=Ninja CMAKE_ARGS=$codecs wheel_of "$build/plain" .
    mv "$build"/plain/*.whl "$build/dist"
    wheel=$(echo "$build"/dist/*.whl)
fi
ls -l "$build"/dist/*
[ "${1:-}" = test ] || exit 0

# -- Tests -----------------------------------------------------------------------------------------------------------

[ "$(stat -c %s "$wheel")" -le $most ] || { echo "The wheel has more than $most bytes" && exit 1; }
"$build/tools/bin/abi3audit" --strict "$wheel" || { echo "The extension leaves the stable ABI" && exit 1; }
if [[ $wheel = *manylinux* ]]; then
    "$build/tools/bin/auditwheel" show "$wheel" >"$build/audit.log" 2>&1
    grep -A1 'the following platform tag' "$build/audit.log" | grep -qE "\"manylinux_2_(5|12|17)_x86_64\"" || { cat "$build/audit.log" && exit 1; }
fi

rm -rf "$build/unpacked" && mkdir "$build/unpacked"
tar -C "$build/unpacked" --strip-components 1 -xzf "$build"/dist/*.tar.gz
SKBUILD_BUILD_DIR=$build/from-source SKBUILD_CMAKE_BUILD_TYPE=Debug CMAKE_GENERATOR=Ninja CMAKE_ARGS="$codecs -DCMAKE_C_FLAGS_DEBUG=" \
    wheel_of "$build/again" "$build/unpacked"
same=$(diff <(unzip -Z1 "$build"/again/*.whl | grep '^omezarr/' | sort) <(unzip -Z1 "$wheel" | grep '^omezarr/' | sort)) ||
    { echo "The source package makes other files: $same" && exit 1; }

rm -rf "$build/bare"
environment bare pytest==8.4.2 "$wheel"
rm -rf "$build/installed"
"$source/build/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --target "$build/installed" "$wheel"
failed=0
(cd "$build/installed" && "$build/tools/bin/mypy" --config-file "$source/pyproject.toml" -p omezarr) || failed=1
"$build/bare/bin/python" -m pytest driver/python/tests -q -p no:cacheprovider --disable-warnings --expected-skips expected_skips_bare.txt || failed=1
# Twice as many as processors: half of the time they wait for servers.
PYTHONPATH=$build/installed "$source/build/venv/bin/python" -m pytest driver/python/tests -q -p no:cacheprovider --disable-warnings -rs --expected-skips expected_skips.txt \
    -n "$((2 * $(nproc)))" --dist worksteal || failed=1
exit $failed
