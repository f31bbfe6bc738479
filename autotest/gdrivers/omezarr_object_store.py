"""Straight to object stores: servers on 127.0.0.1 that speak S3 (moto) and Azure Blob Storage (azurite), looked at with boto3 and
Microsoft's client, not with GDAL; and behind a proxy that fails, hangs up, and loses answers."""

import contextlib
import io
import os
import re
import signal
import subprocess
import threading
import time

import gdaltest
import numpy as np
import pytest

import s3proxy
from osgeo import gdal

# A second S3 server is one that runs already: "port key secret" (scripts/second_s3.sh).
SECOND = os.environ.get("OMEZARR_SECOND_S3")
AZURITE = os.environ.get("OMEZARR_AZURITE", os.path.join(os.environ["GDAL_DRIVER_PATH"], "..", "..", "node", "node_modules", ".bin", "azurite-blob"))


def start_server(name):
    pytest.importorskip("boto3")
    if name == "second":
        port, key, secret = SECOND.split()
        return s3proxy.S3(int(port), key, secret)
    if name == "azurite":
        pytest.importorskip("azure.storage.blob")
        if not os.path.exists(AZURITE):
            pytest.skip("azurite is not installed (check.sh does it)")
        return s3proxy.Azurite(AZURITE)
    pytest.importorskip("moto.server")
    return s3proxy.Moto()


@pytest.fixture(scope="module", params=["second"] if SECOND else ["moto", "azurite"])
def servers(request):
    """A bucket of a server of its own; the options that lead GDAL to it hold while the module runs."""
    servers = start_server(request.param)
    options = dict(servers.options(), GDAL_HTTP_RETRY_DELAY="0.01")
    for name, value in options.items():
        gdal.SetConfigOption(name, value)
    yield servers
    for name in options:
        gdal.SetConfigOption(name, None)
    servers.close()


@pytest.fixture
def there(servers):
    """The server, with nothing remembered of it."""
    gdal.VSICurlClearCache()
    yield servers
    assert servers.uploads() == []


def files(path):
    return {name: body for name, body in gdaltest.snapshot(path).items() if body != "folder"}


def source(size=150, dtype="uint16"):
    return gdaltest.mem(gdaltest.smooth_array((3, size, size + 7), dtype), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")


@pytest.mark.parametrize("options", [[], ["NGFF_VERSION=0.4"], ["SHARD=128"], ["LAYOUT=FLAT"], ["LAYOUT=BIOFORMATS2RAW"]])
def test_the_objects_are_the_files_of_a_local_store(there, tmp_path, options):
    name = "same" + "".join(options).replace("=", "").replace(".", "")
    local = gdaltest.write(tmp_path / "a.ome.zarr", source(), "BLOCKSIZE=64", *options)
    gdaltest.write(f"{there.root}/{name}.ome.zarr", source(), "BLOCKSIZE=64", *options)
    assert there.objects(f"{name}.ome.zarr/") == files(local)


@pytest.mark.parametrize("options", [[], ["NGFF_VERSION=0.4"]])
def test_a_label_image_beside_an_image(there, tmp_path, options):
    name = "label" + "".join(options).replace("=", "").replace(".", "")
    cells = gdaltest.mem((gdaltest.smooth_array((1, 150, 157), "uint8") > 100).astype("uint8"))
    local = gdaltest.write(tmp_path / "a.ome.zarr", source(), "BLOCKSIZE=64", *options)
    gdaltest.write(f'OMEZARR:"{local}":labels/cells', cells, "BLOCKSIZE=64")
    remote = gdaltest.write(f"{there.root}/{name}.ome.zarr", source(), "BLOCKSIZE=64", *options)
    gdaltest.write(f'OMEZARR:"{remote}":labels/cells', cells, "BLOCKSIZE=64")
    assert there.objects(f"{name}.ome.zarr/") == files(local)


def test_label_images_travel_there(there, tmp_path):
    first = gdaltest.write(tmp_path / "a.ome.zarr", source(), "BLOCKSIZE=64")
    gdaltest.write(f'OMEZARR:"{first}":labels/cells', gdaltest.mem((gdaltest.smooth_array((1, 150, 157), "uint8") > 100).astype("uint8")))
    local = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(first), "BLOCKSIZE=64")
    gdaltest.write(f"{there.root}/travel.ome.zarr", gdal.Open(first), "BLOCKSIZE=64", "VERIFY=SOURCE")
    assert there.objects("travel.ome.zarr/") == files(local) and "labels/cells/zarr.json" in files(local)


def several_images(path, *sizes):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(path) as file:
        for size in sizes:
            file.write(gdaltest.random_array((size, size), "uint8"), contiguous=False, metadata=None)
    return str(path)


