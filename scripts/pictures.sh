#!/bin/bash
# pictures.sh [OUTPUT]: makes the pictures of the documentation, of what viewers show of our stores (build/pictures). Needs what
# `check.sh build pytest` installs and builds.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/scripts/viewers.sh" "$root/build/viewers"
GDAL_DRIVER_PATH=$root/build/driver/gdal exec "$root/build/venv/bin/python" "$root/autotest/viewers/pictures.py" "${1:-$root/build/pictures}"
