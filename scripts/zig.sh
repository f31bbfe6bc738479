#!/bin/bash
# zig.sh DIRECTORY: installs the C compiler zig, a package of PyPI, in DIRECTORY unless it is there, and prints its path.
# Where the package cannot be had, the last line says why and the exit status is 77.
set -euo pipefail
version=0.15.2
directory=$1
zig=$directory/ziglang/zig
if [ "$("$zig" version 2>/dev/null)" != $version ]; then
    python=""
    for name in python3 /usr/bin/python3; do
        ! "$name" -m pip --version >/dev/null 2>&1 || python=$name
    done
    [ -n "$python" ] || { echo "skipped: there is no pip to install zig with" && exit 77; }
    rm -rf "$directory"
    "$python" -m pip install -q --disable-pip-version-check --no-deps --target "$directory" "ziglang==$version" >/dev/null 2>&1 ||
        { echo "skipped: pip has no ziglang $version for this machine" && exit 77; }
fi
echo "$zig"
