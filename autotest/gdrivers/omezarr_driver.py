"""The driver among GDAL's others: identification, names, /vsimem/, delete, rename and copy, gdal_translate and its exit
codes, GDALCreateCopy() from C, and the checks that GDAL's own autotest makes of a CreateCopy."""

import contextlib
import os
import re
import shutil
import subprocess
import sys

import faults
import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal, osr

PICTURE = "data/rocky_mountain.tif"


def source(bands=3, dtype="uint8", shape=(100, 90)):
    return gdaltest.mem(gdaltest.smooth_array((bands,) + shape, dtype), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")


# -- CreateCopy as GDAL's autotest looks at it -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["disk", "vsimem"])
@pytest.mark.parametrize("bands,dtype", [(1, "uint8"), (3, "uint8"), (2, "int16"), (1, "float32"), (5, "uint16")])
def test_the_returned_dataset_reads_before_it_is_closed(tmp_path, tmp_vsimem, where, bands, dtype):
    picture = source(bands, dtype)
    path = f"{tmp_path if where == 'disk' else tmp_vsimem}/a.ome.zarr"
    dataset = gdaltest.create_copy(path, picture, "BLOCKSIZE=32")
    assert dataset.GetDriver().ShortName == "OMEZARR"
    for copy in (dataset, gdal.Open(path)):
        assert (copy.RasterXSize, copy.RasterYSize, copy.RasterCount) == (90, 100, bands)
        for number in range(1, bands + 1):
            got, want = copy.GetRasterBand(number), picture.GetRasterBand(number)
            assert got.DataType == want.DataType and got.Checksum() == want.Checksum()
            assert got.ComputeRasterMinMax() == want.ComputeRasterMinMax()
            assert got.GetBlockSize() == [32, 32]
            assert [got.GetOverview(i).XSize for i in range(got.GetOverviewCount())] == [45, 23]
        assert copy.GetGeoTransform() == picture.GetGeoTransform()
        assert copy.GetSpatialRef().IsSame(picture.GetSpatialRef())
    assert dataset.GetFileList() is not None and len(dataset.GetFileList()) == 1


def test_the_shipped_picture_with_every_default(tmp_path):
    picture = gdal.Open(PICTURE)
    store = gdaltest.write(tmp_path / "a.ome.zarr", picture)
    copy = gdal.Open(store)
    for number in (1, 2, 3):
        assert copy.GetRasterBand(number).Checksum() == picture.GetRasterBand(number).Checksum()
        assert copy.GetRasterBand(number).GetNoDataValue() == 255
    assert copy.GetGeoTransform() == picture.GetGeoTransform()
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_windows_and_resampled_reads_use_the_overviews(tmp_path):
    array = gdaltest.smooth_array((2, 300, 260), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=64")
    dataset = gdal.Open(store)
    window = np.frombuffer(dataset.ReadRaster(37, 50, 120, 111), "uint8").reshape(2, 111, 120)
    np.testing.assert_array_equal(window, array[:, 50:161, 37:157])
    half = np.frombuffer(dataset.ReadRaster(0, 0, 260, 300, 130, 150), "uint8").reshape(2, 150, 130)
    np.testing.assert_array_equal(half, ngffmodel.pyramid(array, [(1, 1), (2, 2)])[1])


# -- /vsimem/ ----------------------------------------------------------------------------------------------------------------


def vsi_files(path):
    return sorted(name for name in gdal.ReadDirRecursive(path) or [] if not name.endswith("/"))


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_memory_holds_the_same_bytes_as_the_disk(tmp_path, tmp_vsimem, version):
    options = ["BLOCKSIZE=32", f"NGFF_VERSION={version}"]
    disk = gdaltest.write(tmp_path / "a.ome.zarr", source(), *options)
    memory = gdaltest.write(f"{tmp_vsimem}/a.ome.zarr", source(), *options)
    assert vsi_files(memory) == gdaltest.files_of(disk)
    for name in vsi_files(memory):
        file = gdal.VSIFOpenL(f"{memory}/{name}", "rb")
        content = gdal.VSIFReadL(1, 10**7, file) or b""
        gdal.VSIFCloseL(file)
        with open(f"{disk}/{name}", "rb") as other:
            assert bytes(content) == other.read(), name
    assert [n.rstrip("/") for n in gdal.ReadDir(tmp_vsimem) if n not in (".", "..")] == ["a.ome.zarr"]


def test_memory_is_refused_overwritten_cancelled_and_deleted_like_the_disk(tmp_vsimem):
    store = gdaltest.write(f"{tmp_vsimem}/a.ome.zarr", source(), "BLOCKSIZE=32")
    digest = [gdal.Open(store).ReadRaster(), vsi_files(store)]
    gdaltest.refused(store, source(2))
    with pytest.raises(RuntimeError, match="User terminated"):
        gdaltest.create_copy(store, source(2), "OVERWRITE=YES", callback=lambda share, message, data: share < 0.5)
    assert [gdal.Open(store).ReadRaster(), vsi_files(store)] == digest
    gdaltest.write(store, source(1), "OVERWRITE=YES")
    assert gdal.Open(store).RasterCount == 1
    gdaltest.OMEZARR.Delete(store)
    assert vsi_files(tmp_vsimem) == []


# -- Identification ----------------------------------------------------------------------------------------------------------


def test_names_that_open_a_store(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source())
    for name in (store, store + "/", f"OMEZARR:{store}", f'OMEZARR:"{store}"', store + "/zarr.json"):
        dataset = gdal.Open(name)
        assert dataset is not None and dataset.GetDriver().ShortName == "OMEZARR", name


@pytest.mark.require_driver("Zarr")
def test_plain_zarr_and_foreign_folders_are_not_ours(tmp_path):
    plain = str(tmp_path / "plain.zarr")
    gdal.GetDriverByName("Zarr").CreateCopy(plain, source(1)).FlushCache()
    assert gdal.IdentifyDriver(plain).ShortName == "Zarr"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "zarr.json").write_text("{")
    assert gdal.IdentifyDriverEx(str(tmp_path / "folder"), allowed_drivers=["OMEZARR"]) is None
    assert gdal.IdentifyDriver(PICTURE).ShortName == "GTiff"


@pytest.mark.require_driver("Zarr")
def test_gdals_own_driver_stays_in_reach(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(), "NGFF_VERSION=0.4")
    dataset = gdal.OpenEx(store, gdal.OF_RASTER, allowed_drivers=["Zarr"])
    assert dataset is not None and dataset.GetDriver().ShortName == "Zarr"
    with gdaltest.config_option("OMEZARR_IDENTIFY", "PREFIX_ONLY"):
        assert gdal.Open(store).GetDriver().ShortName == "Zarr"
        assert gdal.Open(f"OMEZARR:{store}").GetDriver().ShortName == "OMEZARR"


def test_a_zarr_output_without_of_stays_gdals(tmp_path):
    if gdal.GetDriverByName("Zarr") is None:
        pytest.skip("this GDAL has no driver Zarr")
    done = subprocess.run(["gdal_translate", "-q", PICTURE, str(tmp_path / "a.zarr")], capture_output=True, text=True)
    if done.returncode == 0:
        assert gdal.IdentifyDriver(str(tmp_path / "a.zarr")).ShortName == "Zarr"
    else:  # the Zarr driver of GDAL 3.6 and 3.10 claims no suffix
        assert re.search("Cannot guess driver|Output driver not found", done.stderr) and os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["root is empty", "root is cut", "level is missing", "level is cut", "chunk is cut", "chunk is rubbish"])
