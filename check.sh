#!/bin/bash
# check.sh [STEP...]: installs the test tools (Debian, Ubuntu) and passes all tests; `check.sh quick` is build, ctest
# and pytest. Two steps run side by side, since none keeps all processors busy all the time; each line says of which step it
# is. Every step runs even if one before it failed; the table at the end says what happened. Exit status 0 only
# if no step failed. What a machine cannot run (no root for the chroot, say) is skipped with its reason. The table is
# kept in build/figures.md, with date and commit; processor time tells more than the clock where others share the machine.
set -uo pipefail
cd "$(dirname "$0")" || exit 2
here=$PWD
# In the order in which they begin; `after` names the steps that a step waits for, if not for build alone.
all="build pytest sanitizers ctest natives nogdal machines wine imagej python plugin fuzz threads chroot newgdal header symbols"
declare -A after=([build]="" [sanitizers]="" [natives]="" [nogdal]="" [threads]="" [header]="" [machines]=nogdal [wine]=natives
    [imagej]="build natives" [python]="build natives" [plugin]="build sanitizers" [fuzz]=sanitizers [newgdal]="build chroot")
steps=${*:-$all}
[ "$steps" = quick ] && steps="build ctest pytest"
logs=$here/build/logs
venv=$here/build/venv
mkdir -p "$logs"

scripts/install_packages.sh test || exit 1

# -- The steps. Each prints what matters, returns 0 (passed), 77 (skipped; its last line says why) or another status. --

step_build() {
    scripts/build.sh build -DNGFF_WERROR=ON && ls -l build/libngff.so.* build/driver/gdal/*.so
}

step_ctest() { # allocations that fail: under the sanitizers, where more is seen
    ctest --test-dir build --output-on-failure -E '^faults/' -j"$(nproc)"
}

make_venv() {
    if [ ! -x "$venv/bin/python" ]; then
        /usr/bin/python3 -m venv --system-site-packages "$venv" || return 1
    fi
    cmp -s autotest/requirements.txt "$venv/requirements.txt" && return 0
    echo "Installing the other readers and the validators (autotest/requirements.txt) ..."
    scripts/pip_install.sh "$venv/bin/python" -r autotest/requirements.txt &&
        cp autotest/requirements.txt "$venv/requirements.txt"
}

make_azurite() { # Azure Blob Storage for the tests; the newest that runs on the node of Debian 12
    local version=3.35.0
    [ "$(cat build/node/version 2>/dev/null)" != "$version" ] || return 0
    command -v npm >/dev/null || { echo "(There is no npm: /vsiaz/ is not tested.)" && return 0; }
    echo "Installing azurite $version ..."
    npm install --prefix build/node --no-audit --no-fund --omit=optional --ignore-scripts --loglevel=error \
        "azurite@$version" >/dev/null && echo "$version" >build/node/version && return 0
    echo "(azurite cannot be installed: /vsiaz/ is not tested.)"
}

prepare() {
    make_venv || return 1
    make_azurite
    scripts/viewers.sh build/viewers
}

# What comes from the network comes while others compile; whoever needs it waits for it here.
locked() (
    flock 9
    "$@"
) 9>"$logs/prepare.lock"

step_pytest() {
    locked prepare || return 1
    local skips=() # other systems lack other things
    ! grep -qs 'VERSION_ID="12"' /etc/os-release || skips=(--expected-skips autotest/expected_skips.txt)
    # On a disk of memory, where there is room for it: half of the sweeps' time is files that come and go.
    local temporary=/tmp status
    [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)" -lt 8000000 ] 2>/dev/null || temporary=/dev/shm
    temporary=$(mktemp -d -p $temporary) || return 1
    # Twice as many as processors, since a third of the time they wait for servers and disks; a module's tests go to one of
    # them, which starts its servers once, until another has nothing left to do.
    PYTEST_DEBUG_TEMPROOT=$temporary GDAL_DRIVER_PATH=$here/build/driver/gdal "$venv/bin/python" -m pytest autotest --ignore autotest/imagej -q -ra -n "$((2 * $(nproc)))" \
        --dist worksteal --durations=5 "${skips[@]}" # the stores of ImageJ are made and read in the step imagej
    status=$?
    rm -rf "$temporary"
    return $status
}

step_header() { # the public header compiles alone, pedantically
    local header=core/include/ngff.h
    ${CC:-cc} -std=c11 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -x c "$header" &&
        ${CXX:-c++} -std=c++17 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -x c++ "$header" &&
        echo "ngff.h compiles alone as C11 and as C++17" || return 1
    local case way # on Windows: what the library's own build, its users and those of a static library see
    for case in -DNGFF_BUILDING:dllexport -UNGFF_BUILDING:dllimport -DNGFF_STATIC:; do
        way=$(${CC:-cc} -E -P -D_WIN32 "${case%:*}" -x c "$header" | grep -oE 'dll(ex|im)port' | sort -u)
        [ "$way" = "${case#*:}" ] || { echo "with ${case%:*} on Windows ngff.h says \"$way\"" && return 1; }
    done
}

step_symbols() { # what the header declares is exported, and each function has a test in C, so that sanitizers see it
    scripts/exported_symbols.sh build/libngff.so || return 1
    local name untested=0
    while read -r name; do
        grep -qw "$name" tests/*/test_*.c || { echo "$name has no test in tests/" && untested=1; }
    done <tests/exported_symbols.txt
    [ "$untested" = 0 ] && echo "$(wc -l <tests/exported_symbols.txt) exported functions, as in ngff.h, each with a test in C"
}