def test_several_images_of_one_store(there, tmp_path):
    """They replace three, are given up whole, and are the files of a local store."""
    options = ["LAYOUT=BIOFORMATS2RAW", "SERIES=ALL", "BLOCKSIZE=32", "NUM_THREADS=1"]
    three, two = several_images(tmp_path / "3.tif", 20, 30, 40), several_images(tmp_path / "2.tif", 25, 60)
    path = f"{there.root}/several.ome.zarr"
    for source, more in ((three, []), (two, ["OVERWRITE=YES"])):
        local = str(tmp_path / f"{os.path.basename(source)}.ome.zarr")
        gdal.Translate(local, source, format="OMEZARR", creationOptions=options)
        gdal.Translate(path, source, format="OMEZARR", creationOptions=[*options, *more])
        assert there.objects("several.ome.zarr/") == files(local)
    with there.proxy.rule(403, count=10**6, part="failed.ome.zarr/1/0/c/") as rule:
        with pytest.raises(RuntimeError, match="failed.ome.zarr/1/0/c/"):
            gdal.Translate(f"{there.root}/failed.ome.zarr", two, format="OMEZARR", creationOptions=options)
    assert rule.n_done > 0 and there.objects("failed.ome.zarr/") == {}
    with pytest.raises(RuntimeError):
        gdal.Translate(f"{there.root}/stopped.ome.zarr", two, format="OMEZARR", creationOptions=options, callback=lambda share, *_: share < 0.6)
    assert there.objects("stopped.ome.zarr/") == {}


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_no_more_uploads_at_once_than_threads(there, n_threads):
    """All threads are waited for once; afterwards each upload takes so long that one too many would meet the others."""
    lock, at_once, most, are_all_there = threading.Lock(), [0], [0], threading.Event()

    def take_a_while():
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            if most[0] >= n_threads:
                are_all_there.set()
        are_all_there.wait(100)
        time.sleep(0.05)
        with lock:
            at_once[0] -= 1

    with there.proxy.rule(take_a_while, count=10**6, part=f"uploads{n_threads}.ome.zarr/scale0/image/c/") as rule:
        gdaltest.write(f"{there.root}/uploads{n_threads}.ome.zarr", source(), "BLOCKSIZE=64", "SHARD=NONE", f"NUM_THREADS={n_threads}")
    assert rule.n_done > 20 and most[0] == n_threads


def test_it_opens_there_with_pixels_and_overviews(there):
    gdaltest.write(f"{there.root}/open.ome.zarr", source(), "BLOCKSIZE=64")
    dataset = gdal.Open(f"{there.root}/open.ome.zarr")  # in the same process, that looked there before
    assert (gdaltest.pixels(dataset) == gdaltest.pixels(source())).all()
    assert dataset.GetRasterBand(1).GetOverviewCount() == 2


@contextlib.contextmanager
def known_to_this_thread_only(there):
    """The way to the server and its password, as `with gdal.config_options({...})` of GDAL 3.7 and later has them."""
    saved = there.options()
    gdal.VSICurlClearCache()
    for name, value in saved.items():
        gdal.SetConfigOption(name, None)
        gdal.SetThreadLocalConfigOption(name, value)
    try:
        yield
        assert {name: gdal.GetThreadLocalConfigOption(name) for name in saved} == saved
    finally:
        for name, value in saved.items():
            gdal.SetThreadLocalConfigOption(name, None)
            gdal.SetConfigOption(name, value)


def test_threads_that_decode_have_the_options_of_the_thread_that_reads(there):
    path = f"{there.root}/local.ome.zarr"
    gdaltest.write(path, source(), "BLOCKSIZE=32")
    with known_to_this_thread_only(there):
        dataset = gdal.OpenEx(path, open_options=["NUM_THREADS=4"])
        assert (gdaltest.pixels(dataset) == gdaltest.pixels(source())).all()


def test_threads_that_store_have_the_options_of_the_thread_that_writes(there):
    with known_to_this_thread_only(there):
        path = f"{there.root}/pulled.ome.zarr"
        gdaltest.write(path, source(), "BLOCKSIZE=32", "SHARD=NONE", "NUM_THREADS=4")
        assert (gdaltest.pixels(gdal.Open(path)) == gdaltest.pixels(source())).all()
        path = f"{there.root}/pushed.ome.zarr"
        options = gdal.WarpOptions(format="OMEZARR", creationOptions=["BLOCKSIZE=32", "SHARD=NONE", "NUM_THREADS=4"])
        gdal.Warp(path, source(), options=options).FlushCache()
        assert (gdaltest.pixels(gdal.Open(path)) == gdaltest.pixels(source())).all()


def test_threads_that_verify_have_the_options_of_the_thread_that_writes(there):
    with known_to_this_thread_only(there):
        path = f"{there.root}/verified.ome.zarr"
        gdaltest.write(path, source(), "BLOCKSIZE=32", "SHARD=NONE", "NUM_THREADS=4", "VERIFY=STORE")
        assert (gdaltest.pixels(gdal.Open(path)) == gdaltest.pixels(source())).all()


def test_threads_that_decode_one_file_have_the_options_of_the_thread_that_reads(there, tmp_path):
    with open(gdaltest.write(tmp_path / "one.ozx", source(), "BLOCKSIZE=32"), "rb") as file:
        there.put("one.ozx", file.read())
    with known_to_this_thread_only(there):
        dataset = gdal.OpenEx(f"{there.root}/one.ozx", open_options=["NUM_THREADS=4"])
        assert (gdaltest.pixels(dataset) == gdaltest.pixels(source())).all()


def test_an_existing_store_is_refused_and_replaced_whole_on_request(there):
    path = f"{there.root}/twice.ome.zarr"
    gdaltest.write(path, source(), "BLOCKSIZE=32")
    before = there.objects("twice.ome.zarr/")
    with pytest.raises(RuntimeError, match="OVERWRITE=YES"):
        gdaltest.create_copy(path, source(60), "BLOCKSIZE=32")
    assert there.objects("twice.ome.zarr/") == before
    gdaltest.write(path, source(60), "BLOCKSIZE=32", "OVERWRITE=YES")
    gdaltest.write(f"{there.root}/once.ome.zarr", source(60), "BLOCKSIZE=32")
    assert there.objects("twice.ome.zarr/") == there.objects("once.ome.zarr/")  # no key of the old store is left


