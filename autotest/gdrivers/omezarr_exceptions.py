"""No exception leaves the plugin: its callers are C, Python or a thread of GDAL's block cache, and one that escapes ends
the process. Each allocation of the plugin fails in turn, in everything that GDAL can ask it for."""

import os
import shutil
import subprocess
import sys
import textwrap

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

PROBE = """
import ctypes, os, shutil, sys
from osgeo import gdal, osr
gdal.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")
gdal.SetConfigOption("GDAL_NUM_THREADS", "1")
faults = ctypes.CDLL(os.environ["LD_PRELOAD"])
faults.new_fault_count.restype = ctypes.c_long
faults.new_fault_set.argtypes = [ctypes.c_long]
driver = gdal.GetDriverByName("OMEZARR")
place = sys.argv[1]
source = gdal.Open(place + "/source.tif")
def once():
%s
def attempt(n):
    for name in os.listdir(place):
        if name.startswith("out") or name.startswith(".out"):
            shutil.rmtree(place + "/" + name, ignore_errors=True)
    faults.new_fault_set(n)
    try:
        once()
    except RuntimeError:
        pass
    faults.new_fault_set(0)
    return faults.new_fault_count()
faults.new_fault_set(1 << 40)
once()
most = faults.new_fault_count()
faults.new_fault_set(0)
step = max(1, most // 80)
n = 0
for n in range(1, most + 1, step):
    print(n, flush=True)
    attempt(n)
print("done", most)
"""

OPERATIONS = {
    "open and describe": """
        dataset = gdal.Open(place + "/a.ome.zarr")
        for thing in (dataset, dataset.GetRasterBand(1)):
            for domain in thing.GetMetadataDomainList() or []:
                thing.GetMetadata(domain)
        band = dataset.GetRasterBand(1)
        band.GetDefaultRAT(), band.GetColorTable(), band.GetCategoryNames(), band.GetNoDataValue()
        dataset.GetSpatialRef(), dataset.GetGCPs(), dataset.GetFileList(), dataset.GetGeoTransform()""",
    "open of others' and parts": """
        gdal.Open(place + "/b.zarr")
        gdal.OpenEx(place + "/b.zarr", open_options=["Z=1-2", "NUM_THREADS=2"])
        gdal.Open('OMEZARR:"' + place + '/b.zarr":0:Z=1')""",
    "read": """
        dataset = gdal.Open(place + "/a.ome.zarr")
        dataset.ReadRaster(), dataset.ReadRaster(buf_type=gdal.GDT_Float32), dataset.ReadRaster(0, 0, 40, 30, 7, 5)
        band = dataset.GetRasterBand(1)
        band.ReadRaster(), band.ReadBlock(0, 0), band.GetOverview(0).ReadRaster(), band.GetMaskBand().ReadRaster()
        band.Checksum()""",
    "side file": """
        dataset = gdal.Open(place + "/a.ome.zarr")
        dataset.SetMetadataItem("a", os.urandom(4).hex()), dataset.GetRasterBand(1).SetDescription(os.urandom(4).hex())
        dataset.GetRasterBand(1).SetScale(2)
        dataset = None""",
    "copy": """
        driver.CreateCopy(place + "/out.ome.zarr", source, 0, ["BLOCKSIZE=16", "VERIFY=SOURCE", "NUM_THREADS=2"])""",
    "plan": """
        driver.CreateCopy(place + "/out.ome.zarr", source, 0, ["DRY_RUN=YES"])""",
    "create": """
        dataset = driver.Create(place + "/out.ome.zarr", 40, 30, 2, gdal.GDT_Byte, ["BLOCKSIZE=16"])
        dataset.SetGeoTransform((1, 2, 0, 3, 0, -4))
        srs = osr.SpatialReference()
        srs.ImportFromEPSG(32633)
        dataset.SetSpatialRef(srs)
        dataset.SetGCPs([gdal.GCP(1, 2, 0, 3, 4)] * 3, "")
        band = dataset.GetRasterBand(1)
        band.SetNoDataValue(3), band.SetUnitType("m" * 100), band.SetCategoryNames(["a" * 100]), band.SetDescription("b" * 100)
        band.SetDefaultHistogram(0, 1, [1, 2])
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        dataset.WriteRaster(0, 0, 40, 30, bytes(2400))
        band.GetMaskBand().WriteRaster(0, 0, 40, 30, bytes(1200))
        dataset.BuildOverviews("NEAREST", [2])
        dataset = None""",
    "update": """
        shutil.copytree(place + "/a.ome.zarr", place + "/out.ome.zarr", dirs_exist_ok=True)
        dataset = gdal.Open(place + "/out.ome.zarr", gdal.GA_Update)
        dataset.GetRasterBand(1).WriteRaster(3, 3, 2, 2, bytes(8))
        dataset.SetMetadataItem("a", "b")
        dataset = None""",
    "files": """
        driver.CopyFiles(place + "/out1.ome.zarr", place + "/a.ome.zarr")
        driver.Rename(place + "/out2.ome.zarr", place + "/out1.ome.zarr")
        driver.Delete(place + "/out2.ome.zarr")
        gdal.IdentifyDriver(place + "/a.ome.zarr")""",
}