def test_a_damaged_store_is_an_error_not_a_crash(tmp_path, damage):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(), "BLOCKSIZE=32", "CONSOLIDATED=NO")
    what, how = damage.split(" is ")
    chunk = next(name for name in gdaltest.files_of(store) if "scale0/image/c/" in name)
    path = f"{store}/" + {"root": "zarr.json", "level": "scale0/image/zarr.json", "chunk": chunk}[what]
    if how == "missing":
        os.unlink(path)
    elif how == "rubbish":
        with open(path, "wb") as file:
            file.write(bytes(range(256)))
    else:
        os.truncate(path, 0 if how == "empty" else os.path.getsize(path) // 2)
    with pytest.raises(RuntimeError):
        gdal.OpenEx(store, gdal.OF_RASTER, allowed_drivers=["OMEZARR"]).ReadRaster()


# -- Delete, rename, copy --------------------------------------------------------------------------------------------------------


def test_delete_removes_a_store_and_only_a_store(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source())
    gdaltest.OMEZARR.Delete(store)
    assert os.listdir(tmp_path) == []
    store = gdaltest.write(tmp_path / "a.ome.zarr", source())
    (tmp_path / "a.ome.zarr" / "notes.txt").write_text("mine")
    before = gdaltest.snapshot(tmp_path)
    with pytest.raises(RuntimeError, match="notes.txt"):
        gdaltest.OMEZARR.Delete(store)
    assert gdaltest.snapshot(tmp_path) == before


def test_rename_and_copy(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source())
    digest = gdaltest.tree_digest(store)
    gdaltest.OMEZARR.CopyFiles(str(tmp_path / "b.ome.zarr"), store)
    gdaltest.OMEZARR.Rename(str(tmp_path / "c.ome.zarr"), store)
    assert sorted(os.listdir(tmp_path)) == ["b.ome.zarr", "c.ome.zarr"]
    assert gdaltest.tree_digest(tmp_path / "b.ome.zarr") == gdaltest.tree_digest(tmp_path / "c.ome.zarr") == digest


@pytest.mark.parametrize("version, documents", [("0.4", {".zattrs", ".zgroup", ".zmetadata"}), ("0.5", {"zarr.json"})])
def test_documents_of_the_root_are_copied_last(tmp_path, version, documents):
    """So that nothing opens that is not whole."""
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(), "BLOCKSIZE=8", f"NGFF_VERSION={version}")
    gdaltest.OMEZARR.CopyFiles(str(tmp_path / "b.ome.zarr"), store)
    times = {os.path.relpath(os.path.join(folder, name), tmp_path / "b.ome.zarr"): os.stat(os.path.join(folder, name)).st_mtime_ns
             for folder, _, names in os.walk(tmp_path / "b.ome.zarr") for name in names}
    of_others = [time for name, time in times.items() if name not in documents]
    assert len(of_others) > 400  # so that ticks of the clock lie between them
    assert min(times[name] for name in documents) >= max(of_others)