def test_foreign_objects_are_left_alone(there):
    there.put("mine.ome.zarr/notes.txt", b"mine")
    with pytest.raises(RuntimeError, match="untouched"):
        gdaltest.create_copy(f"{there.root}/mine.ome.zarr", source(), "OVERWRITE=YES")
    assert there.objects("mine.ome.zarr/") == {"notes.txt": b"mine"}
    gdaltest.write(f"{there.root}/ours.ome.zarr", source(64))
    there.put("ours.ome.zarr/thesis/part1.doc", b"years of work")
    before = there.objects("ours.ome.zarr/")
    with pytest.raises(RuntimeError, match="holds 'thesis'"):
        gdaltest.create_copy(f"{there.root}/ours.ome.zarr", source(), "OVERWRITE=YES")
    assert there.objects("ours.ome.zarr/") == before


def test_a_missing_bucket_is_an_error_with_the_path(there):
    path = f"{os.path.dirname(there.root)}/nowhere/a.ome.zarr"
    with pytest.raises(RuntimeError, match=path):
        gdaltest.create_copy(path, source(), "BLOCKSIZE=64")


@pytest.mark.parametrize("at", [0.0, 0.3, 0.9])
def test_a_cancelled_run_leaves_no_object(there, at):
    with pytest.raises(RuntimeError):
        gdaltest.create_copy(f"{there.root}/stop{at}.ome.zarr", source(), "BLOCKSIZE=16",
                             callback=lambda share, *_: share < at)
    assert there.objects(f"stop{at}.ome.zarr/") == {}


# -- What networks do --------------------------------------------------------------------------------------------------

SMALL = ["BLOCKSIZE=32", "LAYOUT=FLAT", "NUM_THREADS=1"]


def small(seed=1):
    return gdaltest.mem(gdaltest.random_array((1, 50, 60), "uint8", seed))


@pytest.fixture
def whole(tmp_path):
    return files(gdaltest.write(tmp_path / "whole", small(), *SMALL))


def n_puts(whole):
    return len(whole) + 2  # the claim, and the claim again when the place was found free


def name_of(request):
    return re.sub("[^a-z0-9]", "", request.node.name.lower()) + ".ome.zarr"


@pytest.mark.parametrize("shift", [0, 2])
def test_each_put_in_turn_fails_once_and_the_store_is_whole(there, whole, request, shift):
    actions = [503, "reset", "lost", 500, 429]
    for n in range(1, n_puts(whole) + 1):
        path, action = f"{n}{name_of(request)}", actions[(n + shift) % 5]
        with there.proxy.rule(action, first=n, part=path) as rule:
            gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
        assert rule.n_done == 1 and rule.n_seen == n_puts(whole) + 1, (n, action)
        assert there.objects(path + "/") == whole, (n, action)


@pytest.mark.parametrize("action", [403, 503, "reset"])
def test_each_put_in_turn_fails_for_ever_and_nothing_is_left(there, whole, request, action):
    for n in range(1, n_puts(whole) + 1):
        path = f"{n}{name_of(request)}"
        with there.proxy.rule(action, first=n, count=10**6, part=path) as rule:
            message = gdaltest.refused(f"{there.root}/{path}", small(), *SMALL)
        assert rule.n_done == (1 if action == 403 else 5), (n, rule.n_done)
        assert f"{there.root}/{path}" in message and "credentials" in message and "canary" not in message
        if action == 403:
            assert "AccessDenied" in message and "expired" in message
        assert there.objects(path + "/") == {}, n
        with pytest.raises(RuntimeError):
            gdal.Open(f"OMEZARR:{there.root}/{path}")


def test_a_server_that_hangs_once_is_given_up_after_the_timeout(there, whole, request):
    path = name_of(request)
    with gdaltest.config_option("GDAL_HTTP_TIMEOUT", "2"), there.proxy.rule("hang", first=4, part=path):
        gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
    assert there.objects(path + "/") == whole


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_an_overwrite_with_faults_mixes_nothing(there, tmp_path, request, version):
    options = SMALL + [f"NGFF_VERSION={version}"]
    new = files(gdaltest.write(tmp_path / "new", small(2), *options))
    large = gdaltest.mem(gdaltest.random_array((1, 100, 90), "uint8", 3))
    for n, (method, action) in enumerate([("DELETE", 503), ("DELETE", "reset"), ("DELETE", "lost"), ("GET", 503), ("GET", "reset"), ("PUT", "lost")]):
        path = f"{n}{name_of(request)}"
        gdaltest.write(f"{there.root}/{path}", large, *options)
        with there.proxy.rule(action, method=method, first=2, part=path) as rule:
            gdaltest.write(f"{there.root}/{path}", small(2), "OVERWRITE=YES", *options)
        assert rule.n_done == 1
        assert there.objects(path + "/") == new, (method, action)


