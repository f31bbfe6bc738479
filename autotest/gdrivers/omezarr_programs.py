"""GDAL's own programs: each makes an OME-Zarr and a GeoTIFF from the same input, and pixels, valid pixels, position and
colours must be the same; programs that read get the same from a store as from the GeoTIFF it was made of. Then
gdalmanage, gdalinfo -json, -strict, and what happens when a program gives up."""

import contextlib
import json
import os
import shutil
import subprocess

import gdaltest
import numpy as np
import pytest
from osgeo import gdal, ogr, osr

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)


def run(program, *arguments, status=0):
    if program.endswith(".py"):
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"no {program}")
        command = [gdaltest.PYTHON, path]
    elif shutil.which(program) is None:
        pytest.skip(f"no {program}")
    else:
        command = [program]
    done = subprocess.run(command + [str(a) for a in arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if "Cannot guess driver" in done.stderr and "-of" in arguments:
        pytest.skip(f"{program} of this GDAL ignores -of")  # gdal_proximity.py of 3.10
    assert done.returncode == status, f"status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Rasters and a polygon that the programs read."""
    folder = tmp_path_factory.mktemp("inputs")
    rgb = gdaltest.mem(gdaltest.smooth_array((3, 120, 150), "uint8"), GT, "EPSG:32633")
    for number, meaning in enumerate((gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand)):
        rgb.GetRasterBand(number + 1).SetColorInterpretation(meaning)
    nodata = gdaltest.mem(gdaltest.smooth_array((2, 120, 150), "int16"), GT, "EPSG:32633", nodata=[70, 71])
    palette = gdaltest.mem(gdaltest.random_array((120, 150), "uint8") % 5, GT, "EPSG:32633")
    table = gdal.ColorTable()
    for i in range(5):
        table.SetColorEntry(i, (50 * i, 255 - i, 7, 255))
    palette.GetRasterBand(1).SetColorTable(table)
    masked = gdaltest.mem(gdaltest.smooth_array((2, 120, 150), "uint8"), GT, "EPSG:32633")
    masked.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.zeros((120, 150), "uint8")
    mask[30:90, 20:110] = 255
    masked.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 150, 120, mask.tobytes())
    height = gdaltest.mem(gdaltest.smooth_array((120, 150), "float32"), GT, "EPSG:32633", nodata=-9999)
    for name, dataset in (("rgb", rgb), ("nodata", nodata), ("palette", palette), ("masked", masked), ("height", height)):
        gdal.GetDriverByName("GTiff").CreateCopy(str(folder / f"{name}.tif"), dataset).FlushCache()
        gdaltest.write(folder / f"{name}.ome.zarr", gdal.Open(str(folder / f"{name}.tif")), "BLOCKSIZE=64")
    layers = ogr.GetDriverByName("GeoJSON").CreateDataSource(str(folder / "area.geojson"))
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32633)
    layer = layers.CreateLayer("area", crs, ogr.wkbPolygon)
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(ogr.CreateGeometryFromWkt("POLYGON((500200 4999800,501200 4999700,500700 4999000,500200 4999800))"))
    layer.CreateFeature(feature)
    points = layers.CreateLayer("points", crs, ogr.wkbPoint25D) if layers.TestCapability(ogr.ODsCCreateLayer) else None
    del points, feature, layer, layers
    return folder


