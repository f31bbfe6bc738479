#!/bin/bash
# peer_tests.sh [TEST-FILE...]: runs ngff-zarr's own tests (its source package of PyPI carries them) with its four calls replaced by
#   those of omezarr (driver/python/tests/peer), and says how many of them pass, and what of the pinned list does not. By hand; minutes.
# peer_tests.sh itself [TEST-FILE...]: the same tests with ngff-zarr's own calls, for comparison.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
place=$source/build-python/peer
python=$source/build/venv/bin/python
version=0.50.0
[ "${1:-}" = itself ] && export PEER=itself && shift
mkdir -p "$place"
if [ ! -e "$place/src/test" ]; then
    "$source/scripts/pip_install.sh" "$source/build-python/tools/bin/python" hatchling
    "$source/build-python/tools/bin/python" -m pip download -q --no-binary :all: --no-deps --no-build-isolation -d "$place" ngff-zarr==$version
    mkdir -p "$place/src" && tar -C "$place/src" --strip-components 1 -xzf "$place/ngff_zarr-$version.tar.gz"
    "$python" -m pip install -q --disable-pip-version-check --no-deps --target "$place/site" pooch deepdiff orderly-set cachebox \
        itkwasm-image-io itkwasm-image-io-wasi dask-image pims slicerator pytest-timeout
fi
cd "$place/src"
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(grep -lE 'to_ngff_image|to_multiscales|to_ngff_zarr|to_ome_zarr|from_ngff_zarr|from_ome_zarr' test/test_*.py | grep -v nibabel_integration) # which ends Python where nibabel is missing
export PEER_RESULTS=$place/${PEER:-ours}.json PYTHONPATH=${OMEZARR:-$source/build-python/installed}:$place/site:$source/driver/python/tests/peer
# Its folder ngff_zarr beside the tests would hide the installed one's data files.
[ ! -e ngff_zarr ] || mv ngff_zarr not_installed
nice "$python" -m pytest -p peer_plugin -p no:cacheprovider -q --timeout 60 --disable-warnings --tb no -n 1 "${files[@]}" | tail -3 || true
"$python" "$source/driver/python/tests/peer/count.py" "$PEER_RESULTS" "$source/driver/python/tests/peer/pinned.txt"
