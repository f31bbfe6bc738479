#!/bin/bash
# exported_symbols.sh LIBRARY: the library (.so, .dylib, .dll) exports exactly the functions that ngff.h declares, and both
# are the list in tests/exported_symbols.txt. A new function of the ABI is a line in that list.
set -euo pipefail
library=$1
root=$(cd "$(dirname "$0")/.." && pwd)
list=$root/tests/exported_symbols.txt

exported() {
    case $library in
    *.dll) llvm-readobj --coff-exports "$library" | sed -n 's/^ *Name: //p' ;;
    *.dylib) llvm-nm --extern-only --defined-only "$library" | awk '{ print substr($NF, 2) }' | grep -vxE '__dso_handle|_mh_dylib_header' ;;
    *) nm -D --defined-only "$library" | awk '{ print $NF }' | grep -vxE '__bss_start|_edata|_end' ;;
    esac
}

diff -u --label "tests/exported_symbols.txt" --label "core/include/ngff.h" "$list" \
    <(tr '\n' ' ' <"$root/core/include/ngff.h" | grep -oE 'NGFF_API [^;(]*\bngff_[a-z0-9_]+\(' |
        grep -oE 'ngff_[a-z0-9_]+\($' | tr -d '(' | LC_ALL=C sort -u)
diff -u --label "tests/exported_symbols.txt" --label "$(basename "$library")" "$list" <(exported | LC_ALL=C sort)
echo "$(wc -l <"$list") exported functions, as in ngff.h and in tests/exported_symbols.txt"
