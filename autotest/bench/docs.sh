#!/bin/bash
# docs.sh [BLOCK...]: measures again what docs/performance.md tells, and writes it there: what stands between
# "<!-- begin BLOCK -->" and "<!-- end -->" is what run.sh printed with the options that stand in the first of these lines.
# On an idle machine; all blocks take half an hour.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
page=$here/../../docs/performance.md
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
wanted=" ${*:-$(sed -n 's/^<!-- begin \([a-z]*\):.*/\1/p' "$page" | tr '\n' ' ')} "
while read -r block options; do
    [[ "$wanted" = *" $block "* ]] || continue
    echo "$block: run.sh $options" >&2
    # shellcheck disable=SC2086
    "$here/run.sh" $options >"$printed" </dev/null
    awk -v block="$block" -v printed="$printed" '
        !inside { print }
        $0 ~ "^<!-- begin " block ":" { inside = 1; print ""; while ((getline line <printed) > 0) print line; print "" }
        inside && /^<!-- end -->/ { inside = 0; print }' "$page" >"$page.new"
    mv "$page.new" "$page"
done < <(sed -n 's/^<!-- begin \([a-z]*\): run.sh *\(.*\) -->$/\1 \2/p' "$page")
