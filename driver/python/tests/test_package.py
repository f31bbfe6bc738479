"""The package: what it imports, its options, its command."""

import json
import subprocess
import sys

import numpy as np
import pytest

import omezarr
from omezarr import _options


def run(*arguments, cwd=None):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd)


def test_import_takes_numpy_only():
    script = "import sys, omezarr; print(' '.join(m for m in ('dask', 'xarray', 'zarr', 'tqdm', 'torch') if m in sys.modules))"
    done = run("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_numpy_is_written_without_dask(tmp_path):
    script = """import sys, numpy as np, omezarr
omezarr.to_ngff_zarr("a.ome.zarr", omezarr.to_multiscales(omezarr.to_ngff_image(np.zeros((64, 64), "u1")), [2], None, 32))
print("dask" in sys.modules)"""
    assert run("-c", script, cwd=tmp_path).stdout.strip() == "False"


def test_every_option_of_the_table_is_a_keyword_or_has_its_place():
    names = {row["option"].strip("`").lower() for row in _options.table()}
    assert names == set(_options.Options.__annotations__) | set(_options._elsewhere)


@pytest.mark.parametrize("name, value, expected", [
    ("blocksize", [1, 256, 256], "1,256,256"), ("blocksize", {"y": 256, "x": 128}, "y:256,x:128"), ("labels", True, "YES"),
    ("channel_names", ["a,b", "c"], "a\\,b,c"), ("window", [(0, 255), (1.5, 9)], "0:255,1.5:9"), ("level", 3, "3"),
    ("scale_factors", [{"y": 2}, {"y": 4}], "y:2;y:4"), ("scale_factors", [2, 4], "2,4"),
])
def test_values_as_the_table_writes_them(name, value, expected):
    assert _options.as_text(name, value) == expected


@pytest.mark.parametrize("version, codec, expected", [
    ("0.4", {"id": "blosc", "cname": "lz4", "clevel": 4, "shuffle": 2}, {"id": "blosc", "cname": "lz4", "clevel": 4, "shuffle": 2}),
    ("0.4", {"id": "gzip", "level": 3}, {"id": "gzip", "level": 3}),
    ("0.4", [{"name": "zstd", "configuration": {"level": 0}}], {"id": "zstd", "level": 3}),
    ("0.4", None, None),
])
def test_codecs_as_other_libraries_name_them(tmp_path, version, codec, expected):
    image = omezarr.to_ngff_image(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(image, [], None, 32), version, compressor=codec)
    stored = json.loads((tmp_path / "a.ome.zarr" / "scale0" / "image" / ".zarray").read_text())["compressor"]
    assert stored == expected if expected is None else expected.items() <= stored.items()


def test_codecs_of_numcodecs_and_zarr():
    numcodecs, zarr = map(pytest.importorskip, ("numcodecs", "zarr"))
    blosc = {"compress": "BLOSC", "blosc_cname": "zstd", "blosc_shuffle": "BIT", "level": 3}
    assert _options.codec_options(numcodecs.Blosc("zstd", 3, numcodecs.Blosc.BITSHUFFLE)) == blosc
    assert _options.codec_options(zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=2)) == blosc
    assert _options.codec_options(zarr.codecs.GzipCodec(level=2)) == {"compress": "GZIP", "level": 2}
    for wrong in ({"id": "lzma"}, "zstd", [{"id": "zstd"}, {"id": "gzip"}]):
        with pytest.raises(ValueError):
            _options.codec_options(wrong)


def test_options_reach_the_library(tmp_path):
    image = omezarr.to_ngff_image(np.zeros((64, 64), np.uint8))
    text = omezarr.plan(omezarr.to_multiscales(image, [2], "mean", 32), compress="GZIP", level=9, layout="FLAT")
    assert "GZIP level 9" in text and "layout FLAT" in text and "AVERAGE" in text


def test_command(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(128 * 128, dtype=np.uint16).reshape(128, 128))
    omezarr_ = ("-m", "omezarr")
    assert "2 x 1" not in run(*omezarr_, "plan", "a.npy", "--chunks", "32", cwd=tmp_path).stdout
    done = run(*omezarr_, "convert", "a.npy", "a.ome.zarr", "--scale-factors", "2", "--chunks", "32", "-o", "COMPRESS=ZSTD", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    info = run(*omezarr_, "info", "a.ome.zarr", cwd=tmp_path).stdout
    assert "uint16" in info and "scale1/image: 64 x 64, chunks 32 x 32" in info
    assert run(*omezarr_, "validate", "a.ome.zarr", cwd=tmp_path).stdout == "valid\n"
    assert run(*omezarr_, "verify", "a.ome.zarr", cwd=tmp_path).stdout == "whole\n"
    assert run(*omezarr_, "convert", "a.ome.zarr", "b.ozx", cwd=tmp_path).returncode == 0
    again = run(*omezarr_, "convert", "a.npy", "a.ome.zarr", cwd=tmp_path)
    assert again.returncode == 1 and "a.ome.zarr" in again.stderr and "Traceback" not in again.stderr
    assert run(*omezarr_, "info", "nothing", cwd=tmp_path).returncode == 1