step_nogdal() {
    NGFF_TARGETS="ngff omezarr machine_stores" scripts/build.sh build-nogdal -DNGFF_WITH_GDAL=OFF -DNGFF_WERROR=ON || return 1
    if ldd build-nogdal/libngff.so | grep -q gdal; then
        echo "libngff built without GDAL links GDAL"
        return 1
    fi
    ctest --test-dir build-nogdal --output-on-failure -R '^(machines|docs|program)' -j"$(nproc)" || return 1 # the others: natives
    scripts/exercise.sh # such a build, too: a codec and a reducer more
}

step_machines() { # another byte order, 32 bits; after nogdal, whose build writes the stores of this machine
    scripts/other_machine.sh i386
    [ $? = 1 ] && return 1
    scripts/other_machine.sh s390x
}

step_natives() { # the library that people's own machines get: by zig, with its codecs in it
    scripts/natives.sh check
}

step_wine() { # the same for Windows, as far as it can be seen here
    scripts/wine.sh
}

step_imagej() { # the plugin for ImageJ, with what natives has built in its jar
    locked make_venv && scripts/imagej.sh test
}

step_python() { # the package omezarr; after natives, whose build its wheel finishes
    locked make_venv && scripts/wheels.sh test
}

step_sanitizers() { # the C suite under ASan, LeakSanitizer and UBSan; the plugin and the fuzz targets come out of the same build
    scripts/asan.sh || return
    # libgdal and its libraries keep memory until the process ends.
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        ctest --test-dir build-asan --output-on-failure -R '^store/store_vsi$' --no-tests=error || return 1
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ctest --test-dir build-asan --output-on-failure -E '^store/store_vsi$' -j"$(nproc)"
}

