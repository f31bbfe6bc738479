#!/bin/bash
# chroot_gdal.sh SUITE [test [PYTEST ARGUMENTS...]|read STORES|package TO|install FROM]: another GDAL in a throw-away Debian chroot (trixie has 3.10, sid 3.13).
#   test          builds the plugin there, runs CTest and pytest, and prints one row of the table in docs/developing.md; trixie has
#                 QGIS 3.40, which exports through the plugin too. Arguments of pytest are seen from autotest/gdrivers
#   read STORES   GDAL's own Zarr driver, without our plugin, reads what autotest/gdal_zarr_stores.py wrote
#   package TO    makes the Debian packages there (scripts/package.sh make) and copies them to the folder TO
#   install FROM  installs the packages of the folder FROM in a bare system, as a user would, and writes a store with them
# The chroot is kept in $OMEZARR_CHROOTS (default /var/cache/omezarr-chroots) for the next run. Needs root or sudo,
# debootstrap and the network; without them the last line says why and the exit status is 77.
set -euo pipefail
suite=$1
job=${2:-test}
shift $(($# < 2 ? $# : 2))
given=""
[ "$job" = test ] || given=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)

skip() {
    echo "skipped: $*"
    exit 77
}

if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || skip "a chroot needs root"
    exec sudo -n env OMEZARR_CHROOTS="${OMEZARR_CHROOTS:-}" "$0" "$suite" "$job" "$@"
fi
command -v apt-get >/dev/null || skip "no apt on this machine, so no Debian mirror is known"
if ! command -v debootstrap >/dev/null; then
    "$root/scripts/apt_install.sh" debootstrap >/dev/null 2>&1 ||
        skip "debootstrap cannot be installed"
fi

chroots=${OMEZARR_CHROOTS:-/var/cache/omezarr-chroots}
base=$chroots/$suite
[ "$job" != install ] || base+=-bare
mkdir -p "$chroots"

# -- The base system, from the mirror that this machine uses ---------------------------------------------------------

if [ ! -e "$base/.base" ]; then
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Identifier: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
    [ -n "$mirror" ] || skip "apt knows no Debian mirror here"
    echo "debootstrap $suite ..."
    rm -rf "$base"
    if ! debootstrap --variant=minbase "$suite" "$base" "$mirror" >"$chroots/$suite.log" 2>&1; then
        tail -3 "$chroots/$suite.log"
        rm -rf "$base"
        skip "debootstrap $suite failed"
    fi
    cp /etc/apt/apt.conf.d/*proxy* "$base/etc/apt/apt.conf.d/" 2>/dev/null || true
    touch "$base/.base"
fi
cp /etc/resolv.conf "$base/etc/resolv.conf" 2>/dev/null || true
mkdir -p "$base/src" "$base/stores"

# A mount namespace of its own, where the machine allows one, so that /proc goes away by itself.
inside() {
    local enter=(chroot "$base")
    if unshare -m true 2>/dev/null; then
        enter=(unshare -m sh -c 'mount -t proc proc "$0/proc" 2>/dev/null; mount -t tmpfs tmpfs "$0/dev/shm" 2>/dev/null; mount -t tmpfs tmpfs "$0/tmp" 2>/dev/null; exec chroot "$0" "$@"' "$base")
    fi
    "${enter[@]}" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "$@" </dev/null
}

install() {
    local list="$*"
    [ "$(cat "$base/.packages-$job" 2>/dev/null)" = "$list" ] && return 0
    echo "Installing GDAL in $suite ..."
    { inside apt-get -o Acquire::Check-Valid-Until=false update -qq && inside apt-get install -y -qq --no-install-recommends "$@"; } >"$chroots/$suite.log" 2>&1 || {
        tail -5 "$chroots/$suite.log"
        skip "packages cannot be installed in $suite"
    }
    echo "$list" >"$base/.packages-$job"
}

build_packages="libgdal-dev gcc g++ cmake ninja-build pkgconf libblosc-dev libzstd-dev liblz4-dev libdeflate-dev libcjson-dev"
bring_source() { # to a folder there
    rm -rf "${base:?}/$1" && mkdir "$base/$1"
    tar -C "$root" --exclude='./build*' --exclude=./.git --exclude=./out -cf - . | tar -C "$base/$1" -xf -
}

# -- The job ---------------------------------------------------------------------------------------------------------

case $job in
read)
    install gdal-bin python3-gdal
    rm -rf "$base/stores" && mkdir "$base/stores"
    tar -C "$given" -cf - . | tar -C "$base/stores" -xf -
    cp "$root/autotest/gdal_zarr_stores.py" "$base/stores/"
    inside python3 /stores/gdal_zarr_stores.py --read /stores
    ;;
test)
    # shellcheck disable=SC2086,SC2046
    install gdal-bin python3-gdal python3-numpy python3-pytest python3-pytest-xdist $build_packages \
        $([ "$suite" != trixie ] || echo python3-qgis) \
        $([ "$suite" != sid ] && [ "$suite" != trixie ] || echo python3-tifffile python3-zarr)
    bring_source src
    version=$(inside gdalinfo --version | sed 's/^GDAL \([0-9.]*\).*/\1/')
    qgis=$(inside env QT_QPA_PLATFORM=offscreen python3 -c 'from qgis.core import Qgis; print(Qgis.QGIS_VERSION)' 2>/dev/null |
        sed 's/^\([0-9.]*\).*/, QGIS \1/') || qgis=""
    row="| $suite | $version$qgis |"
    status=0
    # With some test files only, of the C suite what does something by GDAL.
    targets="" tests=""
    [ $# = 0 ] || targets="ngff gdal_OMEZARR omezarr localfault store_test_store_vsi" tests="-R ^store/store_vsi$ --no-tests=error"
    if inside env NGFF_TARGETS="$targets" /src/scripts/build.sh /src/build -DNGFF_WERROR=ON; then row+=" yes |"; else row+=" no |" status=1; fi
    # shellcheck disable=SC2086
    inside ctest --test-dir /src/build -j"$(nproc)" --output-on-failure $tests >"$chroots/$suite-ctest.log" 2>&1 || status=1
    tail -25 "$chroots/$suite-ctest.log"
    row+=" $(grep -oE '[0-9]+ tests failed out of [0-9]+' "$chroots/$suite-ctest.log" || echo none) |"
    [ $# -gt 0 ] || set -- /src/autotest
    inside env GDAL_DRIVER_PATH=/src/build/driver/gdal sh -c 'cd /src/autotest/gdrivers && exec python3 -m pytest "$@"' \
        pytest -q -ra -n "$(nproc)" "$@" \
        >"$chroots/$suite-pytest.log" 2>&1 || status=1
    tail -40 "$chroots/$suite-pytest.log"
    row+=" $(tail -1 "$chroots/$suite-pytest.log" | grep -oE '[0-9]+ [a-z]+' | grep -vE 'warning' | paste -sd, | sed 's/,/, /g') |"
    printf '\n| Debian | GDAL | builds | CTest | pytest |\n|---|---|---|---|---|\n%s\n' "$row"
    exit $status
    ;;
package)
    # shellcheck disable=SC2086
    install $build_packages dpkg-dev file
    bring_source package
    inside /package/scripts/package.sh make /package/build
    rm -f "$given"/*.deb
    cp "$base"/package/build/*.deb "$given/"
    rm -rf "$base/package"
    ;;
install) # in a copy of the bare system, which goes afterwards; only what was downloaded is kept
    bare=$base base=$(mktemp -d -p "$chroots")
    trap 'rm -rf "$base"' EXIT
    cp -a "$bare/." "$base/"
    cp "$given"/*.deb "$root/autotest/gdrivers/data/rocky_mountain.tif" "$base/root/"
    inside sh -c 'apt-get -o Acquire::Check-Valid-Until=false update -qq && cd /root && apt-get install -y -qq --no-install-recommends gdal-bin ./*.deb' \
        >"$chroots/$suite-install.log" 2>&1 || { tail -20 "$chroots/$suite-install.log" && exit 1; }
    mv "$base"/var/cache/apt/archives/*.deb "$bare/var/cache/apt/archives/" 2>/dev/null || true
    inside sh -ec 'cd /root
        gdal_translate -q -of OMEZARR rocky_mountain.tif out.ome.zarr
        gdalinfo --version && gdalinfo out.ome.zarr | grep -E "^Driver|^Size|Overviews" | sort -u
        omezarr verify out.ome.zarr rocky_mountain.tif
        dpkg -s gdal-omezarr | grep -E "^(Version|Depends)"
        apt-get purge -y -qq gdal-omezarr libngff-dev libngff0 >/dev/null 2>&1
        ! dpkg -S omezarr ngff 2>/dev/null && ! find /usr -name "*ngff*" -o -iname "*omezarr*" | grep .'
    ;;
*)
    echo "usage: chroot_gdal.sh SUITE [test|read STORES|package TO|install FROM]" >&2
    exit 2
    ;;
esac