def assert_same(found, expected, tolerance=0, says_colors=True):
    """Two files hold the same picture. Valid pixels are compared as yes or no. says_colors: the program says what bands
    mean; otherwise GeoTIFF guesses, and an OME-Zarr does not."""
    found, expected = gdal.Open(str(found)), gdal.Open(str(expected))
    assert (found.RasterXSize, found.RasterYSize, found.RasterCount) == (expected.RasterXSize, expected.RasterYSize, expected.RasterCount)
    assert found.GetGeoTransform(can_return_null=True) == pytest.approx(expected.GetGeoTransform(can_return_null=True), rel=1e-12)
    crs = [d.GetSpatialRef() or d.GetGCPSpatialRef() for d in (found, expected)]
    assert (crs[0] is None) == (crs[1] is None) and (crs[0] is None or crs[0].IsSame(crs[1]))
    assert [(g.GCPPixel, g.GCPLine, g.GCPX, g.GCPY) for g in found.GetGCPs() or []] == \
           [(g.GCPPixel, g.GCPLine, g.GCPX, g.GCPY) for g in expected.GetGCPs() or []]
    for number in range(1, found.RasterCount + 1):
        bands = [d.GetRasterBand(number) for d in (found, expected)]
        got, want = bands
        assert got.DataType == want.DataType
        np.testing.assert_allclose(gdaltest.pixels(got), gdaltest.pixels(want), rtol=0, atol=tolerance)
        nodata = [b.GetNoDataValue() for b in bands]
        if got.DataType == gdal.GDT_Float32:  # GeoTIFF rounds what is close to the largest float
            nodata = [value if value is None else float(np.float32(value)) for value in nodata]
        assert repr(nodata[0]) == repr(nodata[1])
        assert (got.GetScale() or 1, got.GetOffset() or 0) == (want.GetScale() or 1, want.GetOffset() or 0)
        tables = [b.GetColorTable() and [b.GetColorTable().GetColorEntry(i) for i in range(5)] for b in bands]
        assert tables[0] == tables[1]
        if want.GetColorInterpretation() != gdal.GCI_Undefined and found.RasterCount > 1:
            is_guessed = not says_colors and want.GetColorInterpretation() != gdal.GCI_AlphaBand
            assert got.GetColorInterpretation() == (gdal.GCI_Undefined if is_guessed else want.GetColorInterpretation())
        valid = [np.frombuffer(b.GetMaskBand().ReadRaster(), "uint8") for b in bands]
        if want.GetMaskFlags() & gdal.GMF_ALPHA:
            np.testing.assert_array_equal(valid[0], valid[1])
        else:
            np.testing.assert_array_equal(valid[0] != 0, valid[1] != 0)


# -- Programs that write -----------------------------------------------------------------------------------------------

TRANSLATE = {
    "bands": ["-b", "3", "-b", "1", "rgb"], "expand": ["-expand", "rgba", "palette"], "expand gray": ["-expand", "rgb", "palette"],
    "mask": ["-b", "1", "-b", "2", "-mask", "3", "rgb"], "mask none": ["-mask", "none", "masked"], "mask auto": ["masked"],
    "mask as band": ["-b", "mask", "masked"], "srcwin": ["-srcwin", "13", "17", "101", "77", "rgb"],
    "projwin": ["-projwin", "500300", "4999700", "501000", "4999200", "rgb"], "a_nodata": ["-a_nodata", "7", "rgb"],
    "a_nodata none": ["-a_nodata", "none", "nodata"], "scale": ["-scale", "0", "255", "0", "65535", "-ot", "UInt16", "rgb"],
    "exponent": ["-scale", "0", "255", "0", "1000", "-exponent", "0.5", "-ot", "Float32", "rgb"],
    "unscale": ["-unscale", "-ot", "Float32", "nodata"], "a_scale": ["-a_scale", "2", "-a_offset", "-3", "nodata"],
    "outsize": ["-outsize", "50%", "50%", "-r", "average", "rgb"], "larger": ["-outsize", "200%", "0", "-r", "bilinear", "masked"],
    "a_srs": ["-a_srs", "EPSG:3857", "-a_ullr", "0", "10", "20", "0", "rgb"],
    "gcp": ["-gcp", "1", "2", "3", "4", "-gcp", "5", "6", "7", "8", "-gcp", "1", "6", "3", "8", "-a_srs", "EPSG:4326", "rgb"],
    "colorinterp": ["-colorinterp", "blue,green,red", "rgb"], "alpha": ["-b", "1", "-b", "2", "-b", "3", "-b", "2", "-colorinterp", "red,green,blue,alpha", "rgb"],
    "no overviews": ["-co", "OVERVIEWS=NONE", "rgb"]}


