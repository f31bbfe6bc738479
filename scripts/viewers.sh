#!/bin/bash
# viewers.sh DIRECTORY: installs the programs of others that autotest/gdrivers/omezarr_viewers.py opens our stores with: Python
# programs into DIRECTORY/venv, JavaScript libraries into DIRECTORY/node_modules, all in the versions that autotest/viewers/ names.
# What cannot be installed is written into DIRECTORY/missing, one line with its reason, and its tests are skipped.
set -uo pipefail
mkdir -p "$1"
directory=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")/../autotest/viewers" && pwd)
python=$directory/venv/bin/python
node_major=18

stamp=$(cat "$here/requirements.txt" "$here/package.json" "$0" | sha256sum)
[ "$(cat "$directory/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
rm -f "$directory/stamp"
: >"$directory/missing"

missing() { # NAME REASON
    echo "$1: $2" | tee -a "$directory/missing"
}

# All at once, so that one resolver sees all; where that fails each alone, so that one does not take the others.
echo "Installing the viewers (autotest/viewers/requirements.txt) ..."
[ -x "$python" ] || /usr/bin/python3 -m venv "$directory/venv"
pip() { "$here/../../scripts/pip_install.sh" "$python" "$@" 2>&1; }
if ! pip -r "$here/requirements.txt" >"$directory/pip.log"; then
    while read -r line; do
        pip "$line" >"$directory/pip.log" || missing "${line%%[=[]*}" "pip cannot install $line: $(grep -m1 ERROR "$directory/pip.log")"
    done < <(grep '^[a-z]' "$here/requirements.txt")
fi

for modules in "napari PyQt6.QtWidgets napari_ome_zarr" "ome_zarr.reader" "bioio_ome_zarr bioio" "xarray zarr" "rioxarray"; do
    name=${modules%%[ .]*}
    QT_API=pyqt6 "$python" -c "import ${modules// /, }" 2>"$directory/import.log" ||
        missing "${name//_/-}" "cannot be imported: $(tail -1 "$directory/import.log")"
done

echo "Installing the JavaScript viewers (autotest/viewers/package.json) ..."
if ! command -v npm >/dev/null || [ "$(node --version | sed 's/v\([0-9]*\).*/\1/')" -lt $node_major ]; then
    missing javascript "there is no npm with node $node_major or newer"
else
    cp "$here/package.json" "$directory/"
    npm install --prefix "$directory" --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error >"$directory/npm.log" 2>&1 ||
        missing javascript "npm install failed: $(tail -1 "$directory/npm.log")"
fi
[ -s "$directory/missing" ] || echo "$stamp" >"$directory/stamp" # else the next run tries again