def test_what_cannot_be_deleted_is_not_overwritten(there, request):
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
    before = there.objects(path + "/")
    with there.proxy.rule(403, method="DELETE", count=10**6, part=path):
        message = gdaltest.refused(f"{there.root}/{path}", small(2), "OVERWRITE=YES", *SMALL)
    assert "cannot be removed" in message
    left = there.objects(path + "/")
    assert left.pop(".omezarr-claim") and left == before


@pytest.mark.parametrize("action", [403, 503, "reset"])
def test_a_place_that_cannot_be_looked_at_is_not_written(there, request, action):
    """The existing store would else look like a free place."""
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
    before = there.objects(path + "/")
    for part in (path, "prefix="):
        with there.proxy.rule(action, method="GET", count=10**6, part=part):
            gdaltest.refused(f"{there.root}/{path}", small(2), *SMALL)
        assert {k: v for k, v in there.objects(path + "/").items() if k != ".omezarr-claim"} == before
        there.delete(f"{path}/.omezarr-claim")


def test_a_large_object_arrives_whole_in_s3_as_one_put(there, request):
    array = np.random.default_rng(1).integers(0, 256, (1, 7600, 8000), dtype="uint8")
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", gdaltest.mem(array), "COMPRESS=NONE", "BLOCKSIZE=4000", "SHARD=8000", "OVERVIEWS=NONE")
    assert max(there.sizes(path + "/").values()) > 60 << 20
    assert (read_all(there, path) == array).all()
    parts = [p for m, p in there.proxy.requests if path in p and re.search("uploads|partNumber|appendblock", p)]
    assert parts == [] or there.root == "/vsiaz/bucket"  # GDAL sends more than 4 MiB to Azure in parts
    for key in there.sizes(path + "/"):
        there.delete(f"{path}/{key}")


# -- Reading -----------------------------------------------------------------------------------------------------------


def read_all(there, path):
    gdal.VSICurlClearCache()
    return gdaltest.pixels(gdal.Open(f"OMEZARR:{there.root}/{path}"))


@pytest.mark.parametrize("options", [["SHARD=NONE"], ["SHARD=64"]])
def test_a_missing_chunk_is_fill_and_a_failed_one_is_never(there, request, options):
    array = np.zeros((1, 130, 130), "uint8")
    array[0, 70:, 70:] = 9
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", gdaltest.mem(array), "BLOCKSIZE=32", *options)
    assert (read_all(there, path) == array).all()
    for action in (503, "reset", 500):
        with there.proxy.rule(action, method="GET", part="scale0/image/c/", first=2) as rule:
            assert (read_all(there, path) == array).all()
        assert rule.n_done == 1
    for action in (403, "bare 403", 503, "reset"):
        with there.proxy.rule(action, method="GET", part="scale0/image/c/", first=2, count=10**6):
            with pytest.raises(RuntimeError):
                read_all(there, path)


@pytest.mark.parametrize("options", [[], ["NGFF_VERSION=0.4"], ["CONSOLIDATED=NO"], ["CONSOLIDATED=NO", "NGFF_VERSION=0.4"], ["LAYOUT=FLAT"]])
def test_it_opens_where_what_is_not_there_is_forbidden(there, request, options):
    """S3 without the right to list answers 403 instead of 404."""
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", source(), "BLOCKSIZE=64", *options)
    there.proxy.forbids_missing = True
    try:
        assert (read_all(there, path) == gdaltest.pixels(source())).all()
        with pytest.raises(RuntimeError, match="none.ome.zarr"):
            gdal.Open(f"OMEZARR:{there.root}/none.ome.zarr")
    finally:
        there.proxy.forbids_missing = False


def test_opening_takes_few_requests_and_a_chunk_one(there, request):
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", source(), "BLOCKSIZE=64")
    gdal.VSICurlClearCache()
    with there.proxy.lock:
        there.proxy.requests.clear()
    dataset = gdal.Open(f"OMEZARR:{there.root}/{path}")
    with there.proxy.lock:
        asked = [key for _, key in there.proxy.requests if f"{path}/" in key]
        there.proxy.requests.clear()
    assert len(asked) <= (3 if isinstance(there, s3proxy.S3) else 4), asked  # Azure is asked for the size of a document first
    gdaltest.pixels(dataset)
    with there.proxy.lock:
        asked = [key for _, key in there.proxy.requests]
    assert len(asked) == len(set(asked)) == 3 * 3 * 3, asked


def test_tensorstore_reads_it_from_there(there, request, monkeypatch):
    tensorstore = pytest.importorskip("tensorstore")
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
    store = there.tensorstore(f"{path}/0/", monkeypatch)
    array = tensorstore.open({"driver": "zarr3", "kvstore": store}, read=True).result().read().result()
    np.testing.assert_array_equal(array.reshape(1, 50, 60), gdaltest.random_array((1, 50, 60), "uint8", 1))


def test_google_cloud_storage_gets_the_same_objects(there, whole, request):
    """moto answers GDAL's requests for /vsigs/ as well."""
    if not isinstance(there, s3proxy.Moto):
        pytest.skip("this server is not asked as Google's")
    path = name_of(request)
    options = {"CPL_GS_ENDPOINT": f"http://127.0.0.1:{there.proxy.port}/", "GS_ACCESS_KEY_ID": "a", "GS_SECRET_ACCESS_KEY": "b"}
    for name, value in options.items():
        gdal.SetConfigOption(name, value)
    try:
        with there.proxy.rule(503, first=4, part=path) as rule:
            gdaltest.write(f"/vsigs/bucket/{path}", small(), *SMALL)
        assert rule.n_done == 1 and there.objects(path + "/") == whole
        with pytest.raises(RuntimeError, match="OVERWRITE=YES"):
            gdaltest.create_copy(f"/vsigs/bucket/{path}", small(), *SMALL)
        assert (gdaltest.pixels(gdal.Open(f"OMEZARR:/vsigs/bucket/{path}")) == gdaltest.random_array((1, 50, 60), "uint8", 1)).all()
    finally:
        for name in options:
            gdal.SetConfigOption(name, None)


