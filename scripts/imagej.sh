#!/bin/bash
# imagej.sh: builds the plugin for ImageJ and Fiji, driver/imagej/target/OMEZarr_.jar, with the native libraries that
#   scripts/natives.sh has built.
# imagej.sh test: the same with its tests, which use the libngff of build/, so that the stores they write can be compared with
#   those of gdal_translate; then autotest/imagej reads these stores.
# Where there is no JDK or Maven, or Maven cannot bring what it needs, the last line says so and the exit status is 77.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
for program in javac mvn; do
    command -v $program >/dev/null || { echo "skipped: there is no $program" && exit 77; }
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT

maven() {
    mvn -q -B -f "$source/driver/imagej/pom.xml" package "$@" >"$log" 2>&1 && return 0
    cat "$log"
    ! grep -qE 'Could not (transfer|resolve)|Non-resolvable' "$log" || { echo "skipped: Maven cannot bring what the build needs" && exit 77; }
    exit 1
}

if [ "${1:-}" != test ]; then
    maven -DskipTests
    ls -l "$source/driver/imagej/target/OMEZarr_.jar"
    exit 0
fi
maven "-Dlibrary=$source/build"
cat "$source"/driver/imagej/target/surefire-reports/*.txt | grep '^Tests run'
GDAL_DRIVER_PATH=$source/build/driver/gdal "$source/build/venv/bin/python" -m pytest "$source/autotest/imagej" -q
