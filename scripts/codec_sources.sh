#!/bin/bash
# codec_sources.sh DIRECTORY: brings the releases that cmake/codecs.cmake names through package clients, for machines that
# reach package registries only: five from Rust crates that carry them (cargo vendor), cJSON from Debian's source package.
# Each is checked against the SHA-256 below. Then `cmake -C DIRECTORY/sources.cmake -DNGFF_BUNDLED_CODECS=ON` builds offline.
# What is there already is kept. If a client or a package cannot be had, the last line says why and the exit status is 77.
set -euo pipefail
directory=$(mkdir -p "$1" && cd "$1" && pwd)

# name, crate, its version, where in it the release is, SHA-256 of the crate
crates="zstd zstd-sys 2.1.3+zstd.1.5.7 zstd f729a06d0257428fd9d997ac8db7e1407bd0262ab016b085b36bc52957c0052d
lz4 lz4-sys 1.11.1+lz4-1.10.0 liblz4 6bd8c0d6c6ed0cd30b3652886bb8711dc4bb01d637a68105a3d5158039b418e6
zlib libz-sys 1.1.25 src/zlib d52f4c29e2a68ac30c9087e1b772dc9f44a2b66ed44edf2266cf2be9b03dafc1
blosc blosc-src 0.3.8 c-blosc a9046dd58971db0226346fde214143d16a6eb12f535b5320d0ea94fcea420631
libdeflate libdeflate-sys 1.25.2 libdeflate 72753e0008ea87963d2f0770042d0df7abe51fafbb8dcaf618ac440f2f1fec0a"
cjson=1.7.19
cjson_digest=7fa616e3046edfa7a28a32d5f9eacfd23f92900fe1f8ccd988c1662f30454562

[ ! -e "$directory/sources.cmake" ] || exit 0
skip() {
    echo "skipped: $*"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# -- Crates ----------------------------------------------------------------------------------------------------------

cargo=$(command -v cargo || command -v cargo-web || true)
if [ -z "$cargo" ] && command -v apt-get >/dev/null; then # Debian 12's package cargo is too old for today's registry
    "$(dirname "$0")/apt_install.sh" cargo-web >/dev/null 2>&1 </dev/null || true
    cargo=$(command -v cargo || command -v cargo-web || true)
fi
[ -n "$cargo" ] || skip "there is no cargo to bring the sources of the codecs"
mkdir "$work/crate"
: >"$work/crate/lib.rs"
{
    printf '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2018"\n[lib]\npath = "lib.rs"\n[dependencies]\n'
    while read -r _ crate version _; do echo "$crate = \"=${version%+*}\""; done <<<"$crates"
} >"$work/crate/Cargo.toml"
(cd "$work/crate" && "$cargo" vendor -q vendor) >"$work/log" 2>&1 </dev/null || { cat "$work/log" && skip "cargo vendor brings no crates"; }
while read -r name crate _ below digest; do
    grep -q "\"package\":\"$digest\"" "$work/crate/vendor/$crate/.cargo-checksum.json" ||
        { echo "$crate is not the one that was looked at: $(grep -o '"package".*' "$work/crate/vendor/$crate/.cargo-checksum.json")" && exit 1; }
    rm -rf "${directory:?}/$name"
    cp -R "$work/crate/vendor/$crate/$below" "$directory/$name"
done <<<"$crates"

# -- cJSON -----------------------------------------------------------------------------------------------------------

command -v apt-get >/dev/null || skip "there is no apt to bring the source of cJSON"
mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Identifier: Packages' |
    awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
[ -n "$mirror" ] || skip "apt knows no Debian mirror here"
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
: >"$work/apt/status"
for suite in forky sid; do
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done >"$work/apt/sources.list"
cat >"$work/apt/conf" <<TEXT
APT::Sandbox::User "";
Dir::State::lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
Debug::NoLocking "true";
TEXT
export APT_CONFIG=$work/apt/conf
{ apt-get update -qq || true
    version=$(apt-cache showsrc cjson | sed -n "s/^Version: \($cjson-.*\)/\1/p" | head -1)
    cd "$work" && apt-get source --download-only -qq "cjson=${version:-$cjson}"; } >"$work/log" 2>&1 </dev/null ||
    { cat "$work/log" && skip "Debian has no source of cJSON $cjson"; }
echo "$cjson_digest  $work/cjson_$cjson.orig.tar.gz" | sha256sum -c --quiet
rm -rf "$directory/cjson"
mkdir "$directory/cjson"
tar -C "$directory/cjson" --strip-components 1 -xzf "$work/cjson_$cjson.orig.tar.gz"

for name in zstd lz4 zlib blosc libdeflate cjson; do
    echo "set(FETCHCONTENT_SOURCE_DIR_${name^^} \"$directory/$name\" CACHE PATH \"\")"
done >"$work/sources.cmake"
mv "$work/sources.cmake" "$directory/sources.cmake"
echo "The sources of the codecs are in $directory"