@pytest.fixture(scope="module")
def preload(tmp_path_factory):
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C++ compiler")
    library = str(tmp_path_factory.mktemp("newfault") / "newfault.so")
    source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cpp", "newfault.cpp")
    subprocess.run([compiler, "-std=c++17", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", source, "-o", library, "-ldl"], check=True)
    return library


def make_places(place):
    source = gdaltest.mem(np.arange(2 * 30 * 40, dtype="uint16").reshape(2, 30, 40), (1, 2, 0, 3, 0, -4), "EPSG:32633", nodata=3)
    source.SetMetadata({"a": "b", "long": "c" * 100}), source.SetMetadata({"d": "e"}, "DOMAIN")
    rat = gdal.RasterAttributeTable()
    rat.CreateColumn("v" * 50, gdal.GFT_String, gdal.GFU_Generic)
    rat.SetRowCount(1)
    rat.SetValueAsString(0, 0, "x" * 50)
    band = source.GetRasterBand(1)
    band.SetDefaultRAT(rat), band.SetCategoryNames(["a", "b"]), band.SetDescription("first" * 10)
    gdaltest.write(f"{place}/a.ome.zarr", source, "BLOCKSIZE=16")
    gdal.GetDriverByName("GTiff").CreateCopy(f"{place}/source.tif", source, options=["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"])
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(f"{place}/b.zarr", mode="w", zarr_format=3)
    group.create_array("0", data=np.zeros((4, 8, 8), "uint8"), chunks=(1, 8, 8))
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{
        "axes": [{"name": "z", "type": "space", "unit": "micrometer"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}]}],
        "omero": {"channels": [{"label": "x" * 40, "color": "FF0000", "window": {"start": 0, "end": 1, "min": 0, "max": 1}}]},
        "image-label": {"colors": [{"label-value": 1, "rgba": [1, 2, 3, 4]}]}}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_exception_leaves_the_plugin_when_memory_is_out(tmp_path, preload, operation):
    make_places(tmp_path)
    code = PROBE % textwrap.indent(textwrap.dedent(OPERATIONS[operation]).strip(), "    ")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=600,
                          env={**os.environ, "LD_PRELOAD": preload})
    assert done.returncode == 0, f"at allocation {done.stdout.split()[-1:]}: {done.stderr[-2000:]}"
    assert int(done.stdout.split()[-1]) > 10, "the plugin was not asked for anything"
    dataset = gdal.Open(f"{tmp_path}/a.ome.zarr")
    np.testing.assert_array_equal(gdaltest.pixels(dataset), np.arange(2 * 30 * 40, dtype="uint16").reshape(2, 30, 40))
