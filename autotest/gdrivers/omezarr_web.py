"""Stores on web servers as they are: which requests are made, what a server says of things that it does not have, names
without a prefix, and names that GDAL hides. The server runs on 127.0.0.1; pixels are compared with those that were written."""

import json
import os
import shutil

import gdaltest
import numpy as np
import pytest

import webserver
from osgeo import gdal

MODES = ["404", "403", "401", "page", "302", "no HEAD", "no ranges"]
KINDS = {
    "overviews": [], "scales": ["LAYOUT=SCALES"], "flat": ["LAYOUT=FLAT"], "shard": ["SHARD=128"],
    "overviews04": ["NGFF_VERSION=0.4"], "flat04": ["NGFF_VERSION=0.4", "LAYOUT=FLAT"],
    "alone": ["CONSOLIDATED=NO"], "alone04": ["CONSOLIDATED=NO", "NGFF_VERSION=0.4"], "masked": [], "masked04": ["NGFF_VERSION=0.4"],
}
CONSOLIDATED = [kind for kind in KINDS if not kind.startswith("alone")]
ARRAY = gdaltest.random_array((2, 210, 330), "uint16")
VALID = np.ones((210, 330), "uint8") * 255
VALID[100:, :90] = 0


def source(kind):
    dataset = gdaltest.mem(ARRAY, (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")
    if kind.startswith("masked"):
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        dataset.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 330, 210, VALID.tobytes())
    return dataset


def foreign(path, version):
    """By hand, as others write it: no block of ours, no consolidated metadata, raw chunks, the first one not stored."""
    os.makedirs(path / "0" / "c" if version == 3 else path / "0")
    data = np.arange(1, 65 * 70 + 1, dtype="<u2").reshape(65, 70)
    data[:32, :32] = 0
    for y in range(3):
        for x in range(3):
            chunk = np.zeros((32, 32), "<u2")
            part = data[32 * y:32 * y + 32, 32 * x:32 * x + 32]
            chunk[:part.shape[0], :part.shape[1]] = part
            if (y, x) != (0, 0):
                (path / "0" / (f"c.{y}.{x}" if version == 3 else f"{y}.{x}")).write_bytes(chunk.tobytes())
    multiscales = [{"version": "0.4", "axes": [{"name": n, "type": "space"} for n in "yx"],
                    "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]}]
    if version == 3:
        array = {"zarr_format": 3, "node_type": "array", "shape": [65, 70], "data_type": "uint16", "fill_value": 0, "attributes": {},
                 "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [32, 32]}},
                 "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
                 "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "multiscales": multiscales}}}
        (path / "0" / "zarr.json").write_text(json.dumps(array))
        (path / "zarr.json").write_text(json.dumps(group))
    else:
        (path / "0" / ".zarray").write_text(json.dumps({"zarr_format": 2, "shape": [65, 70], "chunks": [32, 32], "dtype": "<u2", "order": "C",
                                                        "fill_value": 0, "filters": None, "compressor": None}))
        (path / ".zgroup").write_text('{"zarr_format": 2}')
        (path / ".zattrs").write_text(json.dumps({"multiscales": multiscales}))
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("web")
    for kind, options in KINDS.items():
        gdaltest.write(place / f"{kind}.ome.zarr", source(kind), "BLOCKSIZE=64", *options)
    for version in (2, 3):
        foreign(place / f"foreign{version}.ome.zarr", version)
    return place


@pytest.fixture
def web(folder, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    gdal.VSICurlClearCache()
    with webserver.serve(folder) as server, gdaltest.config_option("GDAL_HTTP_RETRY_DELAY", "0.01"):
        yield server
    gdal.VSICurlClearCache()


def open_on(web, kind, **more):
    return gdal.OpenEx(f'OMEZARR:"/vsicurl/{web.url}/{kind}.ome.zarr"', **more)


def check_pixels(dataset, kind):
    np.testing.assert_array_equal(gdaltest.pixels(dataset), ARRAY)
    assert dataset.GetRasterBand(1).GetOverviewCount() == 3
    mask = dataset.GetRasterBand(1).GetMaskBand()
    assert dataset.GetRasterBand(1).GetMaskFlags() == (gdal.GMF_PER_DATASET if kind.startswith("masked") else gdal.GMF_ALL_VALID)
    if kind.startswith("masked"):
        assert mask.ReadRaster() == VALID.tobytes()
    assert dataset.GetGeoTransform() == (500000, 10, 0, 5000000, 0, -10)


# -- What is not there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_store_opens_whatever_the_server_says_of_what_is_not_there(web, mode, kind):
    web.absent = mode
    if mode == "no ranges" and kind == "shard":
        with pytest.raises(RuntimeError, match="Range downloading not supported"):
            gdaltest.pixels(open_on(web, kind))
        return
    with gdaltest.collected_messages() as messages:
        check_pixels(open_on(web, kind), kind)
    assert [text for text in messages if "credentials" in str(text) or "cannot" in str(text)] == []


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("mode", ["404", "403", "401", "page", "302", "no HEAD", "no ranges"])
def test_a_store_of_others_opens_and_its_missing_chunk_is_fill_only_where_the_server_says_so(web, mode, version):
    web.absent = mode
    dataset = open_on(web, f"foreign{version}")
    rest = dataset.ReadRaster(32, 0, 38, 65)
    assert np.frombuffer(rest, "<u2")[0] == 33
    if mode in ("404", "no HEAD", "no ranges"):
        assert dataset.ReadRaster(0, 0, 32, 32) == bytes(2 * 32 * 32)
    else:
        with pytest.raises(RuntimeError) as failure:
            dataset.ReadRaster(0, 0, 32, 32)
        assert "renew" not in str(failure.value)
        assert f"foreign{version}.ome.zarr/0/" in str(failure.value)
    if mode in ("403", "401"):
        assert "MISSING_CHUNKS=FILL" in str(failure.value)
        dataset = open_on(web, f"foreign{version}", open_options=["MISSING_CHUNKS=FILL"])
        assert dataset.ReadRaster(0, 0, 32, 32) == bytes(2 * 32 * 32)
        assert dataset.ReadRaster(32, 0, 38, 65) == rest


@pytest.mark.parametrize("mode,words", [("404", "no OME-Zarr image is there"), ("403", "403"), ("401", "401"), ("page", "a page"), ("302", "a page")])
def test_where_nothing_is_the_error_says_what_the_server_said(web, mode, words):
    web.absent = mode
    with pytest.raises(RuntimeError) as failure:
        open_on(web, "nowhere")
    assert words in str(failure.value) and f"{web.url}/nowhere.ome.zarr" in str(failure.value)
    assert "renew" not in str(failure.value)


def test_credentials_are_spoken_of_where_some_were_sent(web):
    web.absent = "403"
    with gdaltest.config_option("GDAL_HTTP_USERPWD", "me:secret"), pytest.raises(RuntimeError) as failure:
        open_on(web, "nowhere")
    assert "renew them" in str(failure.value) and "secret" not in str(failure.value)


@pytest.mark.parametrize("kind,level", [("alone", "ovr_2x/image/zarr.json"), ("alone04", "ovr_2x/image/.zarray")])
def test_a_level_that_is_refused_is_left_out(web, kind, level):
    web.refuses = level
    with gdaltest.collected_messages() as messages:
        dataset = open_on(web, kind)
    assert len(messages) == 1 and messages[0][0] == gdal.CE_Warning, messages
    assert level in messages[0][1] and "403" in messages[0][1] and "the level is left out" in messages[0][1]
    np.testing.assert_array_equal(gdaltest.pixels(dataset), ARRAY)
    assert [dataset.GetRasterBand(1).GetOverview(i).XSize for i in range(dataset.GetRasterBand(1).GetOverviewCount())] == [83, 42]


@pytest.mark.parametrize("kind,level", [("alone", "scale0/image/zarr.json"), ("alone04", "scale0/image/.zarray")])
def test_the_full_size_that_is_refused_is_an_error(web, kind, level):
    web.refuses = level
    with pytest.raises(RuntimeError, match="403"):
        open_on(web, kind)


@pytest.mark.parametrize("kind", ["overviews", "overviews04", "shard"])
def test_a_refused_chunk_is_an_error(web, kind):
    web.refuses = "/scale0/image/c/0/0/0" if kind != "overviews04" else "/scale0/image/0/0/0"
    with pytest.raises(RuntimeError, match="403"):
        gdaltest.pixels(open_on(web, kind))


@pytest.mark.parametrize("part", ["/scale0/image/c/0/0/0", "/zarr.json"])
def test_an_answer_that_was_cut_off_is_asked_for_again(web, part):
    web.cuts, web.most_cut = part, 2
    check_pixels(open_on(web, "overviews"), "overviews")
    assert web.n_cut > 2
    web.most_cut, web.n_cut = 10**6, 0
    gdal.VSICurlClearCache()
    with pytest.raises(RuntimeError, match="tried several times"):
        gdaltest.pixels(open_on(web, "overviews"))


# -- How many requests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CONSOLIDATED)
@pytest.mark.parametrize("mode", ["404", "403", "page"])
def test_opening_one_of_ours_takes_at_most_three_requests(web, mode, kind):
    web.absent = mode
    names = [f'OMEZARR:"/vsicurl/{web.url}/{kind}.ome.zarr"']
    if mode == "404":
        names += [f"/vsicurl/{web.url}/{kind}.ome.zarr", f"{web.url}/{kind}.ome.zarr"]
    for name in names:
        gdal.VSICurlClearCache()
        web.asked.clear()
        dataset = gdal.Open(name)
        asked = web.of_store(f"{kind}.ome.zarr")
        assert len(asked) == (3 if kind.endswith("04") else 2), (name, asked)
        assert not any(verb == "HEAD" for verb, _ in asked)
        root = "zarr.json" if not kind.endswith("04") else ".zmetadata"
        assert sum(path.endswith(f"zarr/{root}") for _, path in asked) == 1
        assert dataset.GetRasterBand(1).GetOverviewCount() == 3


@pytest.mark.parametrize("version,names", [(3, ["zarr.json", "0/zarr.json", "ovr_mask/0/zarr.json", "labels/zarr.json"]),
                                           (2, ["zarr.json", ".zmetadata", ".zattrs", "0/.zarray", "0/.zattrs", "ovr_mask/0/.zarray",
                                                "labels/.zattrs"])])
def test_a_store_of_others_without_copies_takes_one_request_per_document(web, version, names):
    open_on(web, f"foreign{version}")
    assert [path.split(".ome.zarr/")[1] for _, path in web.of_store(f"foreign{version}.ome.zarr")] == names


@pytest.mark.parametrize("kind,n_chunks", [("overviews", 48), ("overviews04", 48), ("flat", 48)])
def test_a_chunk_is_one_request(web, kind, n_chunks):
    dataset = open_on(web, kind)
    web.asked.clear()
    gdaltest.pixels(dataset)
    asked = web.of_store(f"{kind}.ome.zarr")
    assert len(asked) == len(set(asked)) == n_chunks and {verb for verb, _ in asked} == {"GET"}


def test_side_files_are_looked_for_once_and_not_where_gdal_looks_at_no_folder(web, folder):
    open_on(web, "overviews")
    assert [path for verb, path in web.asked if ".aux" in path.lower()] == ["/overviews.ome.zarr.aux.xml"]
    (folder / "scales.ome.zarr.aux.xml").write_text("<PAMDataset><Metadata><MDI key='noted'>yes</MDI></Metadata></PAMDataset>")
    assert open_on(web, "scales").GetMetadataItem("noted") == "yes"
    os.remove(folder / "scales.ome.zarr.aux.xml")
    gdal.VSICurlClearCache()
    web.asked.clear()
    with gdaltest.config_option("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR"):
        open_on(web, "overviews")
    assert len(web.asked) == 2


# -- Copies that are stale ---------------------------------------------------------------------------------------------


def test_copies_by_which_the_image_does_not_open_are_stale(web, folder, tmp_path):
    """On a server the root's copies are believed, as zarr-python does. Where they lack a level, or contradict each other, the
    documents are read."""
    for number, spoil in enumerate([lambda copies: copies.pop("ovr_2x/image"), lambda copies: copies["ovr_2x/image"].update(data_type="int8"),
                                    lambda copies: copies["scale0/image"].update(shape=[2])]):
        name = f"stale{number}.ome.zarr"
        shutil.copytree(folder / "overviews.ome.zarr", folder / name)
        root = gdaltest.read_json(folder / name / "zarr.json")
        spoil(root["consolidated_metadata"]["metadata"])
        (folder / name / "zarr.json").write_text(json.dumps(root))
        check_pixels(open_on(web, f"stale{number}"), "overviews")
        check_pixels(gdal.Open(str(folder / name)), "overviews")
        shutil.rmtree(folder / name)


def test_the_mark_of_a_change_is_seen(web, folder):
    shutil.copytree(folder / "overviews.ome.zarr", folder / "dirty.ome.zarr")
    (folder / "dirty.ome.zarr" / ".omezarr-dirty").write_text("changing\n")
    for mode in ("404", "page"):
        web.absent = mode
        with gdaltest.collected_messages() as messages:
            open_on(web, "dirty")
        assert any("is being changed" in str(text) for text in messages)
        with gdaltest.collected_messages() as messages:
            open_on(web, "overviews")
        assert not any("is being changed" in str(text) for text in messages)
    shutil.rmtree(folder / "dirty.ome.zarr")


# -- Names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["overviews", "flat04", "foreign3"])
@pytest.mark.parametrize("name", ["/vsicurl/{}", "{}", "OMEZARR:{}", 'OMEZARR:"{}"', "/vsicurl/{}/", "OMEZARR:/vsicurl/{}",
                                  'OMEZARR:"/vsicurl?use_head=no&url={}"'])
def test_names_without_prefix_open_where_no_folder_is_shown(web, kind, name):
    dataset = gdal.Open(name.format(f"{web.url}/{kind}.ome.zarr"))
    assert dataset.GetDriver().ShortName == "OMEZARR"
    if kind != "foreign3":
        check_pixels(dataset, kind)


@pytest.mark.parametrize("mode", ["404", "403"])
def test_a_folder_called_zarr_opens_where_its_root_is_ours(web, folder, mode):
    shutil.copytree(folder / "overviews.ome.zarr", folder / "plain.zarr")
    (folder / "other.zarr").mkdir()
    (folder / "other.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    web.absent = mode
    check_pixels(gdal.Open(f"{web.url}/plain.zarr"), "plain")
    check_pixels(gdal.Open(f"/vsicurl/{web.url}/plain.zarr"), "plain")
    with pytest.raises(RuntimeError):
        gdal.OpenEx(f"/vsicurl/{web.url}/other.zarr", allowed_drivers=["OMEZARR"])
    for name in ("plain.zarr", "other.zarr"):
        shutil.rmtree(folder / name)


def test_a_refused_store_without_prefix_says_so(web):
    web.absent = "403"
    for name in (f"/vsicurl/{web.url}/nowhere.ome.zarr", f"{web.url}/nowhere.ome.zarr"):
        with pytest.raises(RuntimeError, match="nowhere.ome.zarr/zarr.json: .*403"):
            gdal.Open(name)


@pytest.mark.parametrize("kind", ["overviews", "shard", "flat", "overviews04", "foreign2"])
@pytest.mark.parametrize("option,value", [("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", ".tif,.TIF"), ("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", ".tif,.json"),
                                          ("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", "{noext}"), ("CPL_VSIL_CURL_ALLOWED_FILENAME", "/vsicurl/x.tif")])
def test_names_that_gdal_hides_are_read_all_the_same(web, kind, option, value):
    with gdaltest.config_option(option, value):
        dataset = open_on(web, kind)
        if kind == "foreign2":
            assert np.frombuffer(dataset.ReadRaster(64, 64, 1, 1), "<u2")[0] == 64 * 70 + 65
        else:
            check_pixels(dataset, kind)
        assert gdal.GetConfigOption(option) == value and gdal.GetThreadLocalConfigOption(option) is None


def test_threads_of_a_copy_have_the_options_of_its_caller(web, tmp_path):
    """The cookie is known to the calling thread alone, as `with gdal.config_options({...})` makes it from GDAL 3.7 on."""
    web.cookie = "who=me"
    gdal.SetThreadLocalConfigOption("GDAL_HTTP_COOKIE", web.cookie)
    try:
        path = gdaltest.write(tmp_path / "copy.ome.zarr", open_on(web, "overviews"), "BLOCKSIZE=32", "NUM_THREADS=4")
    finally:
        gdal.SetThreadLocalConfigOption("GDAL_HTTP_COOKIE", None)
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(path)), ARRAY)
    gdal.VSICurlClearCache()
    with pytest.raises(RuntimeError):
        open_on(web, "overviews").ReadRaster()


def test_a_hidden_archive_is_refused_with_the_name_of_the_option(web, folder):
    gdaltest.write(folder / "a.ozx", source("overviews"), "BLOCKSIZE=64")
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f"/vsicurl/{web.url}/a.ozx")), ARRAY)
    gdal.VSICurlClearCache()
    with gdaltest.config_option("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", ".tif"), \
            pytest.raises(RuntimeError, match="CPL_VSIL_CURL_ALLOWED_EXTENSIONS"):
        gdal.Open(f'OMEZARR:"/vsicurl/{web.url}/a.ozx"')


# -- The same root is read once on disks -------------------------------------------------------------------------------


@pytest.mark.parametrize("document,text,is_ours", [
    ("zarr.json", {"attributes": {"labels": ["a"], "provenance": {"ome": "x"}}}, False),
    ("zarr.json", {"attributes": {"ome": {"labels": ["a"]}}}, True),
    (".zattrs", {"datasets": 1, "note": "multiscales", "multiscales": [{"image": 1}]}, False),
    (".zattrs", {"multiscales": [{"datasets": []}]}, True),
    (".zattrs", {"plate": {"wells": []}}, True),
    (".zattrs", {"bioformats2raw.layout": 3}, True),
    (".zattrs", {"bioformats2raw.layout": 2, "x": 3}, False)])
def test_words_count_where_they_stand(tmp_path, document, text, is_ours):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / document).write_text(json.dumps(text))
    assert (gdal.IdentifyDriverEx(str(tmp_path / "a"), allowed_drivers=["OMEZARR"]) is not None) == is_ours