# -- Two writers, dead writers -----------------------------------------------------------------------------------------


def start(there, source, path, *options, through_proxy=False):
    command = ["gdal_translate", "-q", "-of", "OMEZARR"]
    given = [option.split("=")[0] for option in options]
    for option in [*(option for option in SMALL if option.split("=")[0] not in given), *options]:
        command += ["-co", option]
    environment = dict(os.environ, GDAL_PAM_ENABLED="NO", **there.options(through_proxy))
    return subprocess.Popen(command + [source, f"{there.root}/{path}"], env=environment, stdin=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def kill_in_request(there, rule, source, path, *options):
    """A copy that is killed while a request of it, which the rule names, waits for an answer that does not come."""
    with there.proxy.rule("hang", **rule) as rule:
        process = start(there, source, path, *options, through_proxy=True)
        is_met = rule.is_met.wait(100)
        process.kill()
        _, said = process.communicate()
    assert is_met and process.returncode == -signal.SIGKILL, said


def test_of_two_writers_exactly_one_wins(there, tmp_path, request):
    sources = []
    for seed in (1, 2):
        sources.append(str(tmp_path / f"{seed}.tif"))
        gdal.GetDriverByName("GTiff").CreateCopy(sources[-1], small(seed)).FlushCache()
    expected = [files(gdaltest.write(tmp_path / f"{n}", gdal.Open(source), *SMALL)) for n, source in enumerate(sources)]
    for n in range(8):
        path = f"{n}{name_of(request)}"
        options = ["OVERWRITE=YES"] if n % 2 else []
        writers = [start(there, source, path, *options) for source in sources]
        errors = [writer.communicate()[1] for writer in writers]
        wins = [writer.returncode == 0 for writer in writers]
        if options and wins == [True, True]:  # one after the other
            assert there.objects(path + "/") in expected
            continue
        assert sorted(wins) == [False, True], errors
        assert there.objects(path + "/") == expected[wins.index(True)]
        assert "another program" in errors[wins.index(False)] or "OVERWRITE=YES" in errors[wins.index(False)]


def test_a_claim_that_comes_between_looking_and_putting_is_respected(there, request):
    """GDAL answers Azure's 409 to If-None-Match by deleting what is there."""
    path, other = name_of(request), b"1 elsewhere 0x1-1 writing"
    with there.proxy.rule(lambda: there.put(f"{path}/.omezarr-claim", other), part=f"{path}/.omezarr-claim") as rule:
        message = gdaltest.refused(f"{there.root}/{path}", small(), "OVERWRITE=YES", *SMALL)
    assert rule.n_done == 1 and "another program" in message
    assert there.objects(path + "/") == {".omezarr-claim": other}


@pytest.mark.parametrize("size", [0, 5 << 20])
def test_a_root_that_comes_before_ours_is_an_error(there, request, size):
    """size: of the metadata; GDAL sends more than 4 MiB to Azure in parts, for which there is no condition."""
    path = name_of(request)
    image = small()
    image.SetMetadataItem("LONG", "x" * size)
    with there.proxy.rule(lambda: there.put(f"{path}/zarr.json", b"{}"), part=f"{path}/zarr.json") as rule:
        message = gdaltest.refused(f"{there.root}/{path}", image, *SMALL)
    assert rule.n_done == 1 and "was put by somebody else" in message


def test_after_a_kill_at_any_put_nothing_opens_and_the_next_run_succeeds(there, tmp_path, whole, request):
    source = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, small()).FlushCache()
    for n in range(1, n_puts(whole) + 1, 2):
        path = f"{n}{name_of(request)}"
        kill_in_request(there, dict(first=n, part=path), source, path)
        assert "zarr.json" not in there.objects(path + "/")
        gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
        assert there.objects(path + "/") == whole


def test_a_claim_that_cannot_be_read_back_is_told_so(there, request):
    """As with credentials that may write but not read: no other program is there."""
    path = name_of(request)
    with there.proxy.rule(403, "GET", 1, 10**6, path), there.proxy.rule(403, "HEAD", 1, 10**6, path):
        message = gdaltest.refused(f"{there.root}/{path}", small(), *SMALL)
    assert "cannot read" in message and f"{path}/.omezarr-claim" in message and "another program" not in message
    gdaltest.write(f"{there.root}/{path}", small(), *SMALL)


def test_a_claim_from_another_machine_is_respected(there, request):
    path = name_of(request)
    there.put(f"{path}/.omezarr-claim", b"1 elsewhere 0x1-1 writing")
    message = gdaltest.refused(f"{there.root}/{path}", small(), "OVERWRITE=YES", *SMALL)
    assert ".omezarr-claim" in message and "remove" in message
    assert there.objects(path + "/") == {".omezarr-claim": b"1 elsewhere 0x1-1 writing"}


