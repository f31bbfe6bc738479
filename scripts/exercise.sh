#!/bin/bash
# exercise.sh: adds the codec and the reducer of tests/exercise/ to a copy of core/, builds it without GDAL, and writes and
# reads an image through both: ten seconds of a processor. That the patches still fit is the CTest "exercise".
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/driver"
cp -a "$root/driver/program" "$place/driver"
cp -a "$root/core" "$root/cmake" "$root/CMakeLists.txt" "$root/packaging" "$root/LICENSE" "$root/README.md" "$place"
for patch in codec reducer; do
    (cd "$place" && git apply "$root/tests/exercise/$patch.patch")
    echo "$patch: $(grep -c '^diff ' "$root/tests/exercise/$patch.patch") files"
done
NGFF_TARGETS=ngff "$root/scripts/build.sh" "$place/build" -S "$place" -DNGFF_WITH_GDAL=OFF -DBUILD_TESTING=OFF \
    -DCMAKE_BUILD_TYPE=Debug
cc -I "$place/core/include" "$root/tests/exercise/exercise.c" -o "$place/exercise" -L "$place/build" -lngff \
    -Wl,-rpath,"$place/build"
"$place/exercise" "$place"
grep -q '"flip"' "$place/a.ome.zarr/scale0/image/.zarray" "$place/b.ome.zarr/scale0/image/zarr.json"
grep -q 'libngff.median' "$place/b.ome.zarr/zarr.json"
echo "an image went through both"
