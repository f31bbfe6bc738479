"""What cannot be read, listed or removed, and what programs leave that were killed, as users meet it: gdal_translate and
gdal_rasterize as a user who may not do everything. (tests/store/ has every call of the core.)"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal

NOBODY = 65534


@pytest.fixture
def place():
    """A folder that anybody may write to, with a source image."""
    folder = Path(tempfile.mkdtemp(prefix="omezarr-claims-"))
    folder.chmod(0o777)
    gdaltest.mem(gdaltest.random_array((1, 40, 48), "uint8"), driver="GTiff", path=str(folder / "s.tif"))
    (folder / "s.tif").chmod(0o666)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False)
    shutil.rmtree(folder)


def run(place, *command):
    """As nobody, where we are root, who may do everything."""
    def become_nobody():
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, preexec_fn=become_nobody)


def translate(place, target, *options, block="16"):
    options = [word for option in (f"BLOCKSIZE={block}", *options) for word in ("-co", option)]
    return run(place, "gdal_translate", "-q", "-of", "OMEZARR", *options, "s.tif", target)


def hidden(place):
    return sorted(name for name in os.listdir(place) if name.startswith("."))


def test_an_old_store_that_cannot_be_removed_is_one_warning_and_blocks_nobody(place):
    assert translate(place, "a.ome.zarr").returncode == 0
    chunks = place / "a.ome.zarr" / "scale0" / "image" / "c" / "0"
    chunks.chmod(0o555)
    ended = translate(place, "a.ome.zarr", "OVERWRITE=YES")
    assert ended.returncode == 0, ended.stderr
    (left,) = hidden(place)
    assert left.startswith(".a.ome.zarr.gone-")
    assert ended.stderr.count("Warning") == 1 and left in ended.stderr and "Permission denied" in ended.stderr
    again = translate(place, "a.ome.zarr", "OVERWRITE=YES")
    assert again.returncode == 0 and hidden(place) == [left]
    refused = translate(place, "a.ome.zarr")
    assert refused.returncode != 0 and "OVERWRITE=YES" in refused.stderr
    (place / left / "store" / "scale0" / "image" / "c" / "0").chmod(0o755)
    assert translate(place, "a.ome.zarr", "OVERWRITE=YES").returncode == 0 and hidden(place) == []


def test_the_second_image_of_a_series_that_may_not_be_read_or_removed(place):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(place / "two.tif") as file:
        for size in (20, 40):
            file.write(gdaltest.random_array((size, size), "uint8"), contiguous=False, metadata=None)

    def series(source, target, *more):
        options = ["LAYOUT=BIOFORMATS2RAW", "SERIES=ALL", "BLOCKSIZE=16", *more]
        return run(place, "gdal_translate", "-q", "-of", "OMEZARR", *[word for option in options for word in ("-co", option)], source, target)

    assert series("two.tif", "a.ome.zarr").returncode == 0
    (chunk,) = (place / "a.ome.zarr" / "1" / "0" / "c").glob("0/0/0/2/2")
    chunk.chmod(0)
    ended = series('OMEZARR:"a.ome.zarr":0', "b.ome.zarr")
    assert ended.returncode != 0 and "a.ome.zarr/1/0/c/0/0/0/2/2: Permission denied" in ended.stderr
    assert not (place / "b.ome.zarr").exists() and hidden(place) == []
    chunk.parent.chmod(0o555)
    ended = series("two.tif", "a.ome.zarr", "OVERWRITE=YES")
    (left,) = hidden(place)
    assert ended.returncode == 0 and ended.stderr.count("Warning") == 1 and left in ended.stderr
    assert series('OMEZARR:"a.ome.zarr":0', "b.ome.zarr").returncode == 0
    (place / left / "store" / chunk.parent.relative_to(place / "a.ome.zarr")).chmod(0o755)
    assert series("two.tif", "a.ome.zarr", "OVERWRITE=YES").returncode == 0 and hidden(place) == []


@pytest.mark.parametrize("shard", ["NONE", "16"])
def test_a_chunk_that_cannot_be_opened_is_an_error_of_reading_and_of_changing(place, shard):
    assert translate(place, "a.ome.zarr", f"SHARD={shard}", "OVERVIEW_COUNT=1", block="8").returncode == 0
    chunk = place / "a.ome.zarr" / "scale0" / "image" / "c" / "0" / "0"
    before = gdaltest.snapshot(place / "a.ome.zarr")
    chunk.chmod(0)
    ended = run(place, "gdal_translate", "-q", "a.ome.zarr", "b.tif")
    assert ended.returncode != 0 and "c/0/0: Permission denied" in ended.stderr
    (place / "point.geojson").write_text('{"type":"Point","coordinates":[1,1]}')
    ended = run(place, "gdal_rasterize", "-q", "-burn", "255", "-b", "1", "point.geojson", "a.ome.zarr")
    assert ended.returncode != 0 and "Permission denied" in ended.stderr
    chunk.chmod(0o644)
    after = gdaltest.snapshot(place / "a.ome.zarr")
    assert {k: v for k, v in after.items() if ".omezarr-dirty" not in str(k)} == before


def test_a_folder_that_cannot_be_listed_is_not_overwritten(place):
    assert translate(place, "a.ome.zarr").returncode == 0
    (place / "a.ome.zarr" / "notes.txt").write_text("mine")
    (place / "a.ome.zarr").chmod(0o333)
    ended = translate(place, "a.ome.zarr", "OVERWRITE=YES")
    (place / "a.ome.zarr").chmod(0o755)
    assert ended.returncode != 0 and "cannot be listed" in ended.stderr
    assert (place / "a.ome.zarr" / "notes.txt").read_text() == "mine" and hidden(place) == []


@pytest.mark.parametrize("document", ["zarr.json", "scale0/image/zarr.json"])
def test_a_pipe_as_a_document_does_not_hang(place, document):
    assert translate(place, "a.ome.zarr").returncode == 0
    os.remove(place / "a.ome.zarr" / document)
    os.mkfifo(place / "a.ome.zarr" / document)
    os.environ["GDAL_SKIP"] = "Zarr"
    try:
        ended = run(place, "gdalinfo", "OMEZARR:a.ome.zarr")
    finally:
        del os.environ["GDAL_SKIP"]
    assert ended.returncode != 0 and "pipe" in ended.stderr


@pytest.mark.parametrize("name", ["n" * 255, "empty"])
def test_an_empty_folder_and_the_longest_name_are_taken(place, name):
    if name == "empty":
        (place / name).mkdir(mode=0o777)
        (place / name).chmod(0o777)
        if os.geteuid() == 0:
            os.chown(place / name, NOBODY, NOBODY)
    for options in [], ["OVERWRITE=YES"]:
        ended = translate(place, name, *options)
        assert ended.returncode == 0, ended.stderr
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f"OMEZARR:{place / name}")), gdaltest.pixels(gdal.Open(str(place / "s.tif"))))
    assert hidden(place) == []


def test_resume_goes_on_after_a_run_that_had_spilled_and_after_few_chunks(place, monkeypatch):
    monkeypatch.chdir(place)
    gdal.Translate(str(place / "s.tif"), gdaltest.mem(gdaltest.random_array((1, 300, 300), "uint8")), format="GTiff")
    os.chmod(place / "s.tif", 0o666)
    options = ["SCALE_FACTORS=3,9", "MEMORY=1", "NUM_THREADS=0"]
    faults.kill_copy("s.tif", str(place / "a.ome.zarr"), ["BLOCKSIZE=16", *options], 450)
    assert any((place / ".a.ome.zarr.partial" / ".scratch").iterdir())
    record = (place / ".a.ome.zarr.partial" / ".record").read_text().splitlines()
    stored = sum(len(files) for root, _, files in os.walk(place / ".a.ome.zarr.partial" / "store" / "scale0") if "/c" in root)
    assert len(record) - 1 >= stored // 2 - 1
    subprocess.run(["chown", "-R", str(NOBODY), str(place)], check=os.geteuid() == 0)
    ended = translate(place, "a.ome.zarr", *options, "RESUME=YES")
    assert ended.returncode == 0, ended.stderr
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(str(place / "a.ome.zarr"))), gdaltest.pixels(gdal.Open(str(place / "s.tif"))))
    assert hidden(place) == []