@pytest.mark.parametrize("name", TRANSLATE)
def test_gdal_translate(tmp_path, inputs, name):
    *options, source = TRANSLATE[name]
    source = inputs / f"{source}.tif"
    run("gdal_translate", "-q", "-of", "OMEZARR", "-co", "BLOCKSIZE=32", *options, source, tmp_path / "a.ome.zarr")
    ours = options.index("-co") if "-co" in options else len(options)
    run("gdal_translate", "-q", "-of", "GTiff", *options[:ours], *options[ours + 2:], source, tmp_path / "a.tif")
    assert_same(tmp_path / "a.ome.zarr", tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["rgb", "nodata", "palette", "masked", "height"])
def test_gdal_translate_from_a_store_back_to_geotiff(tmp_path, inputs, name):
    run("gdal_translate", "-q", inputs / f"{name}.ome.zarr", tmp_path / "a.tif")
    assert_same(tmp_path / "a.tif", inputs / f"{name}.tif")


WRITERS = {
    "warp": ["gdalwarp", "-q", "-t_srs", "EPSG:4326", "-r", "bilinear", "rgb", ">"],
    "warp with colours": ["gdalwarp", "-q", "-t_srs", "EPSG:4326", "-setci", "rgb", ">"],
    "warp to alpha": ["gdalwarp", "-q", "-t_srs", "EPSG:4326", "-dstalpha", "rgb", ">"],
    "warp of a mask": ["gdalwarp", "-q", "-t_srs", "EPSG:4326", "-dstalpha", "masked", ">"],
    "warp within a cutline": ["gdalwarp", "-q", "-cutline", "area.geojson", "-crop_to_cutline", "-dstnodata", "0", "rgb", ">"],
    "warp within a cutline to alpha": ["gdalwarp", "-q", "-cutline", "area.geojson", "-dstalpha", "rgb", ">"],
    "warp with nodata": ["gdalwarp", "-q", "-t_srs", "EPSG:3857", "-r", "cubic", "-dstnodata", "-1", "nodata", ">"],
    "warp to a size": ["gdalwarp", "-q", "-te", "500100", "4999000", "501100", "4999900", "-ts", "77", "0", "-r", "average", "height", ">"],
    "warp of two": ["gdalwarp", "-q", "rgb", "rgb", ">"],
    "hillshade": ["gdaldem", "hillshade", "-q", "height", ">"],
    "slope": ["gdaldem", "slope", "-q", "-compute_edges", "height", ">"],
    "nearblack": ["nearblack", "-q", "-o", ">", "rgb"],
    "nearblack to alpha": ["nearblack", "-q", "-setalpha", "-co", "COLOR_INTERPRETATION=red,green,blue,alpha", "-o", ">", "rgb"],
    "rasterize": ["gdal_rasterize", "-q", "-burn", "200", "-tr", "10", "10", "-ot", "Byte", "-init", "3", "area.geojson", ">"],
    "fill nodata": ["gdal_fillnodata.py", "-q", "-md", "5", "nodata", ">"],
    "sieve": ["gdal_sieve.py", "-q", "-st", "3", "palette", ">"],
    "proximity": ["gdal_proximity.py", "-q", "palette", ">"],
    "calc": ["gdal_calc.py", "--quiet", "--calc", "A*0.5+B", "--type", "Float32", "--A_band", "2", "-A", "rgb", "-B", "height", "--outfile", ">"],
    "merge": ["gdal_merge.py", "-q", "-n", "70", "-a_nodata", "70", "-ul_lr", "499900", "5000100", "501600", "4998700", "-o", ">", "rgb"],
    "pct2rgb": ["pct2rgb.py", "palette", ">"],
}


@pytest.mark.parametrize("kind", ["tif", "ome.zarr"])
@pytest.mark.parametrize("name", WRITERS)
def test_programs_that_write(tmp_path, inputs, name, kind):
    """From a GeoTIFF and from a store."""
    program, *arguments = WRITERS[name]
    for driver, extension in (("OMEZARR", "ome.zarr"), ("GTiff", "tif")):
        words = []
        for word in arguments:
            if word == ">":
                words.append(tmp_path / f"a.{extension}")
            elif (inputs / word).exists():
                words.append(inputs / word)
            elif (inputs / f"{word}.tif").exists():
                words.append(inputs / f"{word}.{kind if driver == 'OMEZARR' else 'tif'}")
            else:
                words.append(word)
        if program == "gdaldem":  # its format comes after its mode and files
            words += ["-of", driver]
        else:
            words = ["--format" if program == "gdal_calc.py" else "-of", driver] + words
        if driver == "GTiff" and "-co" in words:
            del words[words.index("-co"):words.index("-co") + 2]
        said = run(program, *words)
        assert "ERROR" not in said, said
    says_colors = "-setci" in arguments or "-co" in arguments or program == "pct2rgb.py"
    assert_same(tmp_path / "a.ome.zarr", tmp_path / "a.tif", says_colors=says_colors)
    beside = {"gdal_calc.py": {"a.ome.zarr.aux.xml"}, "nearblack": {"a.ome.zarr.aux.xml"}}.get(program, set())
    assert set(os.listdir(tmp_path)) - beside == {"a.ome.zarr", "a.tif"}


