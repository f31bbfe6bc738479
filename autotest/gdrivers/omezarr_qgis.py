"""Export > Save As of a real QGIS, without a screen: ../qgis/save_as.py does what a user does, under the Python that has
PyQGIS, and what it made is judged here with GDAL and NumPy."""

import json
import os
import subprocess

import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal

PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
ENVIRONMENT = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": "/tmp"}


def has_qgis():
    return os.path.exists(PYTHON) and subprocess.run(
        [PYTHON, "-c", "import qgis.core"], env=ENVIRONMENT, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not has_qgis(), reason="no PyQGIS (Debian: python3-qgis)")
PICTURE = gdaltest.smooth_array((3, 120, 150), "uint8")
INFRARED = np.concatenate([PICTURE, PICTURE[:1] * (np.arange(150) < 75).astype("uint8")])
CLASSES = np.array([1, 50, 200], "uint8")[np.random.default_rng(4).integers(0, 3, (1, 120, 150))]
FULL = gdaltest.random_array((1, 120, 150), "uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("qgis")


@pytest.fixture(scope="module")
def result(folder):
    source = str(folder / "source.tif")
    gdaltest.mem(PICTURE, driver="GTiff", path=source, geotransform=GT, code="EPSG:32633")
    gdaltest.mem(PICTURE, driver="GTiff", path=str(folder / "source_nodata.tif"), geotransform=GT, code="EPSG:32633",
                 nodata=70)
    gdaltest.mem(FULL, driver="GTiff", path=str(folder / "source_full.tif"), geotransform=GT, code="EPSG:32633")
    gdaltest.mem(INFRARED, driver="GTiff", path=str(folder / "source_infrared.tif"), geotransform=GT, code="EPSG:32633",
                 options=["PHOTOMETRIC=MINISBLACK"])
    classes = gdaltest.mem(CLASSES, geotransform=GT, code="EPSG:32633")
    colors = gdal.ColorTable()
    colors.SetColorEntry(200, (1, 200, 3, 255))
    classes.GetRasterBand(1).SetColorTable(colors)
    gdal.GetDriverByName("GTiff").CreateCopy(str(folder / "source_classes.tif"), classes).FlushCache()
    out = folder / "out"
    out.mkdir()
    run = subprocess.run([PYTHON, os.path.join(HERE, "..", "qgis", "save_as.py"), str(out), source], env=ENVIRONMENT,
                         capture_output=True, text=True, timeout=300)
    lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, run.stdout + run.stderr
    return json.loads(lines[0][len("RESULT "):])


def bands(found):
    return np.array(found["pixels"]).reshape(found["bands"], found["height"], found["width"])


def test_driver_is_in_the_list_of_formats(result):
    assert result["extensions"] == ["ozx", "ome.zarr"]
    assert "OME-Zarr" in result["filter"][0] and result["filter"] == [result["filter_for_driver"]]
    assert result["driver_for_extension"] in ("OMEZARR", "")  # 3.22 looks at the last suffix only
    assert result["driver_for_one_file"] == "OMEZARR"


def test_raw_data_come_back_with_crs_and_extent(result, folder):
    raw = result["raw"]
    assert raw["status"] == 0 and raw["valid"]
    assert (raw["crs"], raw["extent"]) == ("EPSG:32633", [500000, 4998800, 501500, 5000000])
    np.testing.assert_array_equal(bands(raw), PICTURE)
    np.testing.assert_array_equal(gdaltest.our_levels(folder / "out" / "raw.ome.zarr")[0], PICTURE)


def test_one_file_is_saved_and_opens(result, folder):
    assert result["file"]["status"] == 0 and os.path.isfile(folder / "out" / "file.ozx")
    assert (result["file"]["crs"], result["file"]["pyramids"]) == (result["raw"]["crs"], result["raw"]["pyramids"])
    np.testing.assert_array_equal(bands(result["file"]), PICTURE)


def test_a_name_that_ends_in_zarr_gives_what_it_says(result, folder):
    assert result["typed"]["status"] == 0 and result["typed"]["valid"]
    assert gdal.Open(str(folder / "out" / "typed.zarr")).GetDriver().ShortName == "OMEZARR"


@pytest.mark.parametrize("name, meaning", [("rendered", gdal.GCI_Undefined), ("rgba", gdal.GCI_AlphaBand)])
def test_rendered_image_has_four_bands_and_alpha_if_it_is_said(result, folder, name, meaning):
    """QGIS 3.22 does not say what the bands of a rendered image are."""
    rendered = result[name]
    assert rendered["status"] == 0 and rendered["bands"] == 4
    np.testing.assert_array_equal(bands(rendered)[:3], PICTURE)
    assert (bands(rendered)[3] == 255).all()
    image = gdal.Open(str(folder / "out" / f"{name}.ome.zarr"))
    if name == "rgba" or result["version"].startswith("3.22"):
        assert image.GetRasterBand(4).GetColorInterpretation() == meaning


def test_infrared_does_not_become_transparency(result, folder):
    assert result["infrared"]["status"] == 0
    np.testing.assert_array_equal(bands(result["infrared"]), INFRARED)
    path = folder / "out" / "infrared.ome.zarr"
    assert gdaltest.open_band(path).GetMaskFlags() == gdal.GMF_ALL_VALID
    for got, want in zip(gdaltest.our_levels(path),
                         ngffmodel.pyramid(INFRARED, ngffmodel.plain_factors(120, 150, 64)), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name, method", [("classes", "AVERAGE"), ("classes_mode", "MODE")])
def test_classes_are_classes_if_it_is_said(result, folder, name, method):
    """QGIS 3.22 passes on no colour table."""
    assert result[name]["status"] == 0
    path = folder / "out" / f"{name}.ome.zarr"
    is_said = gdaltest.open_band(path).GetColorTable() is not None
    for got, want in zip(gdaltest.our_levels(path),
                         ngffmodel.pyramid(CLASSES, ngffmodel.plain_factors(120, 150, 64), "MODE" if is_said else method), strict=True):
        np.testing.assert_array_equal(got, want)


def test_pyramids_of_the_dialog_are_the_levels(result, folder):
    assert result["pyramids"]["status"] == 0
    assert [75, 60] in result["pyramids"]["pyramids"]  # QGIS sees them
    image = gdal.Open(str(folder / "out" / "pyramids.ome.zarr"))
    sizes = [(image.GetRasterBand(1).GetOverview(i).XSize, image.GetRasterBand(1).GetOverview(i).YSize)
             for i in range(image.GetRasterBand(1).GetOverviewCount())]
    assert sizes == [(75, 60), (38, 30)]


def test_nodata_is_kept(result, folder):
    assert result["nodata"]["status"] == 0 and result["nodata"]["has_nodata"] == [True, True, True]
    image = gdal.Open(str(folder / "out" / "nodata.ome.zarr"))
    assert image.GetRasterBand(2).GetNoDataValue() == 70
    np.testing.assert_array_equal(gdaltest.pixels(image), PICTURE)


def outside():
    place = np.ones((130, 170), bool)
    place[10:, 20:] = False
    return place


def test_a_larger_extent_needs_a_nodata_value_and_takes_a_free_one(result, folder):
    assert result["wide_free"]["status"] == 0
    image = gdal.Open(str(folder / "out" / "wide_free.ome.zarr"))
    assert [image.GetRasterBand(b).GetNoDataValue() for b in (1, 2, 3)] == [0, 0, 0]
    np.testing.assert_array_equal(gdaltest.pixels(image)[:, 10:, 20:], PICTURE)
    assert (gdaltest.pixels(image)[:, outside()] == 0).all()


def test_a_conflict_of_nodata_values_takes_a_wider_type(result, folder):
    assert {0, 255} <= set(FULL.ravel().tolist())
    assert result["wide_full"]["status"] == 0
    image = gdal.Open(str(folder / "out" / "wide_full.ome.zarr"))
    band = image.GetRasterBand(1)
    assert gdal.GetDataTypeName(band.DataType) == "Int16" and band.GetNoDataValue() == -32768
    np.testing.assert_array_equal(gdaltest.pixels(image)[:, 10:, 20:], FULL)
    # (QGIS 3.22 leaves 0 outside, the value of the narrow type, in every format.)
    np.testing.assert_array_equal(gdaltest.pixels(image), gdaltest.pixels(gdal.Open(str(folder / "out" / "wide_full.tif"))))


def test_nodata_values_of_the_user_become_one(result, folder):
    for name, nodata in (("user_nodata", 70), ("user_nodata_2", 70)):
        assert result[name]["status"] == 0
        image = gdal.Open(str(folder / "out" / f"{name}.ome.zarr"))
        assert image.GetRasterBand(1).GetNoDataValue() == nodata
        expected = np.where((PICTURE >= 100) & (PICTURE <= 120), nodata, PICTURE)
        np.testing.assert_array_equal(gdaltest.pixels(image), expected)


def test_an_image_that_was_just_made_can_be_removed_and_made_again(result, folder):
    assert result["removed"]["removed"] == [True, False]
    assert result["removed"]["valid"] and result["removed"]["bands"] == 2
    image = gdal.Open(str(folder / "out" / "removed.ome.zarr"))
    assert gdal.GetDataTypeName(image.GetRasterBand(1).DataType) == "Int16"
    assert (gdaltest.pixels(image)[0] == 0x0707).all()


def test_an_image_that_is_there_already_stays_unless_overwrite_is_asked_for(result, folder):
    assert result["existing"]["status"] != 0
    np.testing.assert_array_equal(bands(result["existing"]), PICTURE)
    assert result["replaced"]["status"] == 0 and result["replaced"]["has_nodata"] == [True, True, True]


def test_nothing_is_left_beside_the_images(result, folder):
    assert [name for name in os.listdir(folder / "out") if not name.endswith((".zarr", ".ozx", ".tif"))] == []


def test_chosen_extent(result):
    part = result["part"]
    assert part["status"] == 0 and part["extent"] == [500300, 4999000, 501000, 4999600]
    np.testing.assert_array_equal(bands(part), PICTURE[:, 40:100, 30:100])


def test_progress_and_cancel(result):
    assert result["progress"]["status"] == 0
    told = result["progress"]["told"]
    assert len(told) > 3 and told == sorted(told)
    assert result["cancelled"]["status"] != 0


def test_small_map_is_drawn_from_an_overview(result, folder):
    """150 x 120 pixels on 60 x 48: the level of 75 x 60 does, and gives what is seen within a few grey values."""
    small = np.array(result["map"], float)
    rows = ((np.arange(48) + 0.5) * 2.5).astype(int)
    columns = ((np.arange(60) + 0.5) * 2.5).astype(int)
    expected = PICTURE[0].astype(float)[np.ix_(rows, columns)]
    assert np.abs(small - expected).mean() < 8


def test_processing_algorithms(result):
    if "no_processing" in result:
        # Newer ones refuse a name whose last suffix is no format's before they look at the additional parameters.
        refused = "Output format is invalid" in result["no_processing"] and not result["version"].startswith("3.22")
        assert refused or "ImportError" in result["no_processing"] or "ModuleNotFound" in result["no_processing"], result["no_processing"]
        pytest.skip(result["no_processing"])
    assert result["translate"]["valid"]
    np.testing.assert_array_equal(bands(result["translate"]), PICTURE)
    assert result["warp"]["valid"] and result["warp"]["crs"] == "EPSG:4326"


def test_gdal_translate_without_a_format_leaves_zarr_to_gdal(tmp_path):
    source = str(tmp_path / "source.tif")
    gdaltest.mem(PICTURE, driver="GTiff", path=source)
    run = subprocess.run(["gdal_translate", source, str(tmp_path / "out.zarr")], capture_output=True, text=True)
    # GDAL's own driver writes it, or, where that has no file extension yet, none does.
    assert "OMEZARR" not in run.stdout + run.stderr
    assert not os.path.exists(tmp_path / "out.zarr" / "scale0")
