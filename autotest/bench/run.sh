#!/bin/bash
# run.sh [OPTION...]: the benchmark. Builds the driver (Release) and the bench programs into build-bench/, makes the
# inputs in /dev/shm (B2 763 MiB, B1 768 MiB, B5 3 GiB; they stay for the next run, remove /dev/shm/omezarr-bench when
# done), and prints tables. Options are those of run.py; --peers also installs the Python peers. `run.sh --read` is the
# benchmark of reading, with the options of read.py (inputs of 3 GiB); `run.sh --open` that of opening on a slow web
# server, with those of open.py (inputs of 100 MiB in a temporary folder); `run.sh --holes` that of sources with holes,
# `run.sh --stacks` that of TIFFs of many pages, with the options of stacks.py, `run.sh --imagej` that of the plugin for ImageJ,
# `run.sh --python` that of the Python package, with the options of arrays.py.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build-bench
venv=$build/venv

"$root/scripts/build.sh" "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF
cc -std=gnu11 -O3 -march=native -fopenmp $(gdal-config --cflags) "$here/make_input.c" -o "$build/make_input" -lgdal -lm
cc -std=gnu11 -O3 -march=native "$here/floor.c" -o "$build/floor" -lblosc -ltiff -lpthread
cc -std=gnu11 -O3 -march=native "$here/floor_read.c" -o "$build/floor_read" -lblosc -lzstd -lpthread
cc -std=gnu11 -O3 $(gdal-config --cflags) "$here/read_gdal.c" -o "$build/read_gdal" -lgdal
[ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
packages=(numpy==2.4.6 tifffile zarr==3.1.6 numcodecs==0.16.6)
bench=run.py
if [ "${1:-}" = --read ]; then
    shift
    bench=read.py
    packages=(numpy==2.4.6 tensorstore==0.1.86)
fi
if [ "${1:-}" = --holes ]; then
    shift
    bench=holes.py
fi
if [ "${1:-}" = --stacks ]; then
    shift
    bench=stacks.py
    cc -std=gnu11 -O3 -march=native "$here/floor_pages.c" -o "$build/floor_pages" -lblosc -ltiff -lpthread
fi
if [ "${1:-}" = --imagej ]; then
    shift
    bench=imagej.py
fi
wheel=
if [ "${1:-}" = --python ]; then
    shift
    bench=arrays.py
    packages+=(dask)
    "$root/scripts/wheels.sh" >&2
    wheel=$(echo "$root"/build-python/dist/*.whl)
fi
if [ "${1:-}" = --open ]; then
    shift
    bench=open.py
fi
case " $* " in *" --peers "*) packages=(-r "$here/requirements.txt") ;; esac
"$root/scripts/pip_install.sh" "$venv/bin/python" "${packages[@]}"
[ -z "$wheel" ] || "$venv/bin/python" -m pip install -q --disable-pip-version-check --force-reinstall --no-deps "$wheel" cffi

echo "$(date -u +%F), commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2-), $(nproc) cores; $(gdalinfo --version)"
echo
# The parent of every timed process stays small: no packages in this interpreter.
exec /usr/bin/python3 "$here/$bench" --build "$build" --driver "$build/driver/gdal" --python "$venv/bin/python" "$@"
