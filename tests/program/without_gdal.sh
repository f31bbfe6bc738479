#!/bin/bash
# without_gdal.sh PROGRAM STORES: what `omezarr` does in a build without GDAL, with stores that machine_stores has written.
set -euo pipefail
omezarr=$1
stores=("$2"/*.ome.zarr)

expect() { # STATUS TEXT COMMAND...: the command ends with this status, and says this
    local status=0 said
    said=$("${@:3}" 2>&1) || status=$?
    [ $status = "$1" ] && [[ $said = *"$2"* ]] || { echo "${*:3} ends with $status, not $1: $said" && exit 1; }
}

[ ${#stores[@]} -gt 10 ]
for store in "${stores[@]}"; do
    expect 0 "$store: whole" "$omezarr" verify "$store"
done
expect 0 "${stores[1]}: valid" "$omezarr" validate "${stores[@]}"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp -r "${stores[0]}" "$place/a.ome.zarr"
chunk=$(find "$place/a.ome.zarr" -type f -path '*/[0-9]*' ! -name '*.json' ! -name '.z*' | sort | head -1)
rm "$chunk"
expect 1 "damage: " "$omezarr" verify "$place/a.ome.zarr"
expect 3 "nothing.ome.zarr" "$omezarr" verify "$place/nothing.ome.zarr"
expect 2 "this build has no GDAL" "$omezarr" verify "${stores[0]}" in.tif
expect 2 "this build has no GDAL" "$omezarr" plan in.tif
expect 0 "ovr_2x/image         25 x 1024 x 512" "$omezarr" plan --dims zyx --shape 25,2048,1024 --type uint16
expect 1 "MEMORY" "$omezarr" plan --dims yx --shape 5,5 --type uint8 -co MEMORY=x
expect 2 "--shape 5 must be 2 sizes" "$omezarr" plan --dims yx --shape 5 --type uint8
expect 2 "--type real is none of" "$omezarr" plan --dims yx --shape 5,5 --type real
expect 2 "no source is named" "$omezarr" plan
expect 2 "there is no command" "$omezarr" frobnicate
echo "${#stores[@]} stores are whole"
