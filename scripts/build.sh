#!/bin/bash
# build.sh DIRECTORY [CMAKE-OPTION...]: configures and builds the project, or only what NGFF_TARGETS in the environment names, in
# DIRECTORY, quietly unless it fails.
set -euo pipefail
directory=$1
shift
source=$(cd "$(dirname "$0")/.." && pwd)
log=$directory/build.log
mkdir -p "$directory"
if ! { cmake -S "$source" -B "$directory" -G Ninja "$@" && cmake --build "$directory" ${NGFF_TARGETS:+--target $NGFF_TARGETS}; } >"$log" 2>&1; then
    grep -E -A12 'FAILED:|error: |CMake Error|undefined reference' "$log" | head -80 >&2 || true
    echo "The build failed; all of it is in $log" >&2
    exit 1
fi
