"""The program `gdal` of GDAL 3.11 and newer: raster convert, pipeline, info, overview add and their like, with stores as
input and output: what comes out, exit codes, messages, and that the old store survives a run that fails."""

import json
import os
import shutil
import subprocess

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

pytestmark = [pytest.mark.require_gdal(3, 11), pytest.mark.skipif(not shutil.which("gdal"), reason="no program gdal")]

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
PICTURE = gdaltest.smooth_array((3, 120, 150), "uint8")
# Before 3.13 GDAL leaves the deletion to the one before every CreateCopy, which does nothing to our stores.
OVERWRITE = ["--overwrite"] if gdaltest.AT_LEAST(3, 13) else ["--overwrite", "--co=OVERWRITE=YES"]


@pytest.fixture
def tiff(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    gdaltest.mem(PICTURE, driver="GTiff", path=str(folder / "a.tif"), geotransform=GT, code="EPSG:32633")
    return str(folder / "a.tif")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def run(*arguments):
    return subprocess.run(["gdal", *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def succeed(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    assert "ERROR" not in done.stderr, done.stderr
    return done.stdout


def fail(*arguments):
    """Status 1 and a message."""
    done = run(*arguments)
    assert done.returncode == 1, f"status {done.returncode}: {done.stdout}{done.stderr}"
    assert "ERROR" in done.stderr, done.stdout + done.stderr
    return done.stderr


def level_sizes(store):
    return [level.shape[:0:-1] for level in gdaltest.our_levels(store)]


# -- Convert -----------------------------------------------------------------------------------------------------------


def test_convert_to_a_store_and_back(place, tiff):
    store = place / "a.ome.zarr"
    succeed("raster", "convert", "--of=OMEZARR", "--co=BLOCKSIZE=64", tiff, store)
    assert os.listdir(place) == ["a.ome.zarr"]
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], PICTURE)
    assert level_sizes(store) == [(150, 120), (75, 60), (38, 30)]
    assert gdal.Open(str(store)).GetGeoTransform() == GT
    succeed("raster", "convert", store, place / "b.tif")
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(str(place / "b.tif"))), PICTURE)


def test_the_bytes_are_those_of_gdal_translate(place, tiff):
    succeed("raster", "convert", "--of=OMEZARR", tiff, place / "a.ome.zarr")
    subprocess.run(["gdal_translate", "-q", "-of", "OMEZARR", tiff, str(place / "b.ome.zarr")], check=True)
    assert gdaltest.tree_digest(place / "a.ome.zarr") == gdaltest.tree_digest(place / "b.ome.zarr")


def test_an_existing_store_stays_without_overwrite(place, tiff):
    gdaltest.write(place / "a.ome.zarr", gdaltest.mem(np.full((30, 30), 7, "uint8")))
    before = gdaltest.snapshot(place)
    message = fail("raster", "convert", "--of=OMEZARR", tiff, place / "a.ome.zarr")
    assert "exist" in message
    assert gdaltest.snapshot(place) == before


def test_overwrite_replaces_a_store(place, tiff):
    gdaltest.write(place / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((4, 300, 300), "uint16")), "BLOCKSIZE=32")
    succeed("raster", "convert", *OVERWRITE, "--of=OMEZARR", tiff, place / "a.ome.zarr")
    assert os.listdir(place) == ["a.ome.zarr"]
    succeed("raster", "convert", "--of=OMEZARR", tiff, place / "b.ome.zarr")
    assert gdaltest.tree_digest(place / "a.ome.zarr") == gdaltest.tree_digest(place / "b.ome.zarr")


