"""`.ozx`: an OME-Zarr in one file, a zip whose entries are stored as they are (RFC-9). Written by ngff-zarr and by Python's
zipfile and opened by us; written by us and opened by zipfile, unzip, zarr-python, ngff-zarr and tensorstore. Over an old file
the promises are those of folders."""

import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile

import faults
import gdaltest
import numpy as np
import pytest
import s3proxy
from osgeo import gdal

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
TOOL = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
COMMENT = {"ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": True}}}}
ARRAY = gdaltest.smooth_array((3, 130, 170), "uint16")
# Before GDAL 3.9 the driver cannot see who asks for a deletion, and says to those who may delete that such a file is nobody's.
SEES_WHO_DELETES = gdaltest.AT_LEAST(3, 9)


def picture(array=ARRAY, **kwargs):
    return gdaltest.mem(array, GT, "EPSG:32633", **kwargs)


def source_file(folder, shape=(3, 130, 170), seed=1, code="EPSG:32633"):
    path = str(folder / f"source{seed}.tif")
    gdaltest.mem(gdaltest.random_array(shape, "uint16", seed), GT, code, driver="GTiff", path=path,
                 options=["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256"])
    return path


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def translate(source, path, *options):
    arguments = [item for option in options for item in ("-co", option)]
    return subprocess.run(["gdal_translate", "-q", "-of", "OMEZARR", *arguments, str(source), str(path)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)


def entries(path):
    with zipfile.ZipFile(path) as file:
        return {entry.filename: file.read(entry) for entry in file.infolist()}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def pack(folder, path, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name in gdaltest.files_of(folder):
            file.write(os.path.join(folder, name), name)
    return str(path)


def said(action):
    """What is told where an action fails, with or without an exception."""
    with gdaltest.collected_messages() as messages:
        try:
            assert not action()
        except RuntimeError as error:
            messages.append((gdal.CE_Failure, str(error)))
    return "\n".join(messages.errors())


# -- Opening what others wrote ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"chunks_per_shard": 2}])
def test_an_archive_of_ngff_zarr_opens(tmp_path, options):
    nz = pytest.importorskip("ngff_zarr")
    zarr = pytest.importorskip("zarr")
    path = str(tmp_path / "a.ozx")
    image = nz.to_ngff_image(ARRAY[0], dims=["y", "x"], scale={"y": 2.0, "x": 3.0}, translation={"y": 1.0, "x": 5.0})
    nz.to_ngff_zarr(path, nz.to_multiscales(image, scale_factors=[2, 4], chunks=64), version="0.5", **options)
    levels = gdaltest.our_levels(path)
    np.testing.assert_array_equal(levels[0][0], ARRAY[0])
    group = zarr.open_group(zarr.storage.ZipStore(path, mode="r"), mode="r")
    datasets = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert len(levels) == len(datasets) == 3
    for level, entry in zip(levels, datasets):
        np.testing.assert_array_equal(level[0], group[entry["path"]][...])
    dataset = gdal.Open(path)
    assert dataset.GetGeoTransform() == (5 - 1.5, 3, 0, 1 - 1, 0, 2) and dataset.GetProjection() == ""
    assert dataset.GetDescription() == path and dataset.GetFileList() == [path]
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open("/vsizip/{" + path + "}")), ARRAY[:1])
    assert tool("verify", path).returncode == 0 and tool("validate", path).returncode == 0


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A folder that zarr-python wrote: t, c, z, y, x, two levels and a label."""
    zarr = pytest.importorskip("zarr")
    root = str(tmp_path_factory.mktemp("foreign") / "a.zarr")
    group = zarr.open_group(root, mode="w", zarr_format=3)

    def image(node, array, name):
        axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
        levels = [{"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [1, 2**n, 2**n]}]} for n in range(2)]
        for n in range(2):
            node.create_array(str(n), data=array[:, :: 2**n, :: 2**n], chunks=(1, 32, 32))
        node.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": name, "axes": axes, "datasets": levels}]}

    image(group, ARRAY, "a")
    group.create_group("labels").attrs["ome"] = {"version": "0.5", "labels": ["cells"]}
    image(group.create_group("labels/cells"), (ARRAY > 100).astype("uint8"), "cells")
    return root


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["a.ozx", "A B.OZX", "ä.ozx", "a.zip.ozx"])
def test_a_zip_of_any_name_opens_with_its_subdatasets(foreign, tmp_path, compression, name):
    path = pack(foreign, tmp_path / name, compression)
    for level, array in zip(gdaltest.our_levels(path), (ARRAY, ARRAY[:, ::2, ::2])):
        np.testing.assert_array_equal(level, array)
    names = [subdataset for subdataset, _ in gdal.Open(path).GetSubDatasets()]
    assert names == [f'OMEZARR:"{path}":#0', f'OMEZARR:"{path}":labels/cells']
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(names[1])), ARRAY > 100)
    for other in ("OMEZARR:" + path, f'OMEZARR:"{path}"', f'OMEZARR:"{path}":0'):
        dataset = gdal.Open(other)
        assert dataset.GetDescription() == other and dataset.GetFileList() == [path]
        np.testing.assert_array_equal(gdaltest.pixels(dataset), ARRAY)
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f'OMEZARR:"{path}":1')), ARRAY[:, ::2, ::2])


def test_statistics_are_kept_beside_the_file(foreign, tmp_path):
    path = pack(foreign, tmp_path / "a.ozx")
    before = digest(path)
    gdaltest.open_band(path).ComputeStatistics(False)
    assert sorted(os.listdir(tmp_path)) == ["a.ozx", "a.ozx.aux.xml"] and digest(path) == before
    assert gdal.Open(path).GetFileList() == [path, path + ".aux.xml"]
    assert float(gdaltest.open_band(path).GetMetadataItem("STATISTICS_MAXIMUM")) == ARRAY[0].max()


def test_who_is_asked_says_whose_file_it_is(foreign, tmp_path):
    path = pack(foreign, tmp_path / "a.ozx")
    driver = gdal.IdentifyDriver(path)
    assert driver.ShortName == "OMEZARR" if SEES_WHO_DELETES else driver is None
    assert gdal.OpenEx(path).GetDriver().ShortName == "OMEZARR"
    shutil.copy(path, tmp_path / "a.bin")
    assert said(lambda: gdal.Open(str(tmp_path / "a.bin")))
    with gdaltest.config_option("OMEZARR_IDENTIFY", "PREFIX_ONLY"):
        assert said(lambda: gdal.Open(path))
        assert gdal.Open("OMEZARR:" + path).RasterCount == 3


@pytest.mark.parametrize("content", ["zip", "empty zip", "text", "nothing"])
def test_a_file_that_holds_no_ome_zarr_is_an_error_and_stays(tmp_path, content):
    path = str(tmp_path / "a.ozx")
    if content.endswith("zip"):
        with zipfile.ZipFile(path, "w") as file:
            if content == "zip":
                file.writestr("letter.txt", "dear all")
    else:
        with open(path, "w") as file:
            file.write("dear all" if content == "text" else "")
    before = digest(path)
    assert "a.ozx" in said(lambda: gdal.Open(path)) and "a.ozx" in said(lambda: gdal.Open("OMEZARR:" + path))
    assert tool("verify", path).returncode == 3 and tool("validate", path).returncode == 3
    for option in ("OVERWRITE=NO", "OVERWRITE=YES"):
        assert "a.ozx" in gdaltest.refused(path, picture(), option)
        assert said(lambda: gdaltest.OMEZARR.Create(path, 9, 9, 1, gdal.GDT_Byte, [option]))
    assert "a.ozx" in said(lambda: gdaltest.OMEZARR.Delete(path) == gdal.CE_None)
    assert said(lambda: gdaltest.OMEZARR.Rename(str(tmp_path / "b.ozx"), path) == gdal.CE_None)
    assert said(lambda: gdaltest.OMEZARR.CopyFiles(str(tmp_path / "b.ozx"), path) == gdal.CE_None)
    assert os.listdir(tmp_path) == ["a.ozx"] and digest(path) == before


class Ranges(http.server.SimpleHTTPRequestHandler):
    """A web server that gives parts of files, and counts what it is asked for."""

    asked = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        try:
            with open(self.translate_path(self.path), "rb") as file:
                body = file.read()
        except OSError:
            return self.send_error(404)
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(part[1]), min(int(part[2] or len(body)), len(body) - 1)) if part else (0, len(body) - 1)
        self.asked.append((self.command, first, last))
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[first : last + 1])

    do_HEAD = do_GET


@pytest.fixture
def web(tmp_path):
    (tmp_path / "web").mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a, **k: Ranges(*a, directory=str(tmp_path / "web"), **k))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Ranges.asked = []
    gdal.VSICurlClearCache()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    yield tmp_path / "web", f"/vsicurl/http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_an_archive_opens_from_a_web_server_which_reads_its_directory_once(foreign, web):
    folder, url = web
    pack(foreign, folder / "a.ozx")
    dataset = gdal.Open(url + "/a.ozx")
    np.testing.assert_array_equal(gdaltest.pixels(dataset), ARRAY)
    with zipfile.ZipFile(folder / "a.ozx") as file:
        n_chunks = sum(entry.filename.startswith("0/c") for entry in file.infolist())
    assert n_chunks == 3 * 5 * 6 and len(Ranges.asked) < n_chunks  # GDAL's cache of 16 KiB blocks serves neighbours together
    assert dataset.GetFileList() == [url + "/a.ozx"]
    assert gdal.Open(f'OMEZARR:"{url}/a.ozx":labels/cells').RasterCount == 3
    assert said(lambda: gdal.Open(url + "/none.ozx"))
    assert "/a.ozx" in gdaltest.refused(url + "/a.ozx", picture(), "OVERWRITE=YES")


def test_an_archive_opens_from_an_object_store_and_is_not_written_there(foreign, tmp_path):
    pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    server = s3proxy.Moto()
    options = dict(server.options(), GDAL_HTTP_RETRY_DELAY="0.01")
    for name, value in options.items():
        gdal.SetConfigOption(name, value)
    try:
        gdal.VSICurlClearCache()
        path = server.root + "/a.ozx"
        assert ".ozx" in gdaltest.refused(path, picture()) and server.sizes("a.ozx") == {}
        gdal.FileFromMemBuffer("/vsimem/ozx", open(pack(foreign, tmp_path / "a.ozx"), "rb").read())
        assert gdal.CopyFile("/vsimem/ozx", path) == 0 if hasattr(gdal, "CopyFile") else copy_vsi("/vsimem/ozx", path)
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(path)), ARRAY)
        assert ".ozx" in gdaltest.refused(path, picture(), "OVERWRITE=YES")
        assert server.sizes("a.ozx")[""] == os.path.getsize(tmp_path / "a.ozx")
    finally:
        gdal.Unlink("/vsimem/ozx")
        for name in options:
            gdal.SetConfigOption(name, None)
        server.close()


def copy_vsi(source, target):
    body = gdal.VSIFOpenL(source, "rb")
    size = gdal.VSIStatL(source).size
    to = gdal.VSIFOpenL(target, "wb")
    gdal.VSIFWriteL(bytes(gdal.VSIFReadL(1, size, body)), 1, size, to)
    gdal.VSIFCloseL(body)
    return gdal.VSIFCloseL(to) == 0


# -- What is written -------------------------------------------------------------------------------------------------

WRITTEN = {
    "plain": ([], ARRAY),
    "sharded": (["BLOCKSIZE=32", "SHARD=64"], ARRAY),
    "flat": (["LAYOUT=FLAT", "BLOCKSIZE=64"], ARRAY),
    "scales": (["LAYOUT=SCALES", "BLOCKSIZE=64", "CONSOLIDATED=NO"], ARRAY),
    "many": (["BLOCKSIZE=16", "SHARD=NONE"], gdaltest.random_array((2, 300, 400), "uint8")),
    "sparse": (["BLOCKSIZE=32"], np.where(np.arange(170) < 64, 0, ARRAY).astype("uint16")),
    "stack": (["AXES=t:3", "BLOCKSIZE=64"], ARRAY),
    "large chunks": (["BLOCKSIZE=2048", "COMPRESS=NONE"], gdaltest.random_array((1, 2100, 2200), "uint32")),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_file_is_what_rfc_9_wants_and_holds_the_objects_of_the_folder(tmp_path, kind):
    options, array = WRITTEN[kind]
    path = gdaltest.write(tmp_path / "a.ozx", picture(array), *options)
    folder = gdaltest.write(tmp_path / "a.ome.zarr", picture(array), *options)
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "a.ozx"]
    with zipfile.ZipFile(path) as file:
        assert json.loads(file.comment) == COMMENT and file.testzip() is None
        names = [entry.filename for entry in file.infolist()]
        assert all(entry.compress_type == zipfile.ZIP_STORED and not entry.is_dir() for entry in file.infolist())
        offsets = [entry.header_offset for entry in file.infolist()]
    documents = [name for name in names if name.endswith("zarr.json")]
    assert names[0] == "zarr.json" and names[: len(documents)] == documents and offsets == sorted(offsets)
    assert [name.count("/") for name in documents] == sorted(name.count("/") for name in documents)
    assert names[len(documents) :] == sorted(names[len(documents) :]) and len(set(names)) == len(names)
    assert entries(path) == {name: body for name, body in gdaltest.snapshot(folder).items() if body != "folder"}
    if shutil.which("unzip"):
        assert subprocess.run(["unzip", "-tq", path], stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_reader_reads_every_level(tmp_path, kind):
    zarr = pytest.importorskip("zarr")
    options, array = WRITTEN[kind]
    path = gdaltest.write(tmp_path / "a.ozx", picture(array), *options)
    levels = gdaltest.our_levels(path)
    np.testing.assert_array_equal(levels[0], array)
    group = zarr.open_group(zarr.storage.ZipStore(path, mode="r"), mode="r")
    datasets = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert len(datasets) == len(levels)
    for level, entry in zip(levels, datasets):
        np.testing.assert_array_equal(group[entry["path"]][...].reshape(level.shape), level)
    if gdaltest.have("tensorstore"):
        import tensorstore

        for level, entry in zip(levels, datasets):
            base = {"driver": "file", "path": path}
            store = {"driver": "zip", "base": base, "path": entry["path"] + "/"}
            found = tensorstore.open({"driver": "zarr3", "kvstore": store}, read=True).result().read().result()
            np.testing.assert_array_equal(np.asarray(found).reshape(level.shape), level)
    if gdaltest.have("ngff_zarr"):
        import ngff_zarr as nz

        pyramid = nz.from_ngff_zarr(path, validate=True)
        assert len(pyramid.images) == len(levels) and pyramid.images[0].scale["x"] == 10
        if kind != "sharded":  # dask asks for parts of shards: as in docs/viewers.md
            for image, level in zip(pyramid.images, levels):
                np.testing.assert_array_equal(np.asarray(image.data).reshape(level.shape), level)


def test_position_and_crs_come_back_and_it_is_valid(tmp_path):
    source = source_file(tmp_path)
    path = str(tmp_path / "a.ozx")
    assert translate(source, path, "BLOCKSIZE=64").returncode == 0
    dataset = gdal.Open(path)
    assert dataset.GetGeoTransform() == GT and dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"
    done = tool("verify", path, source)
    assert done.returncode == 0 and done.stdout == f"{path}: whole, and has the pixels of the source\n"
    assert tool("validate", "--strict", path).stdout == "valid\n"
    assert tool("plan", path).returncode == 0
    if gdaltest.have("ngff_zarr"):
        from ngff_zarr.validate import validate

        validate(json.loads(entries(path)["zarr.json"])["attributes"], version="0.5", model="image", strict=True)


def test_without_a_driver_the_name_is_enough(tmp_path):
    path = tmp_path / "a.ozx"
    done = subprocess.run(["gdal_translate", "-q", source_file(tmp_path), str(path)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "") and gdal.Open(str(path)).GetDriver().ShortName == "OMEZARR"
    assert gdaltest.OMEZARR.GetMetadataItem("DMD_EXTENSIONS") == "ozx ome.zarr"
    assert gdaltest.OMEZARR.GetMetadataItem("DMD_EXTENSION") == "ozx"


def test_blocks_written_in_any_order_give_the_same_file(tmp_path):
    expected = gdaltest.write(tmp_path / "a.ozx", picture(), "BLOCKSIZE=32")
    path = str(tmp_path / "b.ozx")
    target = gdaltest.OMEZARR.Create(path, 170, 130, 3, gdal.GDT_UInt16, ["BLOCKSIZE=32"])
    target.GetRasterBand(1).SetColorInterpretation(gdal.GCI_Undefined)  # as that of the source
    target.SetGeoTransform(GT)
    target.SetSpatialRef(gdaltest.crs("EPSG:32633"))
    for y in range(100, -1, -50):
        height = min(50, 130 - y)
        for band in (3, 1, 2):
            target.GetRasterBand(band).WriteRaster(0, y, 170, height, ARRAY[band - 1, y : y + height].tobytes())
    assert not os.path.exists(path)
    target = None
    assert digest(path) == digest(expected)


@pytest.mark.parametrize("kind", ["plain", "sharded", "many"])
def test_the_bytes_do_not_depend_on_threads_memory_or_time(tmp_path, kind):
    options, array = WRITTEN[kind]
    digests = {digest(gdaltest.write(tmp_path / f"{n}.ozx", picture(array), *options, f"NUM_THREADS={threads}", f"MEMORY={memory}"))
               for n, (threads, memory) in enumerate([(0, "1"), (1, "1GB"), (2, "1"), (8, "1GB")])}
    os.utime(tmp_path / "0.ozx", (0, 0))
    assert len(digests) == 1


def test_in_memory(tmp_path):
    path = "/vsimem/folder/a.ozx"
    gdaltest.write(path, picture(), "BLOCKSIZE=64")
    try:
        assert gdal.ReadDir("/vsimem/folder") == ["a.ozx"]
        np.testing.assert_array_equal(gdaltest.our_levels(path)[0], ARRAY)
        assert "OVERWRITE=YES" in gdaltest.refused(path, picture())
        other = ARRAY[:, :100]
        gdaltest.write(path, picture(other), "BLOCKSIZE=64", "OVERWRITE=YES")
        np.testing.assert_array_equal(gdaltest.our_levels(path)[0], other)
        gdaltest.write(tmp_path / "a.ozx", picture(other), "BLOCKSIZE=64")
        size = gdal.VSIStatL(path).size
        file = gdal.VSIFOpenL(path, "rb")
        assert bytes(gdal.VSIFReadL(1, size, file)) == open(tmp_path / "a.ozx", "rb").read()
        gdal.VSIFCloseL(file)
        assert gdaltest.OMEZARR.Delete(path) == gdal.CE_None and gdal.ReadDir("/vsimem/folder") in (None, [])
    finally:
        if gdal.VSIStatL(path) is not None:
            gdal.Unlink(path)


@pytest.mark.parametrize("option", ["VERIFY=SOURCE", "SYNC=YES", "RESUME=YES"])
def test_other_promises_hold_too(tmp_path, option):
    source = source_file(tmp_path)
    expected = gdaltest.write(tmp_path / "a.ozx", gdal.Open(source), "BLOCKSIZE=32")
    assert digest(gdaltest.write(tmp_path / "b.ozx", gdal.Open(source), "BLOCKSIZE=32", option)) == digest(expected)


def test_a_report_has_the_digests_of_the_objects(tmp_path):
    path = gdaltest.write(tmp_path / "a.ozx", picture(), "BLOCKSIZE=32", f"REPORT={tmp_path}/a.json")
    told = gdaltest.read_json(tmp_path / "a.json")
    lines = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in sorted(entries(path).items()))
    assert told["tree"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert told["counts"]["objects"] == len(entries(path))


# -- What is refused -------------------------------------------------------------------------------------------------


def test_zarr_v2_has_no_such_file(tmp_path):
    assert "0.5" in gdaltest.refused(tmp_path / "a.ozx", picture(), "NGFF_VERSION=0.4")
    assert os.listdir(tmp_path) == []


def test_it_is_not_changed_in_place(tmp_path):
    path = gdaltest.write(tmp_path / "a.ozx", picture())
    before = digest(path)
    assert "a.ozx" in said(lambda: gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE))
    assert os.listdir(tmp_path) == ["a.ozx"] and digest(path) == before


def failing(share, *_):
    return share < 0.5


def test_an_old_file_stays_bit_for_bit_unless_it_is_replaced(tmp_path):
    path = gdaltest.write(tmp_path / "a.ozx", picture())
    before = digest(path)
    other = picture(ARRAY[:, ::-1])
    assert "OVERWRITE=YES" in gdaltest.refused(path, other)
    assert gdaltest.refused(path, other, "OVERWRITE=YES", "BLOCKSIZE=-1")
    assert gdaltest.refused(path, other, "OVERWRITE=YES", "NGFF_VERSION=0.4")
    assert said(lambda: gdaltest.OMEZARR.Create(path, 9, 9, 1))
    assert said(lambda: gdaltest.create_copy(path, other, "OVERWRITE=YES", callback=failing))
    assert digest(path) == before
    source = source_file(tmp_path)
    assert translate(source, path).returncode == 1
    assert translate(source, path, "DRY_RUN=YES").returncode == 0
    assert translate(source, path, "OVERWRITE=YES", "MEMORY=none").returncode == 1
    assert translate(path, path, "OVERWRITE=YES").returncode == 1
    assert subprocess.run(["gdal_translate", "-q", source, path], capture_output=True).returncode == 1
    assert sorted(os.listdir(tmp_path)) == ["a.ozx", "source1.tif"] and digest(path) == before
    gdaltest.write(path, other, "OVERWRITE=YES")
    np.testing.assert_array_equal(gdaltest.our_levels(path)[0], ARRAY[:, ::-1])
    assert sorted(os.listdir(tmp_path)) == ["a.ozx", "source1.tif"]


def test_a_folder_of_that_name_is_left_alone(tmp_path):
    folder = str(tmp_path / "a.ozx")
    shutil.move(gdaltest.write(tmp_path / "a.ome.zarr", picture()), folder)
    before = gdaltest.tree_digest(folder)
    assert "folder" in gdaltest.refused(folder, picture(), "OVERWRITE=YES")
    assert gdaltest.tree_digest(folder) == before and os.listdir(tmp_path) == ["a.ozx"]


# -- Deleting, renaming, copying -------------------------------------------------------------------------------------


def test_a_store_in_a_folder_of_that_name_opens(tmp_path):
    """gdal_retile.py writes x.ozx.tmp, which is a folder, and gives it the name of the format."""
    zarr = pytest.importorskip("zarr")
    folder = gdaltest.write(tmp_path / "a.ozx.tmp", picture(), "BLOCKSIZE=64", "LAYOUT=SCALES")
    labels = zarr.open_group(f"{folder}/labels", mode="w", attributes={"ome": {"version": "0.5", "labels": ["cells"]}})
    cells = labels.create_group("cells", attributes={"ome": {"version": "0.5", "image-label": {}, "multiscales": [{
        "axes": [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]}]}})
    cells.create_array("0", data=np.arange(20, dtype="uint8").reshape(4, 5), dimension_names=["y", "x"])
    os.rename(folder, tmp_path / "a.ozx")
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(str(tmp_path / "a.ozx"))), ARRAY)
    found = gdaltest.pixels(gdal.Open(f'OMEZARR:"{tmp_path}/a.ozx":labels/cells'))
    np.testing.assert_array_equal(found.squeeze(), np.arange(20, dtype="uint8").reshape(4, 5))


def test_it_is_deleted_renamed_and_copied_as_one_file(tmp_path):
    path, moved, copy = (str(tmp_path / name) for name in ("a.ozx", "b.ozx", "c.ozx"))
    gdaltest.write(path, picture())
    before = digest(path)
    with open(path + ".aux.xml", "w") as file:
        file.write("<PAMDataset/>")
    assert gdaltest.OMEZARR.Rename(moved, path) == gdal.CE_None
    assert sorted(os.listdir(tmp_path)) == ["b.ozx", "b.ozx.aux.xml"] and digest(moved) == before
    assert gdaltest.OMEZARR.CopyFiles(copy, moved) == gdal.CE_None and digest(copy) == before
    assert "exists" in said(lambda: gdaltest.OMEZARR.CopyFiles(copy, moved) == gdal.CE_None)
    assert "exists" in said(lambda: gdaltest.OMEZARR.Rename(copy, moved) == gdal.CE_None)
    assert ".ozx" in said(lambda: gdaltest.OMEZARR.Rename(str(tmp_path / "b.ome.zarr"), moved) == gdal.CE_None)
    assert digest(moved) == before and digest(copy) == before
    assert gdaltest.OMEZARR.Delete(moved) == gdal.CE_None
    assert sorted(os.listdir(tmp_path)) == ["c.ozx", "c.ozx.aux.xml"]
    subprocess.run(["gdalmanage", "delete", copy], capture_output=True, stdin=subprocess.DEVNULL)
    assert sorted(os.listdir(tmp_path)) == ([] if SEES_WHO_DELETES else ["c.ozx", "c.ozx.aux.xml"])


def test_an_archive_that_holds_other_files_is_not_deleted(tmp_path):
    path = gdaltest.write(tmp_path / "a.ozx", picture())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("letter.txt", "dear all")
    before = digest(path)
    assert "letter.txt" in said(lambda: gdaltest.OMEZARR.Delete(path) == gdal.CE_None)
    assert digest(path) == before
    done = tool("verify", path)
    assert done.returncode == 1 and "stray" in done.stdout and "letter.txt" in done.stdout


# -- Writers that meet, and writers that die -------------------------------------------------------------------------


def test_of_two_writers_one_wins(tmp_path):
    sources = [source_file(tmp_path, (n, 60, 50), n, None) for n in (1, 2)]
    place = tmp_path / "place"
    place.mkdir()
    expected = [digest(gdaltest.write(tmp_path / f"{n}.ozx", gdal.Open(source))) for n, source in enumerate(sources)]
    for n in range(40):
        path = str(place / f"{n}.ozx")
        writers = [subprocess.Popen(["gdal_translate", "-q", "-of", "OMEZARR", source, path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
                   for source in sources]
        errors = [writer.communicate()[1] for writer in writers]
        wins = [writer.returncode == 0 for writer in writers]
        assert sorted(wins) == [False, True], errors
        assert digest(path) == expected[wins.index(True)] and len(os.listdir(place)) == n + 1


@pytest.mark.parametrize("before", [False, True])
def test_a_killed_copy_goes_on_to_the_same_bytes(tmp_path, before):
    source = source_file(tmp_path, (1, 600, 560))
    options = ["BLOCKSIZE=16", "SHARD=NONE", *(["OVERWRITE=YES"] if before else [])]
    expected = digest(gdaltest.write(tmp_path / "whole.ozx", gdal.Open(source), *options))
    path = str(tmp_path / "a.ozx")
    old = digest(gdaltest.write(path, picture())) if before else None
    record = tmp_path / ".a.ozx.partial" / ".record"
    faults.kill_copy(source, path, options, 4000)
    assert record.stat().st_size > 1000
    assert (digest(path) if before else not os.path.exists(path)) == (old if before else True)
    chunk = tmp_path / ".a.ozx.partial" / "store" / "scale0" / "image" / "c" / "0" / "0"
    assert chunk.exists()
    gdaltest.write(path, gdal.Open(source), *options, "RESUME=YES")
    assert digest(path) == expected
    assert sorted(os.listdir(tmp_path)) == ["a.ozx", "source1.tif", "whole.ozx"]


# -- Damage ----------------------------------------------------------------------------------------------------------


def verdict(path, array):
    """What a reader and what verify makes of it: "same", "other" or "error"; "whole" or "not"."""
    with gdaltest.collected_messages() as messages:
        raised = ""
        try:
            dataset = gdal.Open(path)
            levels = gdaltest.our_levels(path) if dataset is not None else None
        except (RuntimeError, TypeError) as error:
            levels, raised = None, str(error)
        assert levels is not None or messages.errors() or path in raised
    reading = "error" if levels is None else "same" if (levels[0] == array).all() else "other"
    return reading, "whole" if tool("verify", path).returncode == 0 else "not"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_an_error(tmp_path, share):
    path = gdaltest.write(tmp_path / "a.ozx", picture(), "BLOCKSIZE=32")
    os.truncate(path, int(os.path.getsize(path) * share))
    assert verdict(path, ARRAY) == ("error", "not")


def test_where_a_byte_is_flipped_reading_or_verify_tells_or_nothing_is_lost(tmp_path):
    """In the heads of entries, their bytes, the directory and its end. The zip has a checksum of each chunk."""
    array = ARRAY[:1, :64, :64]
    path = gdaltest.write(tmp_path / "a.ozx", picture(array), "BLOCKSIZE=32", "COMPRESS=NONE")
    with open(path, "rb") as file:
        whole = file.read()
    with zipfile.ZipFile(path) as file:
        chunk = file.getinfo("scale0/image/c/0/0/0" if "scale0/image/c/0/0/0" in file.namelist() else "scale0/image/c/0/0")
        directory = file.start_dir
    places = [*range(chunk.header_offset, chunk.header_offset + 30), *range(directory, directory + 46), *range(len(whole) - 100, len(whole) - 70),
              *range(0, len(whole), len(whole) // 40)]
    seen = set()
    for at in places:
        changed = bytearray(whole)
        changed[at] ^= 0x10
        damaged = str(tmp_path / f"{at}.ozx")
        with open(damaged, "wb") as file:
            file.write(changed)
        found = verdict(damaged, array)
        seen.add(found)
        assert found != ("other", "whole"), at
        os.remove(damaged)
    assert ("error", "not") in seen and ("same", "whole") in seen


@pytest.mark.parametrize("codec", ["NONE", "ZSTD"])
@pytest.mark.parametrize("field", ["mark", "method", "length of the name", "bytes"])
def test_a_damaged_chunk_is_an_error_and_not_fill(tmp_path, codec, field):
    path = gdaltest.write(tmp_path / "a.ozx", picture(ARRAY[:1]), "BLOCKSIZE=64", f"COMPRESS={codec}")
    with zipfile.ZipFile(path) as file:
        entry = next(entry for entry in file.infolist() if "scale0/image/c/" in entry.filename)
    with open(path, "r+b") as file:
        file.seek(entry.header_offset + {"mark": 0, "method": 8, "length of the name": 26, "bytes": 30 + len(entry.filename) + 99}[field])
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 4]))
    assert verdict(path, ARRAY[:1]) == ("error", "not")


@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_a_file_that_goes_while_it_is_open_is_an_error_and_not_fill(tmp_path, what):
    path = gdaltest.write(tmp_path / "a.ozx", picture(), "BLOCKSIZE=32", "COMPRESS=NONE")
    dataset = gdal.Open(path)
    dataset.GetRasterBand(1).ReadRaster(0, 0, 8, 8)
    if what == "removed":
        os.remove(path)
    else:
        gdaltest.write(path, picture(ARRAY[:, ::-1]), "BLOCKSIZE=32", "COMPRESS=NONE", "OVERWRITE=YES")
    assert "a.ozx" in said(lambda: dataset.GetRasterBand(3).ReadRaster())


def test_what_replaces_a_file_of_the_same_size_within_a_second_is_seen(tmp_path):
    """One chunk is not stored, in each another one."""
    path = str(tmp_path / "a.ozx")
    arrays = [np.full((1, 64, 64), 7, "uint8"), np.full((1, 64, 64), 7, "uint8")]
    arrays[0][:, :32, :32] = arrays[1][:, 32:, 32:] = 0
    sizes = set()
    for n in range(6):
        gdaltest.write(path, gdaltest.mem(arrays[n % 2]), "BLOCKSIZE=32", "COMPRESS=NONE", "OVERVIEW_COUNT=0", "OVERWRITE=YES")
        np.testing.assert_array_equal(gdaltest.our_levels(path)[0], arrays[n % 2])
        sizes.add(os.path.getsize(path))
    assert len(sizes) == 1


READ_FOR_EVER = """
import hashlib, sys
sys.path.append(sys.argv.pop(1))
from osgeo import gdal
gdal.UseExceptions()
while True:  # one line a reading: what was read, or that nothing was
    try:
        dataset = gdal.OpenEx(sys.argv[1], open_options=["NUM_THREADS=4"])
        print(hashlib.sha256(dataset.ReadRaster()).hexdigest(), flush=True)
    except RuntimeError:
        print("error", flush=True)