def test_gdal_retile(tmp_path, inputs):
    for driver in ("OMEZARR", "GTiff"):
        (tmp_path / driver).mkdir()
        run("gdal_retile.py", "-q", "-of", driver, "-ps", "64", "64", "-levels", "1", "-targetDir", tmp_path / driver, inputs / "rgb.tif")
    tiles = sorted(os.path.relpath(os.path.join(d, f), tmp_path / "GTiff") for d, _, files in os.walk(tmp_path / "GTiff") for f in files)
    assert len(tiles) > 6
    for tile in tiles:
        ours = tmp_path / "OMEZARR" / tile
        if not ours.exists():  # newer ones take the format's extension, not the source's
            ours = ours.with_suffix(".ozx")
        assert gdal.Open(str(ours)).GetDriver().ShortName == "OMEZARR"
        assert_same(ours, tmp_path / "GTiff" / tile, says_colors=False)


# -- Programs that read ------------------------------------------------------------------------------------------------


def test_gdalinfo_json(inputs):
    found = json.loads(run("gdalinfo", "-json", "-stats", "-hist", "-checksum", "-mm", inputs / "nodata.ome.zarr"))
    other = json.loads(run("gdalinfo", "-json", "-stats", "-hist", "-checksum", "-mm", inputs / "nodata.tif"))
    assert found["driverShortName"] == "OMEZARR" and found["size"] == [150, 120]
    for name in ("geoTransform", "cornerCoordinates", "wgs84Extent"):
        assert found[name] == other[name]
    for got, want in zip(found["bands"], other["bands"], strict=True):
        for name in ("band", "type", "checksum", "computedMin", "computedMax", "noDataValue", "histogram"):
            assert got[name] == want[name], name
        for name in ("minimum", "maximum", "mean", "stdDev"):
            assert got[name] == pytest.approx(want[name], abs=1e-3)
        assert got["block"] == [64, 64]
        assert [level["size"] for level in got["overviews"]] == [[75, 60], [38, 30]]
    assert [os.path.basename(f) for f in found["files"]] == ["zarr.json"]
    assert sorted(os.listdir(inputs / "nodata.ome.zarr"))[-1] == "zarr.json"


def test_gdalbuildvrt_and_gdallocationinfo(tmp_path, inputs):
    run("gdalbuildvrt", "-q", tmp_path / "a.vrt", inputs / "rgb.ome.zarr")
    run("gdalbuildvrt", "-q", tmp_path / "b.vrt", inputs / "rgb.tif")
    assert_same(tmp_path / "a.vrt", tmp_path / "b.vrt")
    for options in (["-valonly", "17", "23"], ["-valonly", "-geoloc", "500305", "4999505"]):
        answers = [run("gdallocationinfo", *options[:1], *(["-geoloc"] if "-geoloc" in options else []), inputs / f"rgb.{kind}", *options[-2:])
                   for kind in ("ome.zarr", "tif")]
        assert answers[0] == answers[1] != ""


@pytest.mark.parametrize("name", ["palette", "masked"])
def test_gdal_polygonize(tmp_path, inputs, name):
    for kind in ("ome.zarr", "tif"):
        run("gdal_polygonize.py", "-q", "-f", "GeoJSON", inputs / f"{name}.{kind}", tmp_path / f"{kind}.geojson", "x")
    answers = [json.loads((tmp_path / f"{kind}.geojson").read_text())["features"] for kind in ("ome.zarr", "tif")]
    assert answers[0] == answers[1] and answers[0]


