#!/bin/bash
# imagej.sh [WIDTH HEIGHT DEPTH [RUNS]]: a stack of uint16 saved by ImageJ's plugin, virtual and in memory, and by a C program that writes the
# same planes through the same library; all three stores are the same, byte for byte. Beside them ImageJ's own Save As TIFF, in memory.
# The rows take turns, so that other work on the machine falls on all. Needs what `scripts/imagej.sh test` builds; writes below TMPDIR.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
width=${1:-2048} height=${2:-2048} depth=${3:-200} runs=${4:-5}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
central=$HOME/.m2/repository plugin=$root/driver/imagej/target
library=$root/build-natives/x86_64-linux-gnu.2.17
[ -e "$library/libngff.so" ] || library=$root/build
${CC:-cc} -O2 -I"$root/core/include" "$root/autotest/bench/planes.c" -o "$place/planes" -L"$library" -lngff "-Wl,-rpath,$library"
java=(java -Xmx"${XMX:-4g}" -Djava.awt.headless=true "-Djna.library.path=$library"
    -cp "$plugin/classes:$plugin/test-classes:$central/net/imagej/ij/1.54p/ij-1.54p.jar:$central/net/java/dev/jna/jna/5.14.0/jna-5.14.0.jar"
    omezarr.imagej.Speed)
TIMEFORMAT='         CPU %U + %S s'
for ((run = 1; run <= runs; run++)); do
    rm -rf "$place"/*.zarr "$place"/*.tif
    time "$place/planes" "$width" "$height" "$depth" "$place/c.ome.zarr" COMPRESS=ZSTD
    time "${java[@]}" virtual "$width" "$height" "$depth" "$place/virtual.ome.zarr"
    time "${java[@]}" memory "$width" "$height" "$depth" "$place/memory.ome.zarr"
    time "${java[@]}" tiff "$width" "$height" "$depth" "$place/own.tif"
done
for store in virtual memory; do # the documents differ: ImageJ's say more
    (cd "$place/c.ome.zarr" && find . -path '*/c/*' -type f) | while read -r object; do
        cmp "$place/c.ome.zarr/$object" "$place/$store.ome.zarr/$object"
    done
done
echo "The same objects in all three stores"
