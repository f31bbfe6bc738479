#!/bin/bash
# install_packages.sh [build|test]: installs, through apt, the packages that the build or also the tests need and that
# are missing; a complete machine is left alone and needs no root. Without apt it says what to install.
set -euo pipefail

build="cmake ninja-build gcc g++ pkg-config gdal-bin libgdal-dev libblosc-dev libzstd-dev liblz4-dev libdeflate-dev libcjson-dev"
test="strace valgrind locales python3-gdal python3-venv python3-pip python3-dev clang binutils ca-certificates curl python3-qgis qgis-providers"
viewers="xvfb xauth chromium libegl1 libopengl0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0"
imagej="default-jdk-headless maven"
modules="gdal blosc libzstd liblz4 libdeflate libcjson"

wanted=$build
[ "${1:-build}" = test ] && wanted="$build $test"

if ! command -v apt-get >/dev/null; then
    missing=""
    for program in cmake ninja cc c++ pkg-config gdal_translate; do
        command -v "$program" >/dev/null || missing+=" $program"
    done
    for module in $modules; do
        pkg-config --exists "$module" 2>/dev/null || missing+=" $module"
    done
    [ -z "$missing" ] && exit 0
    cat >&2 <<TEXT
This machine has no apt. Please install what is missing:$missing
  Fedora   dnf install cmake ninja-build gcc gcc-c++ pkgconf gdal gdal-devel blosc-devel libzstd-devel lz4-devel libdeflate-devel cjson-devel
  Arch     pacman -S cmake ninja gcc pkgconf gdal blosc zstd lz4 libdeflate cjson
  macOS    brew install cmake ninja pkg-config gdal c-blosc zstd lz4 libdeflate cjson
  conda    conda install -c conda-forge cmake ninja compilers pkg-config gdal libgdal blosc zstd lz4-c libdeflate cjson
For the tests also: Python 3.11 or newer with venv and GDAL's Python module (osgeo), clang, npm.
TEXT
    exit 1
fi

install=$(dirname "$0")/apt_install.sh
# shellcheck disable=SC2086
"$install" $wanted
if [ "${1:-build}" = test ]; then
    command -v npm >/dev/null || "$install" nodejs npm # some have both in one package of another place
    # clang's sanitizers are a package of their own, named by its version
    runtime=libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev
    ! apt-cache show "$runtime" >/dev/null 2>&1 || "$install" "$runtime"
    # shellcheck disable=SC2086
    command -v javac >/dev/null && command -v mvn >/dev/null || "$install" $imagej ||
        echo "(There is no JDK or Maven: the plugin for ImageJ is not tested.)"
    # shellcheck disable=SC2086
    "$install" $viewers || echo "(These cannot be installed: the viewers that need them are not tested.)"
fi
echo "All packages are installed."
