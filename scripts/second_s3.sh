#!/bin/bash
# second_s3.sh [PYTEST ARGUMENTS...]: the object store tests on a second S3 server, versitygw, which keeps objects as files.
# It is built from the Go module proxy into build/ (Go 1.25 or newer) and listens on 127.0.0.1 only. Needs what check.sh
# installs and builds: run `./check.sh quick` before.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v1.8.0
program=build/versitygw-$version/versitygw
key=tester
secret=canary-secret
place=$(mktemp -d)
server=""

finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$place"
}
trap finish EXIT

if [ ! -x "$program" ]; then
    command -v go >/dev/null || { echo "Please install Go 1.25 or newer: versitygw is built with it." >&2; exit 1; }
    echo "Building versitygw $version ..."
    GOBIN=$PWD/$(dirname "$program") go install "github.com/versity/versitygw/cmd/versitygw@$version"
fi

mkdir "$place/objects" "$place/metadata"
for _ in 1 2 3 4 5; do # a port that is free now may be taken a moment later
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$program" --access $key --secret $secret --port "127.0.0.1:$port" posix --sidecar "$place/metadata" "$place/objects" \
        >"$place/log" 2>&1 </dev/null &
    server=$!
    for _ in $(seq 100); do
        kill -0 "$server" 2>/dev/null || break
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break 2
        sleep 0.1
    done
    server=""
done
[ -n "$server" ] || { cat "$place/log" >&2; exit 1; }

OMEZARR_SECOND_S3="$port $key $secret" GDAL_DRIVER_PATH=$PWD/build/driver/gdal \
    build/venv/bin/python -m pytest autotest/gdrivers/omezarr_object_store.py -q -ra "$@"
