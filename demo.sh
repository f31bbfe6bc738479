#!/bin/bash
# demo.sh [FILE [OUTPUT]]: from a fresh machine to a first OME-Zarr pyramid. Installs what is missing (Debian, Ubuntu),
# builds the driver into build/, converts FILE (default: the picture that ships with the project) and shows what came
# out. OUTPUT is by default out/<name>.ome.zarr, where you are.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || cd "$here"
file=${1:-autotest/gdrivers/data/rocky_mountain.tif}
name=$(basename "$file")
output=${2:-out/${name%.*}.ome.zarr}

"$here/scripts/install_packages.sh" build
echo "Building ..."
"$here/scripts/build.sh" "$here/build"
export GDAL_DRIVER_PATH=$here/build/driver/gdal GDAL_PAM_ENABLED=NO

# A picture smaller than one chunk would be a pyramid of one level: take smaller chunks for it.
options=()
read -r width height < <(gdalinfo "$file" | sed -n 's/^Size is \([0-9]*\), \([0-9]*\).*/\1 \2/p')
[ "$width" -gt 1024 ] || [ "$height" -gt 1024 ] || options+=(-co BLOCKSIZE=128)
# Our own earlier result may go; what the user names is replaced only if the user says so.
[ $# -ge 2 ] || options+=(-co OVERWRITE=YES)

mkdir -p "$(dirname "$output")"
command=(gdal_translate -of OMEZARR "${options[@]}" "$file" "$output")
printf '\n$ '
printf '%q ' "${command[@]}"
printf '\n'
begin=$(date +%s%N)
"${command[@]}"
seconds=$(awk "BEGIN { printf \"%.2f\", ($(date +%s%N) - $begin) / 1e9 }")

info=$(gdalinfo "$output")
bands=$(grep -c '^Band ' <<<"$info")
type=$(sed -n 's/^Band 1 .*Type=\([A-Za-z0-9]*\).*/\1/p' <<<"$info")
crs=$(grep -m1 -oE '^[A-Z]+CRS\["[^"]*"' <<<"$info" | cut -d'"' -f2 || true)
code=$(grep -E '^    ID\["' <<<"$info" | tail -1 | sed 's/.*ID\["\([^"]*\)",\([0-9]*\).*/\1:\2/' || true)
pixel=$(sed -n 's/^Pixel Size = //p' <<<"$info")
overviews=$(grep -m1 'Overviews:' <<<"$info" | sed 's/.*Overviews: //' || true)
echo
echo "Size      $width x $height, $bands x $type"
echo "Levels    ${width}x$height${overviews:+, $overviews}"
echo "CRS       ${crs:-none}${code:+ ($code)}${pixel:+, pixel size $pixel}"
echo "Time      $seconds s"
echo "Store     $output ($(find "$output" -type f | wc -l) files, $(du -sk "$output" | cut -f1) KiB)"

# The picture is read back from the pyramid, so it also shows that the store opens.
preview=${output%.ome.zarr}.png
select=(-b 1)
[ "$bands" -lt 3 ] || select=(-b 1 -b 2 -b 3)
if grep -q 'ColorInterp=Palette' <<<"$info"; then
    select=(-expand rgb)
elif [ "$type" != Byte ]; then
    select+=(-ot Byte -scale)
fi
if [ "$width" -gt "$height" ]; then fit=(-outsize 1024 0); else fit=(-outsize 0 1024); fi
[ "$width" -gt 1024 ] || [ "$height" -gt 1024 ] || fit=()
gdal_translate -q -of PNG -r average "${select[@]}" "${fit[@]}" "$output" "$preview"
echo "Preview   $preview"
