#!/bin/bash
# pip_install.sh PYTHON ARGUMENT...: pip install by uv, which takes a tenth of pip's time, into PYTHON's environment; by pip
# itself where uv cannot be had, or does not find what pip finds.
set -uo pipefail
python=$1
shift
uv=uv==0.13.9
if "$python" -m uv --version >/dev/null 2>&1 || "$python" -m pip install -q --disable-pip-version-check "$uv" >/dev/null 2>&1; then
    UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}} UV_LINK_MODE=copy \
        "$python" -m uv pip install -q --python "$python" "$@" && exit 0
fi
exec "$python" -m pip install -q --disable-pip-version-check "$@"
