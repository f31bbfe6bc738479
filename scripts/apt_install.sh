#!/bin/bash
# apt_install.sh PACKAGE...: installs those of the Debian packages that are missing, in silence unless it fails; one caller
# after the other, since apt refuses two at a time. A complete machine needs no root.
set -euo pipefail
missing=""
for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=" $package"
done
[ -n "$missing" ] || exit 0
as_root=""
if [ "$(id -u)" != 0 ]; then
    as_root="sudo"
    [ -t 0 ] || as_root="sudo -n" # nobody is there to type a password
    command -v sudo >/dev/null || { echo "Please run as root: apt-get install$missing" >&2 && exit 1; }
fi
echo "Installing:$missing"
lock=${TMPDIR:-/tmp}/apt_install.$(id -u).lock
exec 9>>"$lock"
flock 9
if [ -z "$(find "$lock" -size +0 -mmin -60)" ]; then
    $as_root apt-get update -qq </dev/null || true # one mirror of several may be away
    echo updated >&9
fi
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends $missing \
    </dev/null >/dev/null