"""


def test_a_reader_with_threads_survives_that_its_file_is_replaced(tmp_path):
    """Each reading gives one picture or the other, or an error; after a replacement the new picture is read soon."""
    array = gdaltest.smooth_array((1, 1024, 1024), "uint8")
    files = [gdaltest.write(tmp_path / f"{n}.ozx", gdaltest.mem(array[:, : 1024 - n]), "BLOCKSIZE=16", "SHARD=NONE") for n in range(2)]
    digests = [hashlib.sha256(array[:, : 1024 - n].tobytes()).hexdigest() for n in range(2)]
    path = str(tmp_path / "a.ozx")
    shutil.copy(files[0], path)
    modules = os.path.dirname(os.path.dirname(gdal.__file__))
    with subprocess.Popen([sys.executable, "-c", READ_FOR_EVER, modules, path], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as reader:
        for n in range(20):
            shutil.copy(files[n % 2], tmp_path / "new")
            os.replace(tmp_path / "new", path)
            said = []
            while digests[n % 2] not in said and len(said) < 20:
                said.append(reader.stdout.readline().strip())
            assert set(said) <= {*digests, "error"} and said[-1] == digests[n % 2], said
        reader.kill()


def test_names_in_the_directory_do_not_lead_out(tmp_path):
    """A level whose path climbs out of the archive."""
    path = str(tmp_path / "a.ozx")
    root = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "multiscales": [{"axes": [
        {"name": "y", "type": "space"}, {"name": "x", "type": "space"}], "datasets": [{"path": "../../secret", "coordinateTransformations": [
            {"type": "scale", "scale": [1, 1]}]}]}]}}}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("zarr.json", json.dumps(root))
        file.writestr("../../secret/zarr.json", "{}")
    assert "secret" in said(lambda: gdal.Open(path))
