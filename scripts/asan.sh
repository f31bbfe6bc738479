#!/bin/bash
# asan.sh: the build by clang with ASan, UBSan and the coverage that libFuzzer looks at, in build-asan: the C suite, the
# plugin and the fuzz targets of one build. NGFF_TARGETS in the environment names less (scripts/build.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v clang++ >/dev/null || { echo "no clang on this machine"; exit 77; }
CC=clang CXX=clang++ exec scripts/build.sh build-asan -DNGFF_SANITIZE=address,undefined,fuzzer-no-link
