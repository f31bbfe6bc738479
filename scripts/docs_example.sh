#!/bin/bash
# docs_example.sh BUILD: installs BUILD below a scratch root (DESTDIR, so that nothing reaches the system), moves the
# tree, takes the first ```c block of docs/c-api.md, compiles it against the moved header and library by pkg-config and by
# CMake's find_package, as a user would, and runs both in empty folders. The metadata of what they wrote must be the
# seed's: 256 x 256, factors 2 and 4, scale 1, 2, 4, translation 0, 0.5, 1.5.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

awk '/^```c$/ { inside = 1; next } /^```/ { if (inside) exit } inside' "$root/docs/c-api.md" >"$scratch/example.c"
[ -s "$scratch/example.c" ] || { echo "docs/c-api.md has no \`\`\`c block"; exit 1; }
DESTDIR=$scratch/root cmake --install "$build" >/dev/null
mv "$scratch/root" "$scratch/moved"
pc=$(find "$scratch/moved" -name ngff.pc)
library=$(dirname "$(find "$scratch/moved" -name libngff.so)")
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
${CC:-cc} -std=c11 -Wall -Wextra -Werror "$scratch/example.c" -o "$scratch/example" \
    $(pkg-config --cflags --libs ngff) -Wl,-rpath,"$library"
mkdir "$scratch/run"
(cd "$scratch/run" && "$scratch/example")

# By CMake, from the same moved tree, with the build tool that this build has.
CMAKE_GENERATOR=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
export CMAKE_GENERATOR
mkdir "$scratch/project" "$scratch/run-cmake"
cat >"$scratch/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(example C)
find_package(ngff CONFIG REQUIRED)
add_executable(example ../example.c)
target_link_libraries(example PRIVATE ngff::ngff)
CMAKE
cmake -S "$scratch/project" -B "$scratch/project/build" -Dngff_DIR="$library/cmake/ngff" >"$scratch/cmake.log" &&
    cmake --build "$scratch/project/build" >>"$scratch/cmake.log" || { cat "$scratch/cmake.log"; exit 1; }
readelf -d "$scratch/project/build/example" | grep -q "$scratch/moved" || { echo "CMake took another libngff"; exit 1; }
(cd "$scratch/run-cmake" && "$scratch/project/build/example")
diff -r "$scratch/run" "$scratch/run-cmake"

# Folders given as absolute paths stay as they are.
cmake -S "$root" -B "$scratch/absolute" -DBUILD_TESTING=OFF -DNGFF_WITH_GDAL=OFF -DCMAKE_INSTALL_PREFIX=/some/prefix \
    -DCMAKE_INSTALL_LIBDIR=/other/lib -DCMAKE_INSTALL_INCLUDEDIR=/third/include >/dev/null
flags=$(PKG_CONFIG_PATH=$scratch/absolute pkg-config --cflags --libs ngff)
[ "$(echo $flags)" = "-I/third/include -L/other/lib -lngff" ] || { echo "ngff.pc gives $flags"; exit 1; }

store=$(find "$scratch/run" -mindepth 1 -maxdepth 1 -type d | head -1)
[ -n "$store" ] || { echo "the example wrote no store"; exit 1; }
/usr/bin/env python3 - "$store" <<'PYTHON'
import json, sys
ome = json.load(open(sys.argv[1] + "/zarr.json"))["attributes"]["ome"]
found = []
for level in ome["multiscales"][0]["datasets"]:
    array = json.load(open(f"{sys.argv[1]}/{level['path']}/zarr.json"))
    transforms = {t["type"]: t[t["type"]] for t in level["coordinateTransformations"]}
    chunk = array["chunk_grid"]["configuration"]["chunk_shape"]
    found.append((array["shape"], chunk, transforms["scale"], transforms.get("translation", [0, 0])))
expected = [([256, 256], [64, 64], [1, 1], [0, 0]), ([128, 128], [64, 64], [2, 2], [0.5, 0.5]),
            ([64, 64], [64, 64], [4, 4], [1.5, 1.5])]
assert found == expected, f"the example wrote {found}, expected {expected}"
PYTHON

# The option table in docs/driver.md is the one of the library.
python3 - "$build/libngff.so" "$root/docs/driver.md" <<'PYTHON'
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.ngff_options_text.restype = ctypes.c_void_p
table = ctypes.string_at(library.ngff_options_text(b"markdown")).decode().strip()
assert table in open(sys.argv[2], encoding="utf-8").read(), "docs/driver.md does not have this option table:\n" + table
PYTHON
echo "the C example of the docs ($(wc -l <"$scratch/example.c") lines) writes the seed's metadata; their option table is the library's"