def test_a_dead_claim_that_had_not_begun_to_write_gives_no_right_to_remove_what_is_there(there, request):
    path = name_of(request)
    process = subprocess.Popen(["true"])
    process.wait()
    claim = f"{process.pid} {gdaltest.machine()} 0x1-1".encode()
    there.put(f"{path}/.omezarr-claim", claim)
    there.put(f"{path}/notes.txt", b"mine")
    message = gdaltest.refused(f"{there.root}/{path}", small(), "OVERWRITE=YES", *SMALL)
    assert "untouched" in message and there.objects(path + "/") == {"notes.txt": b"mine"}


def dead_claim(there, path):
    process = subprocess.Popen(["true"])
    process.wait()
    there.put(f"{path}/.omezarr-claim", f"{process.pid} {gdaltest.machine()} 0x1-1 writing".encode())


@pytest.mark.parametrize("moment, winner", [(".omezarr-claim", 0), (".omezarr-takeover", 1)])
def test_of_two_that_find_a_dead_claim_one_wins(there, tmp_path, request, moment, winner):
    """Another program runs when the first is about to replace the dead claim, or about to get the right to do so."""
    path, sources, others = name_of(request), [], []
    for seed in (1, 2):
        sources.append(str(tmp_path / f"{seed}.tif"))
        gdal.GetDriverByName("GTiff").CreateCopy(sources[-1], small(seed)).FlushCache()
    expected = files(gdaltest.write(tmp_path / "whole", gdal.Open(sources[winner]), *SMALL))
    dead_claim(there, path)

    def run_another():
        others.append(start(there, sources[1], path))
        others[0].wait()

    with there.proxy.rule(run_another, part=f"{path}/{moment}"):
        first = start(there, sources[0], path, through_proxy=True)
        first.wait()
    both = [first, others[0]]
    said = [run.stderr.read() for run in both]
    assert (both[winner].returncode, said[winner]) == (0, "")
    assert both[1 - winner].returncode == 1 and "another program" in said[1 - winner]
    assert there.objects(path + "/") == expected


def test_who_dies_while_taking_a_claim_over_is_taken_over(there, tmp_path, request):
    path, source = name_of(request), str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, small()).FlushCache()
    whole = files(gdaltest.write(tmp_path / "whole", gdal.Open(source), *SMALL))
    dead_claim(there, path)
    for _ in range(3):
        kill_in_request(there, dict(part=f"{path}/.omezarr-claim"), source, path)
        assert any(".omezarr-takeover" in name for name in there.objects(path + "/"))
    gdaltest.write(f"{there.root}/{path}", gdal.Open(source), *SMALL)
    assert there.objects(path + "/") == whole


def test_a_dead_overwrite_gives_no_right_to_remove_the_old_store(there, tmp_path, request):
    path, source = name_of(request), str(tmp_path / "a.tif")
    gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
    before = there.objects(path + "/")
    gdal.GetDriverByName("GTiff").CreateCopy(source, small(2)).FlushCache()
    kill_in_request(there, dict(method="DELETE", part=path), source, path, "OVERWRITE=YES")
    assert "OVERWRITE=YES" in gdaltest.refused(f"{there.root}/{path}", small(3), *SMALL)
    assert there.objects(path + "/") == before


@pytest.mark.parametrize("resume", ["RESUME=NO", "RESUME=YES"])
def test_after_new_credentials_the_same_program_succeeds(there, tmp_path, request, resume):
    """Where nothing is allowed any more, what was put cannot be removed, nor the claim."""
    path, source = name_of(request), str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, small()).FlushCache()
    whole = files(gdaltest.write(tmp_path / "whole", gdal.Open(source), *SMALL))
    with contextlib.ExitStack() as rules:
        def expire():
            there.proxy.rules.extend(s3proxy.Rule(403, method, count=10**6) for method in ("GET", "HEAD", "PUT", "POST", "DELETE"))

        rules.enter_context(there.proxy.rule(expire, first=6, part=path))
        rules.callback(lambda: there.proxy.rules.__delitem__(slice(1, None)))
        message = gdaltest.refused(f"{there.root}/{path}", gdal.Open(source), resume, *SMALL)
    assert "credentials" in message and ".omezarr-claim" in there.objects(path + "/")
    gdaltest.write(f"{there.root}/{path}", gdal.Open(source), resume, *SMALL)
    assert there.objects(path + "/") == whole


# -- Changes in place, and runs that go on -------------------------------------------------------------------------------


def change(path):
    dataset = gdal.OpenEx(str(path), gdal.OF_RASTER | gdal.OF_UPDATE)
    dataset.GetRasterBand(2).WriteRaster(20, 30, 50, 40, gdaltest.random_array((40, 50), "uint16", 5).tobytes())
    dataset.GetRasterBand(1).SetDescription("first")
    dataset.SetMetadataItem("changed", "yes")
    dataset.FlushCache()
    del dataset