# -- Programs ------------------------------------------------------------------------------------------------------------------


def translate(*arguments):
    return subprocess.run(["gdal_translate", "-of", "OMEZARR", *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_gdal_translate_succeeds_with_status_0(tmp_path):
    done = translate("-co", "BLOCKSIZE=128", PICTURE, tmp_path / "a.ome.zarr")
    assert done.returncode == 0 and done.stderr == "" and "100 - done." in done.stdout
    assert len(gdaltest.our_levels(tmp_path / "a.ome.zarr")) == 3


@pytest.mark.parametrize("arguments", [["-co", "LEVEL=99", PICTURE], ["-co", "COMPRES=ZSTD", PICTURE], ["no_such_file.tif"]])
def test_gdal_translate_fails_with_status_1_and_one_error(tmp_path, arguments):
    done = translate(*arguments, tmp_path / "a.ome.zarr")
    assert done.returncode == 1 and done.stderr.count("ERROR") == 1, done.stderr
    assert os.listdir(tmp_path) == []


def test_gdal_translate_of_a_subwindow_bands_and_scaling(tmp_path):
    done = translate("-q", "-srcwin", "100", "50", "200", "150", "-b", "3", "-b", "1", "-ot", "UInt16", PICTURE, tmp_path / "a.ome.zarr")
    assert done.returncode == 0, done.stderr
    want = np.frombuffer(gdal.Open(PICTURE).ReadRaster(100, 50, 200, 150), "uint8").reshape(3, 150, 200)[[2, 0]]
    np.testing.assert_array_equal(gdaltest.our_levels(tmp_path / "a.ome.zarr")[0], want)


def test_gdalinfo_writes_nothing_beside_the_store(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source())
    before = gdaltest.snapshot(tmp_path)
    done = subprocess.run(["gdalinfo", "-stats", "-checksum", store], capture_output=True, text=True)
    assert done.returncode == 0 and "Checksum" in done.stdout
    assert gdaltest.snapshot(tmp_path) == before


def test_the_plan_of_the_tool_is_that_of_the_store(tmp_path):
    tool = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
    if not os.path.exists(tool):
        tool = shutil.which("omezarr")
    assert tool, "the program omezarr is not built"
    done = subprocess.run([tool, "plan", PICTURE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for word in ("scale0/image", "373", "485"):
        assert word in done.stdout
    assert subprocess.run([tool, "plan", "no_such_file.tif"], capture_output=True).returncode != 0


def test_create_copy_from_c(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    config = shutil.which("gdal-config")
    if not compiler or not config:
        pytest.skip("no C compiler or gdal-config")
    flags = [word for what in ("--cflags", "--libs") for word in
             subprocess.run([config, what], capture_output=True, text=True, check=True).stdout.split()]
    program = str(tmp_path / "createcopy")
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "../cpp/createcopy.c", "-o", program, *flags], check=True)
    done = subprocess.run([program, PICTURE, str(tmp_path / "a.ome.zarr")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "createcopy"]


@pytest.mark.skipif(int(gdal.VersionInfo()) >= 3090000, reason="from GDAL 3.9 on the driver sees who deletes")
def test_a_store_that_has_just_come_is_not_deleted(tmp_path):
    """GDAL 3.6 deletes quietly what another program has put there after it had looked and found nothing."""
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 20, 20), "uint8")))

    def delete(age):  # milliseconds
        environment = dict(os.environ, LD_PRELOAD=f"{faults.FAULTS}/liblocalfault.so", FAULT_NOW=str(os.stat(store).st_ctime_ns + age * 10**6))
        return subprocess.run(["gdalmanage", "delete", store], env=environment, capture_output=True, text=True)

    assert "just now" in delete(5).stderr and gdal.Open(store) is not None  # gdalmanage of 3.6 ends with status 0 all the same
    assert delete(20).stderr == "" and not os.path.exists(store)
    gdaltest.write(store, gdaltest.mem(gdaltest.random_array((1, 20, 20), "uint8")))
    assert gdaltest.OMEZARR.Delete(store) == 0  # its own can go at once


