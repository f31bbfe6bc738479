#!/bin/bash
# third_s3.sh [PYTEST ARGUMENTS...]: the object store tests on a third S3 server, s3rver (JavaScript, objects as files). It
# is installed from npm into build/ and listens on 127.0.0.1 only. It does not know conditions (If-None-Match), so
# four tests of two writers within one moment are left out. Needs what check.sh installs and builds: run `./check.sh quick` before.
set -euo pipefail
cd "$(dirname "$0")/.."
version=3.7.1
folder=build/s3rver-$version
place=$(mktemp -d)
server=""

finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$place"
}
trap finish EXIT

if [ ! -e "$folder/node_modules/s3rver" ]; then
    command -v npm >/dev/null || { echo "Please install Node.js with npm: s3rver is a package of it." >&2; exit 1; }
    echo "Installing s3rver $version ..."
    npm install --silent --no-audit --no-fund --prefix "$folder" "s3rver@$version"
fi

for _ in 1 2 3 4 5; do # a port that is free now may be taken a moment later
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    node "$folder/node_modules/s3rver/bin/s3rver.js" --address 127.0.0.1 --port "$port" --directory "$place" --silent \
        --no-vhost-buckets >"$place.log" 2>&1 </dev/null &
    server=$!
    for _ in $(seq 100); do
        kill -0 "$server" 2>/dev/null || break
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break 2
        sleep 0.1
    done
    server=""
done
[ -n "$server" ] || { cat "$place.log" >&2; exit 1; }
rm -f "$place.log"

tests=gdrivers/omezarr_object_store.py # as pytest names it, from its own root
OMEZARR_SECOND_S3="$port S3RVER S3RVER" GDAL_DRIVER_PATH=$PWD/build/driver/gdal \
    build/venv/bin/python -m pytest "autotest/$tests" -q -ra \
    --deselect "$tests::test_a_claim_that_comes_between_looking_and_putting_is_respected" \
    --deselect "$tests::test_a_root_that_comes_before_ours_is_an_error" \
    --deselect "$tests::test_of_two_that_find_a_dead_claim_one_wins[second-.omezarr-claim-0]" "$@"