@pytest.mark.parametrize("options", [["SHARD=NONE"], ["NGFF_VERSION=0.4"]])
def test_a_store_is_changed_in_place(there, tmp_path, request, options):
    path = name_of(request).replace("[", "").replace("]", "")
    for place in (f"{there.root}/{path}", tmp_path / "a.ome.zarr"):
        gdaltest.write(place, source(), "BLOCKSIZE=32", *options)
        before = gdaltest.pixels(gdal.Open(str(place)))
        change(place)
        after = gdaltest.pixels(gdal.Open(str(place)))
        assert (after != before).any()
    found = there.objects(path + "/")
    assert found == files(tmp_path / "a.ome.zarr")
    assert not [key for key in found if "omezarr-" in key], "neither claim nor mark is left"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pixels_in_shards_are_not_changed_there(there, request):
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", source(), "BLOCKSIZE=32", "SHARD=128")
    before = there.objects(path + "/")
    with gdaltest.collected_messages() as messages:
        try:
            change(f"{there.root}/{path}")
            said = ""
        except RuntimeError as error:
            said = str(error)
    assert any("shard" in text and path in text for text in [said, *messages.errors()]), (said, messages.errors())
    assert there.objects(path + "/") == before


def test_a_killed_run_goes_on(there, tmp_path, request):
    source = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, small()).FlushCache()
    whole = files(gdaltest.write(tmp_path / "whole.ome.zarr", gdal.Open(source), *SMALL))
    for n in range(2, n_puts(whole) + 1, 3):
        path = f"{n}{name_of(request)}"
        kill_in_request(there, dict(first=n, part=path), source, path, "RESUME=YES")
        assert "zarr.json" not in there.objects(path + "/")
        again = start(there, source, path, "RESUME=YES")
        assert (again.wait(), again.stderr.read()) == (0, "")
        assert there.objects(path + "/") == whole


def test_a_run_that_is_killed_in_a_label_image_goes_on_there(there, tmp_path, request):
    first = gdaltest.write(tmp_path / "a.ome.zarr", small(), *SMALL)
    for name in "cells", "more":
        gdaltest.write(f'OMEZARR:"{first}":labels/{name}', small(len(name)), "BLOCKSIZE=32")
    whole = files(gdaltest.write(tmp_path / "whole.ome.zarr", gdal.Open(first), *SMALL))
    path = name_of(request)
    kill_in_request(there, dict(method="PUT", part=f"{path}/labels/more/0/c/"), first, path, "RESUME=YES")
    assert "zarr.json" not in there.objects(path + "/")
    again = start(there, first, path, "RESUME=YES")
    assert (again.wait(), again.stderr.read()) == (0, "") and there.objects(path + "/") == whole


def test_a_run_that_is_killed_in_a_further_image_goes_on_there(there, tmp_path, request):
    options, source = ["LAYOUT=BIOFORMATS2RAW", "SERIES=ALL"], several_images(tmp_path / "two.tif", 25, 60)
    gdal.Translate(str(tmp_path / "whole.ome.zarr"), source, format="OMEZARR", creationOptions=["BLOCKSIZE=32", "NUM_THREADS=1", *options])
    whole = files(tmp_path / "whole.ome.zarr")
    for n, part in enumerate(("1/0/c/0/0/0/1/", "OME/METADATA.ome.xml")):
        path = f"{n}{name_of(request)}"
        kill_in_request(there, dict(method="PUT", part=f"{path}/{part}"), source, path, *options, "RESUME=YES")
        assert "zarr.json" not in there.objects(path + "/")
        again = start(there, source, path, *options, "RESUME=YES")
        assert (again.wait(), again.stderr.read()) == (0, "") and there.objects(path + "/") == whole


# -- Stacks of pages as source ---------------------------------------------------------------------------------------------


def stack_of_pages(there, name):
    """Its pixels; what they are named by, for GDAL's two ways to the object."""
    tifffile = pytest.importorskip("tifffile")
    planes, bytes_of_it = np.random.default_rng(5).integers(0, 60000, (40, 40, 56), dtype="uint16"), io.BytesIO()
    with tifffile.TiffWriter(bytes_of_it) as file:
        for plane in planes:
            file.write(plane, contiguous=False, compression="zlib", photometric="minisblack", metadata=None)
    is_s3 = there.root.startswith("/vsis3/")
    if is_s3:
        there.client.put_object(Bucket="bucket", Key=name, Body=bytes_of_it.getvalue(), ACL="public-read")
    else:
        there.put(name, bytes_of_it.getvalue())
    return planes, [f"{there.root}/{name}"] + [f"/vsicurl/http://127.0.0.1:{there.proxy.port}/bucket/{name}"] * is_s3


def test_all_pages_of_a_stack_are_read(there, tmp_path):
    planes, names = stack_of_pages(there, "pages.tif")
    for i, name in enumerate(names):
        store = gdaltest.write(tmp_path / f"{i}.ome.zarr", gdal.Open(name), "VERIFY=SOURCE")
        np.testing.assert_array_equal(gdaltest.zarr_levels(store)[0], planes)


@pytest.mark.parametrize("status", [403, 500])
def test_a_page_that_the_server_does_not_give_is_an_error_with_its_path(there, tmp_path, status):
    """From the first or the last request for pixels on, the server gives nothing."""
    _, names = stack_of_pages(there, "fault.tif")
    for name in names:
        opened = gdal.Open(name)
        gdal.VSICurlClearCache()
        n_before = there.proxy.count("GET")
        gdaltest.write(tmp_path / "a.ome.zarr", opened, "OVERWRITE=YES")
        n = there.proxy.count("GET") - n_before
        assert n > 1
        for first in (1, n):
            gdal.VSICurlClearCache()
            with there.proxy.rule(status, "GET", first=first, count=1000) as rule, gdaltest.collected_messages():
                with pytest.raises(RuntimeError, match="fault.tif"):
                    gdaltest.write(tmp_path / "b.ome.zarr", opened)
            assert rule.n_done > 0 and not os.path.exists(tmp_path / "b.ome.zarr")