# Without exceptions: the bindings that raise forget errors before each call.
LAST_ERROR = """
import sys
from osgeo import gdal
store, picture, driver = sys.argv[1], gdal.Open(sys.argv[2]), gdal.GetDriverByName("OMEZARR")
heard = []
gdal.PushErrorHandler(lambda level, number, text: heard.append(text))
def last():
    return gdal.GetLastErrorType(), gdal.GetLastErrorNo(), gdal.GetLastErrorMsg()
dataset = driver.CreateCopy(store, picture, 0, ["MEMORY=1", "BLOCKSIZE=64"])
assert dataset and "MEMORY" in heard[-1] and last()[2] == heard[-1], (heard, last())
dataset = None
open(store + "/.omezarr-dirty", "w").close()
gdal.ErrorReset()
dataset = gdal.Open(store)
assert dataset and "interrupted" in heard[-1] and last()[2] == heard[-1], (heard, last())
dataset = None
driver.Delete(store)
def same(what):  # GDAL itself forgets it when it opens
    assert what is not None and last() == (gdal.CE_Warning, 77, "from before"), (what, last())
    gdal.Error(gdal.CE_Warning, 77, "from before")
    return what
dataset = driver.CreateCopy(store, picture, 0, ["BLOCKSIZE=32", "VERIFY=SOURCE"])
for flags in (gdal.OF_RASTER, gdal.OF_RASTER | gdal.OF_UPDATE):
    dataset = None
    dataset = gdal.OpenEx(store, flags)
    gdal.Error(gdal.CE_Warning, 77, "from before")
    same(dataset.ReadRaster())
    dataset.GetRasterBand(1).GetDefaultHistogram(force=False)
    dataset.GetRasterBand(1).GetDefaultRAT(), dataset.GetRasterBand(1).GetOverviewCount(), dataset.GetFileList()
    same(0)
    dataset.GetRasterBand(1).SetNoDataValue(3), dataset.SetMetadataItem("a", "b")
same(dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"x"))
dataset = None
same(0)
"""