step_plugin() { # the plugin in an unmodified gdal_translate: under ASan and UBSan, then under valgrind
    local place run n=0 options failed=0
    NGFF_TARGETS=gdal_OMEZARR scripts/asan.sh || return
    place=$(mktemp -d) || return 1
    export GDAL_PAM_ENABLED=NO
    gdal_translate -q -outsize 300 260 autotest/gdrivers/data/rocky_mountain.tif "$place/in.tif" || return 1
    local asan=(env "LD_PRELOAD=$(clang -print-file-name=libclang_rt.asan-x86_64.so)"
        ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
        "GDAL_DRIVER_PATH=$here/build-asan/driver/gdal")
    local valgrind=(env "GDAL_DRIVER_PATH=$here/build/driver/gdal" valgrind -q --error-exitcode=9 --leak-check=full
        --show-leak-kinds=definite --errors-for-leak-kinds=definite)
    command -v valgrind >/dev/null || valgrind=()
    for options in "NGFF_VERSION=0.4 VERIFY=SOURCE" "SHARD=128 BLOCKSIZE=64 VERIFY=SOURCE" \
        "OVERVIEW_RESAMPLING=GAUSS SCALE_FACTORS=3,9 BLOCKSIZE=32 MEMORY=1"; do
        for run in asan valgrind; do
            local -n tool=$run
            [ ${#tool[@]} -gt 0 ] || continue
            # shellcheck disable=SC2086
            { "${tool[@]}" gdal_translate -q -of OMEZARR $(printf -- '-co %s ' $options) "$place/in.tif" "$place/$run$n.ome.zarr" &&
                "${tool[@]}" gdalinfo -checksum "$place/$run$n.ome.zarr"; } >"$place/$run$n.log" 2>&1 ||
                { cat "$place/$run$n.log" && echo "$run, $options: failed" && touch "$place/failed"; } &
        done
        wait
        n=$((n + 1))
    done
    [ ! -e "$place/failed" ] || failed=1
    rm -rf "$place"
    [ $failed = 0 ] || return 1
    [ ${#valgrind[@]} -gt 0 ] || echo "(valgrind is not installed)"
    echo "$n runs and readings without a finding"
}

step_threads() { # ThreadSanitizer on what runs in threads; it needs a fixed address layout
    local fixed="" place
    NGFF_TARGETS="tests_of_threads gdal_OMEZARR" scripts/build.sh build-tsan -DNGFF_SANITIZE=thread || return 1
    setarch -R true 2>/dev/null && fixed="setarch -R"
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
        $fixed ctest --test-dir build-tsan -L threads --output-on-failure -j"$(nproc)" || return 1
    # The plugin in a program of several threads.
    place=$(mktemp -d) || return 1
    # shellcheck disable=SC2046
    ${CXX:-c++} -std=c++17 -g -O1 -fsanitize=thread $(gdal-config --cflags) autotest/cpp/threads.cpp -o "$place/threads" \
        $(gdal-config --libs) &&
        GDAL_DRIVER_PATH=$here/build-tsan/driver/gdal GDAL_PAM_ENABLED=NO \
            TSAN_OPTIONS="halt_on_error=0 exitcode=66 suppressions=$here/autotest/cpp/tsan.supp" \
            $fixed "$place/threads" autotest/gdrivers/data/rocky_mountain.tif "$place"
    local status=$?
    rm -rf "$place"
    return $status
}

step_fuzz() {
    scripts/fuzz.sh "${FUZZ_SECONDS:-9}" # what earlier runs found is kept in tests/fuzz/corpus.tar.gz
}

step_chroot() { # GDAL 3.13's own Zarr driver, without our plugin, reads what we wrote
    locked make_venv || return 1
    rm -rf build/stores
    GDAL_DRIVER_PATH=$here/build/driver/gdal "$venv/bin/python" autotest/gdal_zarr_stores.py build/stores || return 1
    scripts/chroot_gdal.sh sid read build/stores
}

step_newgdal() { # the plugin built for GDAL 3.13, and those of its tests that differ most by version; the slow ones do not
    scripts/chroot_gdal.sh sid test -m "not slow" omezarr_{driver,create,orders,update,options,gdal_cli,rasterio,verify,missing,sidefile,copy,classes,multidim,stacks,labels}.py
}

# -- Run them -------------------------------------------------------------------------------------------------------

for step in $steps; do
    declare -F "step_$step" >/dev/null || { echo "No step \"$step\"; there are: $all, and quick" >&2 && exit 2; }
done
case " $steps " in *" pytest "*) locked prepare >"$logs/prepare.log" 2>&1 & ;; esac
trap 'trap "" TERM; kill 0; exit 130' INT # a shell's children in the background do not hear of Ctrl-C

run() { # STEP: its output goes on under its name; what became of it stands in build/logs
    local begin=$SECONDS
    rm -f "$logs/$1".*
    {
        "step_$1" </dev/null 2>&1
        echo $? >"$logs/$1.status"
        times >"$logs/$1.times"
    } | tee "$logs/$1.log" | sed -u "s/^/$1: /"
    echo $((SECONDS - begin)) >"$logs/$1.seconds"
}

processor_seconds() { # what all that a shell has waited for has used, from the output of `times`
    awk 'NR == 2 { gsub(/[ms]/, " "); printf "%d", 60 * $1 + $2 + 60 * $3 + $4 }' "$1"
}

is_ready() { # STEP: what it waits for has ended, or is not asked for
    local before
    for before in ${after[$1]-build}; do
        case ${state[$before]:-ended} in waiting | running) return 1 ;; esac
    done
}

begin_next() {
    local step
    for step in $steps; do
        if [ "${state[$step]}" = waiting ] && is_ready "$step"; then
            run "$step" &
            step_of[$!]=$step
            state[$step]=running
            return 0
        fi
    done
    return 1
}

declare -A state=() step_of=()
for step in $steps; do state[$step]=waiting; done
while :; do
    while [ ${#step_of[@]} -lt 2 ] && begin_next; do :; done
    [ ${#step_of[@]} -gt 0 ] || break
    wait -n -p process "${!step_of[@]}"
    state[${step_of[$process]}]=ended
    unset "step_of[$process]"
done
wait
times >"$logs/all.times"

failures() { # LOG: the tests that failed and what they said, as pytest, CTest and the compilers print it; else the end
    grep -E '^(FAILED|ERROR) |^(E  |>  ) |SKIP FAILED|\*\*\*(Failed|Timeout|Exception)|[^ ]: (fatal )?error:|FAILED:|: [Ff]ailed' "$1" |
        cut -c1-300 | tail -40 | grep . || tail -20 "$1"
}

table=""
rows=""
failed=0
for step in $steps; do
    last=$(grep -E '^(=+ .*(passed|failed|error)|[0-9]+ (passed|failed)|[0-9]+% tests passed)' "$logs/$step.log" | tail -1)
    [ -n "$last" ] || last=$(grep -v '^ *$' "$logs/$step.log" | tail -1)
    case $(cat "$logs/$step.status") in
    0) word=passed ;;
    77) word=skipped ;;
    *) word=FAILED failed=$((failed + 1)) ;;
    esac
    seconds=$(cat "$logs/$step.seconds") cpu=$(processor_seconds "$logs/$step.times")
    table+=$(printf '%-11s %-8s %4ds, CPU %4ds  %s' "$step" "$word" "$seconds" "$cpu" "${last:0:110}")$'\n'
    rows+="| $step | $word | $seconds | $cpu | ${last:0:110} |"$'\n'
done

{
    echo "$(date -u +%F), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(gdal-config --version 2>/dev/null | sed 's/^/GDAL /')," \
        "$(nproc) processors, $(uname -m); together $SECONDS s, CPU $(processor_seconds "$logs/all.times") s"
    printf '\n| step | result | s | CPU s | counts |\n|---|---|---|---|---|\n%s' "$rows"
} >build/figures.md

printf '\n===== result\n%s' "$table"
if [ "$failed" -gt 0 ]; then
    # Last, since who reads a log of CI may see no more than its end.
    for step in $steps; do
        case $(cat "$logs/$step.status") in 0 | 77) continue ;; esac
        printf '\n===== %s: what failed\n' "$step"
        failures "$logs/$step.log"
    done
    echo "$failed step(s) failed; their output is in $logs/"
    exit 1
fi
echo "All steps passed. The figures are in build/figures.md."