# -- gdalmanage ----------------------------------------------------------------------------------------------------------


def test_gdalmanage(tmp_path, inputs):
    first, second, third = (str(tmp_path / f"{letter}.ome.zarr") for letter in "abc")
    gdaltest.write(first, gdal.Open(str(inputs / "rgb.tif")), "BLOCKSIZE=64")
    digest = gdaltest.tree_digest(first)
    assert run("gdalmanage", "identify", first).strip() == f"{first}: OMEZARR"
    assert run("gdalmanage", "identify", "-r", tmp_path).strip() == f"{first}: OMEZARR"  # its levels are no images
    run("gdalmanage", "copy", first, second)
    run("gdalmanage", "rename", second, third)
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "c.ome.zarr"]
    assert gdaltest.tree_digest(first) == gdaltest.tree_digest(third) == digest
    for action in ("copy", "rename"):  # never onto something
        said = subprocess.run(["gdalmanage", action, first, third], capture_output=True, text=True)
        assert "exists" in said.stdout + said.stderr
        assert gdaltest.tree_digest(first) == gdaltest.tree_digest(third) == digest
    run("gdalmanage", "delete", first)
    assert os.listdir(tmp_path) == ["c.ome.zarr"]


def test_gdalmanage_delete_refuses_a_store_with_other_files(tmp_path, inputs):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(str(inputs / "rgb.tif")))
    (tmp_path / "a.ome.zarr" / "letter.txt").write_text("dear")
    before = gdaltest.snapshot(tmp_path)
    said = subprocess.run(["gdalmanage", "delete", store], capture_output=True, text=True)
    assert "letter.txt" in said.stdout + said.stderr
    assert gdaltest.snapshot(tmp_path) == before


# -- Overwriting ---------------------------------------------------------------------------------------------------------


def test_gdalwarp_overwrite_replaces_a_store_if_the_driver_is_told_too(tmp_path, inputs):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(str(inputs / "nodata.tif")))
    before = gdaltest.snapshot(tmp_path)
    assert "OVERWRITE=YES" in run("gdalwarp", "-q", "-overwrite", "-of", "OMEZARR", inputs / "rgb.tif", store, status=1)
    assert gdaltest.snapshot(tmp_path) == before
    run("gdalwarp", "-q", "-overwrite", "-setci", "-co", "OVERWRITE=YES", "-of", "OMEZARR", inputs / "rgb.tif", store)
    assert_same(store, inputs / "rgb.tif")
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_gdalwarp_without_overwrite_onto_another_kind_of_folder_leaves_it(tmp_path, inputs):
    (tmp_path / "a.ome.zarr").mkdir()
    (tmp_path / "a.ome.zarr" / "letter.txt").write_text("dear")
    before = gdaltest.snapshot(tmp_path)
    for options in ([], ["-overwrite"]):
        done = subprocess.run(["gdalwarp", "-q", *options, "-of", "OMEZARR", str(inputs / "rgb.tif"), str(tmp_path / "a.ome.zarr")],
                              capture_output=True, text=True)
        assert done.returncode != 0 and "ERROR" in done.stderr
        assert gdaltest.snapshot(tmp_path) == before


@pytest.mark.parametrize("program", ["gdal_translate", "gdalwarp"])
def test_a_store_that_is_read_through_a_vrt_is_not_overwritten(tmp_path, inputs, program):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(str(inputs / "rgb.tif")), "BLOCKSIZE=64")
    run("gdalbuildvrt", "-q", tmp_path / "a.vrt", store)
    before = gdaltest.snapshot(tmp_path)
    options = ["-overwrite", "-setci"] if program == "gdalwarp" else []
    done = subprocess.run([program, "-q", *options, "-of", "OMEZARR", "-co", "OVERWRITE=YES", str(tmp_path / "a.vrt"), store],
                          capture_output=True, text=True)
    if program == "gdalwarp":  # the old store stays until the new one is complete, so it can be read meanwhile
        assert done.returncode == 0, done.stderr
        assert_same(store, inputs / "rgb.tif")
        assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "a.vrt"]
    else:
        assert done.returncode == 1 and "source is part of the destination" in done.stderr
        assert gdaltest.snapshot(tmp_path) == before