def test_the_last_error_survives_what_ends_well(tmp_path):
    done = subprocess.run([sys.executable, "-c", LAST_ERROR, str(tmp_path / "a.ome.zarr"), os.path.abspath(PICTURE)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_error_in_an_overview_names_the_dataset(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(), "BLOCKSIZE=32")
    chunk = f"{store}/ovr_2x/image/c/0/0/0"
    with open(chunk, "wb") as file:
        file.write(b"xx")
    dataset = gdal.Open(store)
    overview = dataset.GetRasterBand(1).GetOverview(0)
    with pytest.raises(RuntimeError) as raised:
        overview.ReadRaster()
    assert str(raised.value).startswith(f"{store}: ") and "ovr_2x" in str(raised.value)


@pytest.fixture
def web(tmp_path):
    """A web server of the folder; its address."""
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"/vsicurl/http://127.0.0.1:{server.server_port}"
    gdal.VSICurlClearCache()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("version,document", [("0.5", "zarr.json"), ("0.4", ".zattrs")])
def test_a_store_on_a_web_server_opens_by_every_name(tmp_path, web, version, document):
    array = gdaltest.random_array((2, 150, 130), "uint16")
    array[:, :64, :64] = 0  # chunks that are not there
    gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, (1, 2, 0, 3, 0, -2), "EPSG:32633"), "BLOCKSIZE=64", f"NGFF_VERSION={version}")
    levels = gdaltest.our_levels(tmp_path / "a.ome.zarr")
    for name in (f"{web}/a.ome.zarr", f"{web}/a.ome.zarr/{document}", f"OMEZARR:{web}/a.ome.zarr"):
        found = gdaltest.our_levels(name)
        assert len(found) == len(levels) == 3
        for level, expected in zip(found, levels):
            np.testing.assert_array_equal(level, expected)
        np.testing.assert_array_equal(found[0], array)
        dataset = gdal.Open(name)
        assert dataset.GetGeoTransform() == (1, 2, 0, 3, 0, -2) and dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"


# -- GDAL's conventions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options,expected", [
    (["COMPRESS=BLOSC", "BLOSC_CNAME=lz4"], {"COMPRESSION": "BLOSC", "BLOSC_CNAME": "lz4", "NGFF_VERSION": "0.5"}),
    (["COMPRESS=ZLIB", "NGFF_VERSION=0.4"], {"COMPRESSION": "ZLIB", "NGFF_VERSION": "0.4"}),
    (["COMPRESS=NONE", "SHARD=64", "BLOCKSIZE=32"], {"SHARD": "1,64,64", "NGFF_VERSION": "0.5"}),
])
def test_how_a_store_is_encoded_is_seen(tmp_path, options, expected):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(), *options)
    said = gdal.Open(store).GetMetadata("IMAGE_STRUCTURE")
    assert {name: text for name, text in said.items() if name != "INTERLEAVE"} == expected
    words = {"COMPRESSION": "COMPRESS"}  # these are creation options: they make such a store again
    again = [f"{words.get(name, name)}={text}" for name, text in expected.items()] + ([] if "COMPRESSION" in expected else ["COMPRESS=NONE"])
    copy = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(store), *again, *[o for o in options if "BLOCKSIZE" in o])
    assert gdal.Open(copy).GetMetadata("IMAGE_STRUCTURE") == said