def cut(path):
    """A TIFF whose last blocks are missing."""
    gdaltest.mem(gdaltest.random_array((3, 300, 280), "uint8"), driver="GTiff", path=path).FlushCache()
    os.truncate(path, os.path.getsize(path) * 6 // 10)
    return path


FAILURES = {"bad value": ["--co=LEVEL=99"], "bad option": ["--co=COMPRES=ZSTD"], "bad input": [], "missing input": []}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("kind", FAILURES)
def test_a_run_that_fails_leaves_nothing_new(place, tmp_path, tiff, kind, old):
    if old:
        gdaltest.write(place / "a.ome.zarr", gdaltest.mem(np.full((30, 30), 7, "uint8")))
    before = gdaltest.snapshot(place)
    source = {"bad input": lambda: cut(str(tmp_path / "cut.tif")), "missing input": lambda: str(tmp_path / "none.tif")}.get(kind, lambda: tiff)()
    fail("raster", "convert", *(["--co=OVERWRITE=YES"] if old else []), "--of=OMEZARR", *FAILURES[kind], source, place / "a.ome.zarr")
    assert gdaltest.snapshot(place) == before


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_run_with_overwrite_leaves_the_old_store_or_nothing(place, tmp_path, tiff, kind):
    """The program deletes the old output, of any format, before it looks at the input; the driver cannot know why."""
    gdaltest.write(place / "a.ome.zarr", gdaltest.mem(np.full((30, 30), 7, "uint8")))
    before = gdaltest.snapshot(place)
    source = {"bad input": lambda: cut(str(tmp_path / "cut.tif")), "missing input": lambda: str(tmp_path / "none.tif")}.get(kind, lambda: tiff)()
    fail("raster", "convert", *OVERWRITE, "--of=OMEZARR", *FAILURES[kind], source, place / "a.ome.zarr")
    assert gdaltest.snapshot(place) in (before, {})
    if gdaltest.snapshot(place) == {}:
        shutil.copy(tiff, place / "a.tif")
        fail("raster", "convert", *OVERWRITE, str(tmp_path / "none.tif"), place / "a.tif")
        assert os.listdir(place) == []


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_folder_that_is_no_store_is_never_touched(place, tiff, overwrite):
    (place / "a.ome.zarr").mkdir()
    (place / "a.ome.zarr" / "letter.txt").write_text("dear")
    before = gdaltest.snapshot(place)
    fail("raster", "convert", *overwrite, "--of=OMEZARR", tiff, place / "a.ome.zarr")
    assert gdaltest.snapshot(place) == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_store_with_other_files_is_never_touched(place, tiff, overwrite):
    gdaltest.write(place / "a.ome.zarr", gdaltest.mem(np.full((30, 30), 7, "uint8")))
    (place / "a.ome.zarr" / "letter.txt").write_text("dear")
    before = gdaltest.snapshot(place)
    fail("raster", "convert", *overwrite, "--of=OMEZARR", tiff, place / "a.ome.zarr")
    assert gdaltest.snapshot(place) == before


def test_a_name_without_a_format_stays_with_gdals_own_drivers(place, tiff):
    done = run("raster", "convert", tiff, place / "a.zarr")
    assert "OMEZARR" not in done.stdout + done.stderr
    assert not (place / "a.zarr" / "scale0").exists()


# -- Pipeline ----------------------------------------------------------------------------------------------------------


def test_pipeline_from_a_store_to_a_store(place, tiff):
    succeed("raster", "convert", "--of=OMEZARR", tiff, place / "a.ome.zarr")
    for source, target, of in ((place / "a.ome.zarr", place / "b.ome.zarr", "OMEZARR"), (tiff, place / "b.tif", "GTiff")):
        succeed("raster", "pipeline", "read", source, "!", "reproject", "--dst-crs=EPSG:4326", "--resampling=bilinear", "!", "write",
                f"--of={of}", target)
    found, expected = (gdal.Open(str(place / name)) for name in ("b.ome.zarr", "b.tif"))
    assert found.GetDriver().ShortName == "OMEZARR"
    np.testing.assert_array_equal(gdaltest.pixels(found), gdaltest.pixels(expected))
    assert found.GetGeoTransform() == pytest.approx(expected.GetGeoTransform(), rel=1e-12)
    assert found.GetSpatialRef().GetAuthorityCode(None) == "4326"
    assert sorted(os.listdir(place)) == ["a.ome.zarr", "b.ome.zarr", "b.tif"]


def test_pipeline_onto_an_existing_store(place, tiff):
    gdaltest.write(place / "a.ome.zarr", gdaltest.mem(np.full((30, 30), 7, "uint8")))
    before = gdaltest.snapshot(place)
    steps = ["raster", "pipeline", "read", tiff, "!", "clip", "--bbox=500300,4999000,501000,4999600", "!", "write", "--of=OMEZARR"]
    assert "exist" in fail(*steps, place / "a.ome.zarr")
    assert gdaltest.snapshot(place) == before
    succeed(*steps, *OVERWRITE, place / "a.ome.zarr")
    np.testing.assert_array_equal(gdaltest.our_levels(place / "a.ome.zarr")[0], PICTURE[:, 40:100, 30:100])
    assert os.listdir(place) == ["a.ome.zarr"]


def test_pipeline_that_fails_leaves_nothing(place, tiff):
    fail("raster", "pipeline", "read", tiff, "!", "write", "--of=OMEZARR", "--co=LEVEL=99", place / "a.ome.zarr")
    assert os.listdir(place) == []


# -- One step programs ---------------------------------------------------------------------------------------------------

STEPS = {"reproject": ["--dst-crs=EPSG:4326"], "clip": ["--bbox=500300,4999000,501000,4999600"], "resize": ["--size=50,40"],
         "unscale": [], "scale": ["--output-data-type=UInt16", "--dst-min=0", "--dst-max=60000"],
         "mosaic": [], "stack": [], "fill-nodata": [], "sieve": ["--size-threshold=3"], "hillshade": []}


@pytest.mark.parametrize("name", STEPS)
def test_steps_write_what_they_write_as_geotiff(place, tiff, name):
    for extension, of in (("ome.zarr", "OMEZARR"), ("tif", "GTiff")):
        done = run("raster", name, f"--of={of}", *STEPS[name], tiff, place / f"a.{extension}")
        if of == "OMEZARR" and done.returncode != 0 and "nown" in done.stderr:
            pytest.skip(done.stderr.splitlines()[0])
        assert done.returncode == 0, done.stderr
    found, expected = (gdal.Open(str(place / f"a.{extension}")) for extension in ("ome.zarr", "tif"))
    assert found.GetDriver().ShortName == "OMEZARR"
    np.testing.assert_array_equal(gdaltest.pixels(found), gdaltest.pixels(expected))


# -- Info ----------------------------------------------------------------------------------------------------------------


def test_info(place, tiff):
    store = gdaltest.write(place / "a.ome.zarr", gdal.Open(tiff), "BLOCKSIZE=64")
    before = gdaltest.snapshot(place)
    found = json.loads(succeed("raster", "info", "--output-format=json", "--checksum", "--stats", store))
    other = json.loads(succeed("raster", "info", "--output-format=json", "--checksum", "--stats", tiff))
    assert found["driverShortName"] == "OMEZARR" and found["size"] == [150, 120] and found["geoTransform"] == other["geoTransform"]
    for got, want in zip(found["bands"], other["bands"], strict=True):
        assert (got["checksum"], got["type"]) == (want["checksum"], want["type"])
        assert [level["size"] for level in got["overviews"]] == [[75, 60], [38, 30]]
    assert "OME-Zarr" in succeed("raster", "info", "--output-format=text", store)
    assert gdaltest.snapshot(place) == before
    assert "none.ome.zarr" in fail("raster", "info", place / "none.ome.zarr")


# -- Overviews of a closed store --------------------------------------------------------------------------------------------


def test_overview_add(place, tiff):
    store = gdaltest.write(place / "a.ome.zarr", gdal.Open(tiff), "OVERVIEWS=NONE", "BLOCKSIZE=64")
    expected = gdaltest.write(place / "b.ome.zarr", gdal.Open(tiff), "SCALE_FACTORS=2,4", "BLOCKSIZE=64")
    succeed("raster", "overview", "add", "--levels=2,4", "--resampling=average", store)
    for got, want in zip(gdaltest.our_levels(store), gdaltest.our_levels(expected), strict=True):
        np.testing.assert_array_equal(got, want)


# -- Delete, copy, rename, identify ----------------------------------------------------------------------------------------


def test_dataset_commands(place, tiff):
    if run("dataset", "--help").returncode != 0:
        pytest.skip("this GDAL has no `gdal dataset`")
    store = gdaltest.write(place / "a.ome.zarr", gdal.Open(tiff), "BLOCKSIZE=64")
    digest = gdaltest.tree_digest(store)
    assert "OMEZARR" in succeed("dataset", "identify", store)
    succeed("dataset", "copy", store, place / "b.ome.zarr")
    succeed("dataset", "rename", place / "b.ome.zarr", place / "c.ome.zarr")
    assert sorted(os.listdir(place)) == ["a.ome.zarr", "c.ome.zarr"]
    assert gdaltest.tree_digest(store) == gdaltest.tree_digest(place / "c.ome.zarr") == digest
    succeed("dataset", "delete", store)
    assert os.listdir(place) == ["c.ome.zarr"]
    (place / "c.ome.zarr" / "letter.txt").write_text("dear")
    before = gdaltest.snapshot(place)
    assert "letter.txt" in fail("dataset", "delete", place / "c.ome.zarr")
    assert gdaltest.snapshot(place) == before


# -- Verify ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(place, tiff):
    """A store of the picture, and a chunk of it that exists."""
    return gdaltest.write(place / "a.ome.zarr", gdal.Open(tiff), "BLOCKSIZE=64", "SHARD=NONE"), "scale0/image/c/1/1/2"


def report(done):
    """Without the progress bar, which newer GDALs show unless told not to."""
    done.stdout = "".join(line for line in done.stdout.splitlines(True) if not line.startswith("0.."))
    return done


def whole(*arguments):
    done = report(run("driver", "omezarr", "verify", *arguments))
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout


def test_verify_is_listed_and_explains_itself():
    assert "omezarr" in succeed("driver", "--help")
    assert "verify" in succeed("driver", "omezarr", "--help")
    assert "STORE" in succeed("driver", "omezarr", "verify", "--help")


def test_verify_of_a_whole_store(stored, tiff):
    store, _ = stored
    assert whole(store) == f"{store}: whole\n"
    assert whole(f"OMEZARR:{store}", tiff) == f"{store}: whole, and has the pixels of the source\n"
    found = json.loads(succeed("driver", "omezarr", "verify", "--output-format=json", store, "--source", tiff))
    assert found == {"store": store, "whole": True, "findings": []}


def test_verify_names_damage_and_strays_and_fails(stored, place):
    store, chunk = stored
    os.truncate(f"{store}/{chunk}", 20)
    (place / "a.ome.zarr" / "letter.txt").write_text("dear")
    done = report(run("driver", "omezarr", "verify", store))
    assert done.returncode == 1 and "is not whole" in done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["damage", "stray"]
    assert chunk in lines[0] and "letter.txt" in lines[1]
    done = run("driver", "omezarr", "verify", "--output-format=json", store)
    found = json.loads(done.stdout)
    assert done.returncode == 1 and not found["whole"]
    assert [f"{one['kind']}: {one['text']}" for one in found["findings"]] == lines


def test_verify_names_another_pixel_of_the_source(stored, tmp_path):
    store, _ = stored
    other = PICTURE.copy()
    other[2, 101, 33] ^= 1
    gdaltest.mem(other, driver="GTiff", path=str(tmp_path / "b.tif"))
    done = report(run("driver", "omezarr", "verify", store, tmp_path / "b.tif"))
    assert done.returncode == 1 and "is not whole" in done.stderr
    assert done.stdout.startswith("different: ") and "band 3, column 33, row 101" in done.stdout


def test_verify_of_what_cannot_be_read(stored, place, tmp_path):
    assert "none.ome.zarr" in fail("driver", "omezarr", "verify", place / "none.ome.zarr")
    assert "none.tif" in fail("driver", "omezarr", "verify", stored[0], tmp_path / "none.tif")
    assert "STORE" in fail("driver", "omezarr", "verify")


def test_verify_from_python(stored, tiff):
    store, chunk = stored
    shares = []
    algorithm = gdal.Run("driver", "omezarr", "verify", store=store, source=gdal.Open(tiff), progress=lambda share, *_: shares.append(share) or 1)
    assert algorithm["output-string"] == f"{store}: whole, and has the pixels of the source\n"
    assert shares == sorted(shares) and shares[-1] == 1 and any(0 < share < 0.5 for share in shares)
    with pytest.raises(RuntimeError):
        gdal.Run("driver", "omezarr", "verify", store=store, progress=lambda share, *_: share < 0.3)
    os.truncate(f"{store}/{chunk}", 20)
    algorithm = gdal.Algorithm("driver", "omezarr", "verify")
    algorithm["store"] = store
    with pytest.raises(RuntimeError, match=chunk):
        algorithm.Run()
    assert algorithm["output-string"].startswith("damage: ") and chunk in algorithm["output-string"]