# -- Parts ---------------------------------------------------------------------------------------------------------------


def omezarr(there, command, path, *more):
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
    environment = dict(os.environ, **there.options())
    return subprocess.run([program, command, *more, f"{there.root}/{path}"], env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def in_a_file(tmp_path):
    path = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(path, small()).FlushCache()
    return path


@pytest.fixture
def one_run(tmp_path, in_a_file):
    return files(gdaltest.write(tmp_path / "one", gdal.Open(in_a_file), *SMALL))


def make_parts(there, source, path, numbers, n, *options):
    """All at once, each by a program."""
    parts = [start(there, source, path, f"PART={i}/{n}", *options) for i in numbers]
    said = [part.communicate()[1] for part in parts]
    return [part.returncode for part in parts], said


def test_parts_that_begin_at_once_are_the_objects_of_one_run(there, one_run, in_a_file, request):
    for turn in range(3):
        path = f"{turn}{name_of(request)}"
        codes, said = make_parts(there, in_a_file, path, [1, 2, 3, 2], 3)
        assert codes == [0] * 4, said
        assert "zarr.json" not in there.objects(path + "/")
        assert omezarr(there, "status", path).stdout == f"{there.root}/{path}: all 3 parts are there\n"
        ended = omezarr(there, "finish", path)
        assert ended.returncode == 0, ended.stderr
        assert there.objects(path + "/") == one_run
        assert "no parts are there" in omezarr(there, "finish", path).stderr


def test_parts_are_refused_finished_too_early_and_abandoned(there, in_a_file, request):
    path = name_of(request)
    assert make_parts(there, in_a_file, path, [1], 2)[0] == [0]
    kept = there.objects(path + "/")
    for options in ("PART=2/3",), ("PART=2/2", "BLOCKSIZE=16"), ():
        refused = start(there, in_a_file, path, *options)
        assert "holds the parts (PART) of another run" in refused.communicate()[1] and refused.returncode != 0
    early = omezarr(there, "finish", path)
    assert early.returncode == 1 and "1 of 2 parts are missing: 2" in early.stderr
    assert there.objects(path + "/") == kept
    assert omezarr(there, "abandon", path).returncode == 0 and there.objects(path + "/") == {}
    assert make_parts(there, in_a_file, path, [2], 2, "BLOCKSIZE=16")[0] == [0]
    assert omezarr(there, "abandon", path).returncode == 0


def test_parts_do_not_replace_what_is_there(there, in_a_file, request):
    path = name_of(request)
    gdaltest.write(f"{there.root}/{path}", small(), *SMALL)
    kept = there.objects(path + "/")
    for options in (), ("OVERWRITE=YES",):
        codes, said = make_parts(there, in_a_file, path, [1], 2, *options)
        assert codes != [0] and f"{path} exists" in said[0] and "remove it" in said[0]
        assert there.objects(path + "/") == kept
    there.put("notes" + path + "/notes.txt", b"mine")
    codes, said = make_parts(there, in_a_file, "notes" + path, [1], 2)
    assert codes != [0] and "untouched" in said[0] and there.objects("notes" + path + "/") == {"notes.txt": b"mine"}


@pytest.mark.parametrize("what", ["part", "finish"])
def test_after_a_kill_at_any_put_the_same_again_succeeds(there, one_run, in_a_file, request, what):
    for n in range(1, 30, 6):
        path = f"{n}{name_of(request)}"
        if what == "finish":
            assert make_parts(there, in_a_file, path, [1, 2], 2)[0] == [0, 0]
        with there.proxy.rule("hang", first=n, part=path) as rule:
            program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
            environment = dict(os.environ, GDAL_PAM_ENABLED="NO", **there.options(True))
            process = start(there, in_a_file, path, "PART=1/2", through_proxy=True) if what == "part" else \
                subprocess.Popen([program, "finish", f"{there.root}/{path}"], env=environment, stderr=subprocess.PIPE, text=True)
            while process.poll() is None and not rule.is_met.wait(0.05):
                pass
            process.kill()
            process.communicate()
        objects = there.objects(path + "/")
        assert "zarr.json" not in objects or (what == "finish" and {**objects, **one_run} == objects)
        if what == "part":
            codes, said = make_parts(there, in_a_file, path, [2, 1], 2)
            assert codes == [0, 0], (n, said)
        ended = omezarr(there, "finish", path)
        assert ended.returncode == 0 or "no parts are there" in ended.stderr, (n, ended.stderr)
        assert there.objects(path + "/") == one_run, n
        if process.returncode == 0:
            break


def test_a_part_that_was_forgotten_stops(there, in_a_file, request):
    path = name_of(request)
    with there.proxy.rule("hang", first=2, part=path + "/0") as rule:
        process = start(there, in_a_file, path, "PART=1/2", through_proxy=True)
        assert rule.is_met.wait(100)
        assert omezarr(there, "abandon", path).returncode == 0
        time.sleep(1.2)
    said = process.communicate()[1]
    assert process.returncode != 0 and ("in the meantime" in said or "cannot write" in said), said