def test_what_the_driver_says_it_can_do():
    driver = gdal.GetDriverByName("OMEZARR")
    assert driver.GetMetadataItem("DMD_HELPTOPIC").endswith("/driver.md")
    assert driver.GetMetadataItem("DCAP_COORDINATE_EPOCH") == "YES"
    if gdaltest.AT_LEAST(3, 11):
        assert driver.GetMetadataItem("DCAP_UPDATE") == "YES"
        assert "RasterValues" in driver.GetMetadataItem("DMD_UPDATE_ITEMS").split()


def test_what_the_driver_says_it_can_change_is_changed(tmp_path):
    """GeoTransform, SRS, GCPs, NoData, ColorInterpretation, RasterValues, DatasetMetadata, BandMetadata (DMD_UPDATE_ITEMS)."""
    store = gdaltest.write(tmp_path / "a.ome.zarr", source(bands=1))
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32631)
    dataset = gdal.OpenEx(store, gdal.OF_RASTER | gdal.OF_UPDATE)
    band = dataset.GetRasterBand(1)
    dataset.SetGeoTransform((1, 2, 0, 3, 0, -4))
    dataset.SetSpatialRef(crs)
    dataset.SetMetadataItem("a", "b")
    band.SetNoDataValue(7)
    band.SetColorInterpretation(gdal.GCI_GreenBand)
    band.SetMetadataItem("c", "d")
    band.WriteRaster(0, 0, 2, 1, bytes([200, 201]))
    assert dataset.FlushCache() in (None, 0)
    dataset = band = None
    dataset = gdal.Open(store)
    band = dataset.GetRasterBand(1)
    assert dataset.GetGeoTransform() == (1, 2, 0, 3, 0, -4) and dataset.GetSpatialRef().IsSame(crs)
    assert (dataset.GetMetadataItem("a"), band.GetMetadataItem("c"), band.GetNoDataValue()) == ("b", "d", 7)
    assert band.GetColorInterpretation() == gdal.GCI_GreenBand and band.ReadRaster(0, 0, 2, 1) == bytes([200, 201])
    assert not os.path.exists(store + ".aux.xml")
    dataset = gdal.OpenEx(store, gdal.OF_RASTER | gdal.OF_UPDATE)
    dataset.SetGCPs([gdal.GCP(1, 2, 0, 3, 4), gdal.GCP(5, 6, 0, 7, 8)], crs)
    dataset = None
    assert [(p.GCPX, p.GCPY, p.GCPPixel) for p in gdal.Open(store).GetGCPs()] == [(1, 2, 3), (5, 6, 7)]


def test_debug_messages_say_what_was_chosen(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source())
    environment = dict(os.environ, CPL_DEBUG="OMEZARR", GDAL_NUM_THREADS="2")
    said = subprocess.run(["gdalinfo", store], env=environment, capture_output=True, text=True, check=True).stderr
    assert f"OMEZARR: {store}: NGFF 0.5, cyx, 1 levels, 3 bands; 2 threads" in said
    plain = tmp_path / "plain"
    plain.mkdir()
    said = subprocess.run(["gdalinfo", plain], env=environment, capture_output=True, text=True).stderr
    assert f"OMEZARR: {plain}: a folder without metadata of NGFF" in said
