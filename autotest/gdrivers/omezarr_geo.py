"""Geotransform and CRS: NGFF scale, translation and unit, the geo attributes by layout, and the exact way back."""

import math
import os

import gdaltest
import numpy as np
import pytest
from osgeo import gdal, osr

NORTH_UP = (500000, 10, 0, 5000000, 0, -10)
ROTATED = (500000.25, 8.5, 2.25, 5000000.75, 1.5, -9.0)
SOUTH_UP = (500000, 10, 0, 4990000, 0, 10)
CONVENTIONS = {"multiscales": "d35379db-88df-4056-af3a-620245f8e347", "proj": "f17cb550-5864-4468-aeb7-f3180cfb622f",
               "spatial": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4"}


def geo_store(tmp_path, geotransform, code, *options, shape=(3, 100, 90)):
    source = gdaltest.mem(gdaltest.smooth_array(shape, "uint8"), geotransform, code)
    return gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", *options)


def axes(store):
    return {axis["name"]: axis for axis in gdaltest.ome(store)["multiscales"][0]["axes"]}


def assert_same_place(store, geotransform, code):
    dataset = gdal.Open(store)
    assert dataset.GetGeoTransform() == pytest.approx(geotransform, rel=0, abs=0)
    if code:
        assert dataset.GetSpatialRef().IsSame(gdaltest.crs(code), ["CRITERION=EQUIVALENT"])
        assert list(dataset.GetSpatialRef().GetDataAxisToSRSAxisMapping()) == list(gdaltest.crs(code).GetDataAxisToSRSAxisMapping())


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("layout", ["OVERVIEWS", "SCALES", "FLAT"])
@pytest.mark.parametrize("geotransform", [NORTH_UP, SOUTH_UP, ROTATED, (0.1, 1e-9, 0, 1e12, 0, -1 / 3)])
def test_geotransform_and_crs_come_back_exactly(tmp_path, geotransform, layout, version):
    store = geo_store(tmp_path, geotransform, "EPSG:32633", f"LAYOUT={layout}", f"NGFF_VERSION={version}")
    assert_same_place(store, geotransform, "EPSG:32633")
    assert not os.path.exists(store + ".aux.xml")


@pytest.mark.parametrize("geotransform", [NORTH_UP, SOUTH_UP, ROTATED])
def test_scale_is_the_size_of_a_pixel_and_translation_its_centre(tmp_path, geotransform):
    store = geo_store(tmp_path, geotransform, "EPSG:32633")
    size_x = math.hypot(geotransform[1], geotransform[4])
    size_y = math.hypot(geotransform[2], geotransform[5])
    for number, (scale, translation) in enumerate(gdaltest.transforms(store)):
        f = 2**number
        assert scale == pytest.approx([1, f * size_y, f * size_x], rel=1e-15)
        assert (translation or [0, 0, 0]) == pytest.approx([0, (f - 1) / 2 * size_y, (f - 1) / 2 * size_x], rel=1e-15)
    assert axes(store)["y"]["unit"] == axes(store)["x"]["unit"] == "meter" and "unit" not in axes(store)["c"]


def test_the_parts_of_a_compound_crs_keep_their_codes(tmp_path):
    """Also of one that was read from WKT 1, whose names are not those of the database."""
    source = gdaltest.mem(np.zeros((1, 4, 4), "uint8"), NORTH_UP)
    crs = osr.SpatialReference(osr.SRS_WKT_WGS84_LAT_LONG)
    assert crs.ImportFromWkt(gdaltest.crs("EPSG:5972").ExportToWkt()) == 0
    source.SetSpatialRef(crs)
    back = gdal.Open(gdaltest.write(tmp_path / "a.ome.zarr", source)).GetSpatialRef()
    assert [back.GetAuthorityCode(part) for part in (None, "PROJCS", "VERT_CS", "COMPD_CS|VERT_CS|VERT_DATUM")] == ["5972", "25832", "5941", "1096"]


@pytest.mark.parametrize("code,unit,factor", [
    ("EPSG:32633", "meter", 1), ("EPSG:2263", "meter", 1200 / 3937), ("EPSG:2222", "foot", 1),
    ("EPSG:4326", None, 1), ("EPSG:27700", "meter", 1), ("EPSG:3857", "meter", 1),
])
def test_units_come_from_the_crs(tmp_path, code, unit, factor):
    store = geo_store(tmp_path, (10, 0.5, 0, 40, 0, -0.25), code)
    assert axes(store)["y"].get("unit") == axes(store)["x"].get("unit") == unit
    assert gdaltest.transforms(store)[0][0] == pytest.approx([1, 0.25 * factor, 0.5 * factor], rel=1e-15)
    assert_same_place(store, (10, 0.5, 0, 40, 0, -0.25), code)


def test_without_geotransform_scale_is_the_factor(tmp_path):
    store = geo_store(tmp_path, None, None)
    assert gdaltest.transforms(store)[0] in (([1, 1, 1], None), ([1, 1, 1], [0, 0, 0]))
    assert gdaltest.transforms(store)[1] == ([1, 2, 2], [0, 0.5, 0.5])
    dataset = gdal.Open(store)
    assert dataset.GetGeoTransform(can_return_null=True) is None and dataset.GetSpatialRef() is None
    assert "unit" not in axes(store)["x"]


def test_crs_without_geotransform_is_kept(tmp_path):
    store = geo_store(tmp_path, None, "EPSG:32633")
    dataset = gdal.Open(store)
    assert dataset.GetGeoTransform(can_return_null=True) is None
    assert dataset.GetSpatialRef().IsSame(gdaltest.crs("EPSG:32633"))


@pytest.mark.parametrize("bad", [(0, 0, 0, 0, 0, -1), (0, math.nan, 0, 0, 0, -1), (0, 1, 1, 0, 1, 1), (math.inf, 1, 0, 0, 0, -1)])
def test_a_geotransform_that_says_nothing_is_never_written_as_a_scale(tmp_path, bad):
    store = geo_store(tmp_path, bad, "EPSG:32633")
    assert gdaltest.transforms(store)[0][0] == [1, 1, 1]
    found = gdal.Open(store).GetGeoTransform(can_return_null=True)
    assert found is None or found == pytest.approx(bad, nan_ok=True)


def test_origin_southing_puts_the_place_into_translation(tmp_path):
    store = geo_store(tmp_path, NORTH_UP, "EPSG:32633", "ORIGIN=SOUTHING")
    for number, (scale, translation) in enumerate(gdaltest.transforms(store)):
        f = 2**number
        assert scale == [1, 10 * f, 10 * f]
        assert translation == [0, -(5000000 - 5 * f), 500000 + 5 * f]
    assert_same_place(store, NORTH_UP, "EPSG:32633")


# -- Attributes that other readers use -----------------------------------------------------------------------------------


def level_attributes(store):
    return [gdaltest.attributes(path) for path in gdaltest.level_paths(store)]


@pytest.mark.parametrize("layout", ["OVERVIEWS", "SCALES"])
@pytest.mark.parametrize("geotransform", [NORTH_UP, SOUTH_UP, ROTATED])
def test_grouped_layouts_carry_the_conventions_on_every_array(tmp_path, geotransform, layout):
    store = geo_store(tmp_path, geotransform, "EPSG:32633", f"LAYOUT={layout}")
    x0, a, b, y0, d, e = geotransform
    for number, found in enumerate(level_attributes(store)):
        f = 2**number
        assert found["spatial:transform"] == [a * f, b * f, x0, d * f, e * f, y0]
        assert found["spatial:dimensions"] == ["y", "x"]
        assert found["spatial:shape"] == [-(-100 // f), -(-90 // f)]
        assert found["spatial:registration"] == "pixel"
        assert found["proj:code"] == "EPSG:32633"
        assert found["gdal:geotransform"] == [x0, a * f, b * f, y0, d * f, e * f]
        assert found["_CRS"]["url"] == "http://www.opengis.net/def/crs/EPSG/0/32633"
        assert {c["uuid"] for c in found["zarr_conventions"]} == {CONVENTIONS["proj"], CONVENTIONS["spatial"]}
    root = gdaltest.attributes(store)
    assert {c["uuid"] for c in root["zarr_conventions"]} == set(CONVENTIONS.values())
    assert root["proj:code"] == "EPSG:32633"
    corners = [(x0 + a * i + b * j, y0 + d * i + e * j) for i in (0, 90) for j in (0, 100)]
    xs, ys = zip(*corners)
    assert root["spatial:bbox"] == pytest.approx([min(xs), min(ys), max(xs), max(ys)], rel=1e-12)


@pytest.mark.parametrize("factors", ["2,4", "2,6", "2,5", "y:1,x:2;y:3,x:2"])
def test_scales_of_the_multiscales_convention_lead_from_place_to_place(tmp_path, factors):
    """A reader that chains them along derived_from comes to each level's own spatial:transform, at any size: level 5 is not
    made from level 2. As of GDAL 3.13 a root with spatial:registration would draw a warning."""
    store = geo_store(tmp_path, NORTH_UP, "EPSG:32633", f"SCALE_FACTORS={factors}", shape=(1, 99, 101))
    root = gdaltest.attributes(store)
    layout = root["multiscales"]["layout"]
    paths = [d["path"] for d in gdaltest.ome(store)["multiscales"][0]["datasets"]]
    assert [entry["asset"] for entry in layout] == [path.split("/")[0] for path in paths]
    assert "spatial:registration" not in root
    found = {}
    for entry, path in zip(layout, gdaltest.level_paths(store)):
        assert entry["spatial:shape"] == gdaltest.array_json(path)["shape"]
        assert "translation" not in entry["transform"] # corners, and one origin
        y, x = entry["transform"]["scale"]
        before = found.get(entry.get("derived_from"), (10, -10))
        found[entry["asset"]] = before[0] * x, before[1] * y
        assert entry["spatial:transform"] == [before[0] * x, 0, 500000, 0, before[1] * y, 5000000]
    assert ("derived_from" in layout[2]) and (layout[2]["derived_from"] == "scale0") == (factors == "2,5")


def test_default_layout_has_the_paths_that_gdal_takes_for_overviews(tmp_path):
    store = geo_store(tmp_path, NORTH_UP, "EPSG:32633")
    assert [d["path"] for d in gdaltest.ome(store)["multiscales"][0]["datasets"]] == ["scale0/image", "ovr_2x/image", "ovr_4x/image"]
    store = gdaltest.write(tmp_path / "b", gdaltest.mem(gdaltest.smooth_array((1, 60, 90), "uint8")), "SCALE_FACTORS=y:1,x:2;y:2,x:6")
    assert [d["path"] for d in gdaltest.ome(store)["multiscales"][0]["datasets"]] == ["scale0/image", "ovr_1_1x2/image", "ovr_2_2x6/image"]


def test_scales_and_flat_have_their_paths(tmp_path):
    for layout, paths in (("SCALES", ["scale0/image", "scale1/image", "scale2/image"]), ("FLAT", ["0", "1", "2"])):
        source = gdaltest.mem(gdaltest.smooth_array((1, 100, 90), "uint8"))
        store = gdaltest.write(tmp_path / layout, source, "BLOCKSIZE=32", f"LAYOUT={layout}")
        assert [d["path"] for d in gdaltest.ome(store)["multiscales"][0]["datasets"]] == paths


def all_keys(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from all_keys(inner)
    if isinstance(value, list):
        for inner in value:
            yield from all_keys(inner)


def test_flat_layout_never_has_spatial_attributes_because_gdal_313_crashes_on_them(tmp_path):
    store = geo_store(tmp_path, NORTH_UP, "EPSG:32633", "LAYOUT=FLAT")
    for name in gdaltest.files_of(store):
        if name.endswith("zarr.json"):
            assert not [key for key in all_keys(gdaltest.read_json(f"{store}/{name}")) if key.startswith("spatial:")], name
    for number, found in enumerate(level_attributes(store)):
        assert found["_CRS"]["url"].endswith("/32633")
        assert found["gdal:geotransform"] == [500000, 10 * 2**number, 0, 5000000, 0, -10 * 2**number]


def test_v2_has_no_multiscales_convention(tmp_path):
    store = geo_store(tmp_path, NORTH_UP, "EPSG:32633", "NGFF_VERSION=0.4")
    assert isinstance(gdaltest.attributes(store)["multiscales"], list)
    for found in level_attributes(store):
        assert found["_CRS"]["url"].endswith("/32633") and len(found["gdal:geotransform"]) == 6
        assert found["_ARRAY_DIMENSIONS"] == ["c", "y", "x"]


@pytest.mark.parametrize("layout", ["OVERVIEWS", "SCALES", "FLAT"])
@pytest.mark.parametrize("geotransform", [NORTH_UP, SOUTH_UP])
def test_coordinate_arrays_hold_the_centres(tmp_path, geotransform, layout):
    zarr = pytest.importorskip("zarr")
    store = geo_store(tmp_path, geotransform, "EPSG:32633", f"LAYOUT={layout}")
    for number, path in enumerate(gdaltest.level_paths(store)[:1] if layout == "FLAT" else gdaltest.level_paths(store)):
        folder, f = os.path.dirname(path), 2**number
        for axis, n, origin, step in (("y", -(-100 // f), geotransform[3], geotransform[5] * f), ("x", -(-90 // f), geotransform[0], geotransform[1] * f)):
            array = zarr.open_array(f"{folder}/{axis}", mode="r")
            np.testing.assert_allclose(array[...], origin + step * (np.arange(n) + 0.5), rtol=1e-15)
            assert array.attrs["standard_name"] == f"projection_{axis}_coordinate"


def test_rotated_rasters_have_no_coordinate_arrays(tmp_path):
    store = geo_store(tmp_path, ROTATED, "EPSG:32633")
    assert not [name for name in gdaltest.files_of(store) if os.path.dirname(name).endswith(("/x", "/y"))]


def test_geographic_coordinates_have_their_standard_names(tmp_path):
    pytest.importorskip("zarr")
    store = geo_store(tmp_path, (10, 0.5, 0, 40, 0, -0.25), "EPSG:4326")
    folder = os.path.dirname(gdaltest.level_paths(store)[0])
    assert gdaltest.attributes(folder + "/y")["standard_name"] == "latitude"
    assert gdaltest.attributes(folder + "/x")["standard_name"] == "longitude"


# -- Other CRSs, GCPs, RPC -----------------------------------------------------------------------------------------------

CUSTOM = ('PROJCRS["mine",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]]],'
          'CONVERSION["mine",METHOD["Transverse Mercator",ID["EPSG",9807]],PARAMETER["Latitude of natural origin",1,ANGLEUNIT["degree",0.0174532925199433]],'
          'PARAMETER["Longitude of natural origin",17,ANGLEUNIT["degree",0.0174532925199433]],PARAMETER["Scale factor at natural origin",0.9996,SCALEUNIT["unity",1]],'
          'PARAMETER["False easting",500000,LENGTHUNIT["metre",1]],PARAMETER["False northing",0,LENGTHUNIT["metre",1]]],'
          'CS[Cartesian,2],AXIS["(E)",east,ORDER[1]],AXIS["(N)",north,ORDER[2]],LENGTHUNIT["metre",1]]')


@pytest.mark.parametrize("code", [CUSTOM, "EPSG:4326+5773", "EPSG:3035", "ESRI:54009", "OGC:CRS84", "EPSG:4979", "EPSG:2193"])
@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_any_crs_is_kept(tmp_path, code, version):
    store = geo_store(tmp_path, NORTH_UP, code, f"NGFF_VERSION={version}")
    found = gdal.Open(store).GetSpatialRef()
    assert found.IsSame(gdaltest.crs(code), ["CRITERION=EQUIVALENT"])
    if code == CUSTOM:
        assert "proj:code" not in level_attributes(store)[0]
        assert version == "0.4" or "proj:wkt2" in level_attributes(store)[0] or "proj:projjson" in level_attributes(store)[0]


def test_an_engineering_crs_is_kept(tmp_path):
    local = osr.SpatialReference()
    local.ImportFromWkt('LOCAL_CS["bench",UNIT["metre",1]]')
    source = gdaltest.mem(gdaltest.smooth_array((1, 20, 20), "uint8"), NORTH_UP)
    source.SetSpatialRef(local)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source)
    assert gdal.Open(store).GetSpatialRef().IsLocal()


def test_axis_mapping_and_coordinate_epoch_are_kept(tmp_path):
    reference = gdaltest.crs("EPSG:9000")  # ITRF2014
    reference.SetCoordinateEpoch(2021.3)
    source = gdaltest.mem(gdaltest.smooth_array((1, 20, 20), "uint8"), (10, 0.5, 0, 40, 0, -0.25))
    source.SetSpatialRef(reference)
    found = gdal.Open(gdaltest.write(tmp_path / "a.ome.zarr", source)).GetSpatialRef()
    assert found.GetCoordinateEpoch() == 2021.3
    assert found.GetDataAxisToSRSAxisMapping() == reference.GetDataAxisToSRSAxisMapping()


def test_gcps_are_kept_and_give_no_geotransform(tmp_path):
    source = gdaltest.mem(gdaltest.smooth_array((1, 50, 40), "uint8"))
    points = [gdal.GCP(15.1, 45.2, 3.5, 0.5, 0.25, "a", "first"), gdal.GCP(15.9, 45.3, 0, 40, 0, "b", "2"), gdal.GCP(15.2, 44.1, 0, 0, 50, "c", "3")]
    source.SetGCPs(points, gdaltest.crs("EPSG:4326"))
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=16")
    dataset = gdal.Open(store)
    assert dataset.GetGCPCount() == 3
    for got, want in zip(dataset.GetGCPs(), points):
        assert (got.GCPX, got.GCPY, got.GCPZ, got.GCPPixel, got.GCPLine, got.Id, got.Info) == \
               (want.GCPX, want.GCPY, want.GCPZ, want.GCPPixel, want.GCPLine, want.Id, want.Info)
    assert dataset.GetGCPSpatialRef().IsSame(gdaltest.crs("EPSG:4326"))
    assert dataset.GetGeoTransform(can_return_null=True) is None
    assert gdaltest.transforms(store)[1] == ([2, 2], [0.5, 0.5])


RPC = {"LINE_OFF": "5", "SAMP_OFF": "6", "LAT_OFF": "7", "LONG_OFF": "8", "HEIGHT_OFF": "9", "LINE_SCALE": "1.5",
       "SAMP_SCALE": "2.5", "LAT_SCALE": "3.5", "LONG_SCALE": "4.5", "HEIGHT_SCALE": "5.5",
       **{name: " ".join(str(i / 7) for i in range(20)) for name in ("LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF")}}


@pytest.mark.parametrize("options", [[], ["COPY_SRC_MDD=NO"]])
def test_rpc_is_kept(tmp_path, options):
    source = gdaltest.mem(gdaltest.smooth_array((1, 50, 40), "uint8"))
    source.SetMetadata(RPC, "RPC")
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, *options)
    assert gdal.Open(store).GetMetadata("RPC") == RPC


def test_area_or_point_is_kept(tmp_path):
    for value in ("Point", "Area"):
        source = gdaltest.mem(gdaltest.smooth_array((1, 20, 20), "uint8"), NORTH_UP, "EPSG:32633")
        source.SetMetadataItem("AREA_OR_POINT", value)
        store = gdaltest.write(tmp_path / value, source)
        assert gdal.Open(store).GetMetadataItem("AREA_OR_POINT") == value
        assert gdal.Open(store).GetGeoTransform() == NORTH_UP
