#!/bin/bash
# wheel_gdal.sh [SERIES...]: builds the plugin against a GDAL that no Debian has (3.11, 3.12) and runs all
# tests but QGIS's on it, as nothing but files below build/gdal-SERIES. libgdal comes out of pyogrio's wheel, the headers
# and the sources of GDAL's programs out of the npm package gdal-async, GDAL's Python module out of PyPI. For x86_64 and
# arm64 Linux; needs the packages of the build, python3-dev, npm and the network. Exit status 0 if everything passed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v npm >/dev/null || [ ! -e "$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]; then
    echo "skipped: npm and python3-dev are needed"
    exit 77
fi

declare -A pyogrio=([3.11]=0.12.1 [3.12]=0.13.0)
declare -A headers=([3.11]=3.11.4 [3.12]=3.12.3)

# -- A folder that looks like an installed GDAL: bin, include, lib, share, GDALConfig.cmake, and a Python with osgeo ---

make_gdal() {
    local series=$1 place=$2 wheel=$2/wheel sources=$2/package/deps/libgdal program libgdal version
    rm -rf "$place"
    mkdir -p "$place"/{bin,include,lib,share,wheel}
    /usr/bin/python3 -m venv "$place/python"
    local pip=("$place/python/bin/python" -m pip --disable-pip-version-check)
    "${pip[@]}" download -q --no-deps --only-binary :all: -d "$place" "pyogrio==${pyogrio[$series]}"
    (cd "$place" && npm pack --silent "gdal-async@${headers[$series]}" >/dev/null)
    python3 -m zipfile -e "$place"/pyogrio-*.whl "$wheel"
    tar -C "$place" -xzf "$place"/gdal-async-*.tgz package/deps/libgdal
    cp -r "$wheel"/pyogrio.libs/. "$place/lib/"
    cp -r "$wheel/pyogrio/gdal_data" "$place/share/gdal"
    cp -r "$wheel/pyogrio/proj_data" "$place/share/proj"
    libgdal=$(basename "$place"/lib/libgdal*)
    version=$(grep -oE '[0-9]+\.[0-9]+\.[0-9]+$' <<<"$libgdal")
    ln -s "$libgdal" "$place/lib/libgdal.so"
    find "$sources/arch/unix" "$sources/gdal"/{port,gcore,gcore/gdal_version_full,alg,ogr,ogr/ogrsf_frmts,gnm,apps,frmts/vrt,frmts/mem} \
        -maxdepth 1 -name '*.h*' -exec cp {} "$place/include/" \;

    cat >"$place/GDALConfig.cmake" <<TEXT
set(GDAL_VERSION $version)
add_library(GDAL::GDAL SHARED IMPORTED)
set_target_properties(GDAL::GDAL PROPERTIES IMPORTED_LOCATION "$place/lib/$libgdal"
                      INTERFACE_INCLUDE_DIRECTORIES "$place/include")
TEXT
    cat >"$place/bin/gdal-config" <<TEXT
#!/bin/sh
case \$1 in
--cflags) echo "-I$place/include" ;;
--libs) echo "-L$place/lib -lgdal" ;;
--version) echo "$version" ;;
--prefix) echo "$place" ;;
--datadir) echo "$place/share/gdal" ;;
esac
TEXT
    chmod +x "$place/bin/gdal-config"

    (
        cd "$sources/gdal/apps"
        compile=(${CXX:-c++} -std=c++17 -w -DGDAL_COMPILATION "-I$place/include" -I. -I../gcore)
        [ ! -e gdalargumentparser.cpp ] || "${compile[@]}" -c gdalargumentparser.cpp
        for program in gdalinfo gdal_translate gdalwarp gdaladdo gdalmanage gdaldem gdalbuildvrt gdallocationinfo gdal_rasterize nearblack gdal; do
            main=${program}_bin.cpp
            [ -e "$main" ] || main=$program.cpp
            [ ! -e "$main" ] || "${compile[@]}" "$main" *.o -o "$place/bin/$program" -L"$place/lib" -lgdal
        done
    )
    "${pip[@]}" install -q -U setuptools wheel -r <(grep -v '^#' "$root/autotest/requirements.txt")
    # Debian's libgdal.so and NumPy's headers lie in folders that the compiler is told first.
    PATH=$place/bin:$PATH LDFLAGS=-L$place/lib CXXFLAGS="-O0 -I$("$place/python/bin/python" -c 'import numpy; print(numpy.get_include())')" \
        "${pip[@]}" install -q --no-build-isolation --no-cache-dir "gdal==$version"
    touch "$place/.complete"
}

# -- Build and test a copy of the tree ---------------------------------------------------------------------------------

[ $# -gt 0 ] || set -- "${!pyogrio[@]}"
table=$'\n| GDAL | builds | CTest | pytest |\n|---|---|---|---|\n'
failed=0
for series in "$@"; do
    place=$root/build/gdal-$series
    source=$place/source
    if [ -z "${pyogrio[$series]:-}" ]; then
        echo "No wheel is known for GDAL $series; there are: ${!pyogrio[*]}" >&2
        exit 2
    fi
    if [ ! -e "$place/.complete" ]; then
        echo "Making GDAL $series ..."
        make_gdal "$series" "$place"
    fi
    mkdir -p "$source"
    tar -C "$root" --exclude='./build*' --exclude=./.git --exclude=./out -cf - . | tar -C "$source" -xf -
    inside=(env "PATH=$place/bin:$place/python/bin:$PATH" "LD_LIBRARY_PATH=$place/lib" "GDAL_DATA=$place/share/gdal"
        "PROJ_DATA=$place/share/proj" "GDAL_DRIVER_PATH=$source/build/driver/gdal")
    row="| $("$place/bin/gdal-config" --version) |"
    if "${inside[@]}" "$source/scripts/build.sh" "$source/build" -DNGFF_WERROR=ON "-DGDAL_DIR=$place"; then row+=" yes |"; else row+=" no |" failed=1; fi
    "${inside[@]}" ctest --test-dir "$source/build" -j"$(nproc)" --output-on-failure >"$place/ctest.log" 2>&1 || failed=1
    row+=" $(grep -oE '[0-9]+ tests failed out of [0-9]+' "$place/ctest.log" || echo none) |"
    "${inside[@]}" python -m pytest "$source/autotest" -q -ra -n "$(nproc)" --ignore "$source/autotest/gdrivers/omezarr_qgis.py" \
        >"$place/pytest.log" 2>&1 || failed=1
    tail -40 "$place/pytest.log"
    row+=" $(tail -1 "$place/pytest.log" | grep -oE '[0-9]+ [a-z]+' | grep -vE 'warning' | paste -sd, | sed 's/,/, /g') |"
    table+=$row$'\n'
done
printf '%s' "$table"
exit $failed
