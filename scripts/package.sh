#!/bin/bash
# package.sh [SUITE]: makes the Debian packages of cmake/package.cmake for this machine's GDAL or, in the chroot that
# chroot_gdal.sh keeps, for that of SUITE (sid has 3.13); lets lintian look at them; installs them in a bare Debian of that
# suite and runs gdal_translate, gdalinfo and `omezarr verify` there. The packages are then in build-package/SUITE.
# package.sh make DIRECTORY: makes them only, in DIRECTORY, for the GDAL of the system that this runs in.
# What cannot be had (root, debootstrap, a mirror): the last line says so and the exit status is 77.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)

make_packages() { # with Debian's own flags, for programs of which attackers choose the input
    local directory=$1 flags
    { command -v dpkg-buildflags && command -v file; } >/dev/null || { echo "skipped: there is no dpkg-dev, or no file, to make Debian packages" && exit 77; }
    flags=$(DEB_BUILD_MAINT_OPTIONS=hardening=+bindnow dpkg-buildflags --export=sh)
    eval "$flags"
    CFLAGS+=" $CPPFLAGS" CXXFLAGS+=" $CPPFLAGS"
    rm -f "$directory"/*.deb
    NGFF_TARGETS="ngff gdal_OMEZARR omezarr" "$source/scripts/build.sh" "$directory" -DCMAKE_INSTALL_PREFIX=/usr \
        -DCMAKE_INSTALL_LIBDIR="lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)" -DBUILD_TESTING=OFF
    (cd "$directory" && cpack -G DEB) >"$directory/cpack.log" 2>&1 || { cat "$directory/cpack.log" && return 1; }
    rm -rf "$directory/_CPack_Packages"
}

if [ "${1:-}" = make ]; then
    make_packages "$2"
    exit
fi
here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
suite=${1:-$here}
made=$source/build-package/$suite
mkdir -p "$made"
if [ "$suite" = "$here" ]; then
    "$source/scripts/install_packages.sh" build
    make_packages "$made"
else
    "$source/scripts/chroot_gdal.sh" "$suite" package "$made"
fi
if command -v lintian >/dev/null; then
    lintian --fail-on error,warning --allow-root "$made"/*.deb && echo "lintian has nothing to say"
else
    echo "(lintian is not installed)"
fi
"$source/scripts/chroot_gdal.sh" "$suite" install "$made"