# -- Strict --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rgb", "nodata", "palette", "masked", "height"])
def test_strict_accepts_what_is_kept_whole(tmp_path, inputs, name):
    run("gdal_translate", "-q", "-strict", "-of", "OMEZARR", inputs / f"{name}.tif", tmp_path / "a.ome.zarr")
    assert_same(tmp_path / "a.ome.zarr", inputs / f"{name}.tif")


def lossy(kind):
    if kind == "complex integers":
        return gdal.GetDriverByName("MEM").Create("", 10, 10, 1, gdal.GDT_CInt16)
    dataset = gdaltest.mem(np.zeros((2, 10, 10), "uint8"))
    if kind == "types":
        dataset.AddBand(gdal.GDT_Float32)
    else:
        band = dataset.GetRasterBand(1)
        band.CreateMaskBand(0)
        band.GetMaskBand().WriteRaster(0, 0, 10, 10, bytes(100))
    return dataset


@pytest.mark.parametrize("kind", ["complex integers", "types", "masks"])
def test_strict_refuses_what_would_be_lost_and_else_a_warning_tells_it(tmp_path, kind):
    assert "strict" in gdaltest.refused(tmp_path / "a.ome.zarr", lossy(kind), strict=1)
    assert os.listdir(tmp_path) == []
    with gdaltest.collected_messages() as messages:
        gdaltest.write(tmp_path / "a.ome.zarr", lossy(kind))
    assert {"complex integers": "CInt16", "types": "types", "masks": "mask"}[kind] in messages.warnings()[0]


# -- Giving up -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(gdal.Dataset, "MarkSuppressOnClose"), reason="GDAL 3.12 or newer")
def test_a_dataset_that_is_given_up_is_never_published(tmp_path):
    dataset = gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 100, 100)
    dataset.GetRasterBand(1).Fill(7)
    dataset.MarkSuppressOnClose()
    del dataset
    assert os.listdir(tmp_path) == []


def test_a_cancelled_translate_leaves_nothing(tmp_path, inputs):
    with pytest.raises(RuntimeError, match="User terminated"):
        gdal.Translate(str(tmp_path / "a.ome.zarr"), str(inputs / "rgb.tif"), format="OMEZARR", callback=lambda share, text, data: share < 0.5)
    assert os.listdir(tmp_path) == []


# -- The multidimensional interface, by GDAL's own driver ------------------------------------------------------------------


def arrays_below(group, path=""):
    for name in group.GetMDArrayNames() or []:
        yield f"{path}/{name}", group.OpenMDArray(name)
    for name in group.GetGroupNames() or []:
        yield from arrays_below(group.OpenGroup(name), f"{path}/{name}")


@pytest.mark.require_driver("Zarr")
@pytest.mark.parametrize("options", [["NGFF_VERSION=0.4"], ["NGFF_VERSION=0.4", "LAYOUT=FLAT"],
                                     pytest.param([], marks=pytest.mark.require_gdal(3, 13)),
                                     pytest.param(["LAYOUT=FLAT"], marks=pytest.mark.require_gdal(3, 13)),
                                     pytest.param(["SHARD=64"], marks=pytest.mark.require_gdal(3, 13))])
def test_arrays_of_every_level_by_gdals_multidimensional_interface(tmp_path, inputs, options):
    gdaltest.require_zarr_codec("ZSTD")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(str(inputs / "rgb.tif")), "BLOCKSIZE=32", "COMPRESS=ZSTD", *options)
    with gdaltest.collected_messages() as messages:
        dataset = gdal.OpenEx(store, gdal.OF_MULTIDIM_RASTER, allowed_drivers=["Zarr"])
        found = dict(arrays_below(dataset.GetRootGroup()))
        levels = gdaltest.our_levels(store)
        for path, level in zip(gdaltest.level_paths(store), levels, strict=True):
            array = found["/" + os.path.relpath(path, store)]
            assert [d.GetSize() for d in array.GetDimensions()] == list(level.shape)
            assert array.Read() == level.tobytes()
    assert not messages.errors(), messages
