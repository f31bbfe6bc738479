#!/bin/bash
# fault_sweep.sh [--peers] [--every K] [--scenario NAME]...: the whole sweep of faults (tests/faults/) at three places: every
# write-side call of gdal_translate and of Create() fails once, fails for ever, writes short, loses its answer, or kills the
# process. Prints the counts; exit status 0 if nothing happened that must not. --peers: also GDAL's Zarr and GTiff drivers.
# Takes about 20 minutes on two cores; `check.sh pytest` runs a part of it.
set -euo pipefail
cd "$(dirname "$0")/.."
python=build/venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" autotest/pymod/faults.py "$@"
