"""Straight to an object store: a real S3 server (moto) on 127.0.0.1, looked at with boto3, not with GDAL; and behind a
proxy that fails, hangs up, and loses answers."""

import os
import re
import signal
import subprocess
import time

import gdaltest
import numpy as np
import pytest

pytest.importorskip("boto3")
pytest.importorskip("moto.server")

import s3proxy  # noqa: E402
from osgeo import gdal  # noqa: E402


@pytest.fixture(scope="module")
def servers():
    """A bucket of a server of its own; the options that lead GDAL to it hold while the module runs."""
    servers = s3proxy.Servers()
    options = dict(servers.options(), GDAL_HTTP_RETRY_DELAY="0.01")
    for name, value in options.items():
        gdal.SetConfigOption(name, value)
    yield servers
    for name in options:
        gdal.SetConfigOption(name, None)
    servers.close()


@pytest.fixture
def s3(servers):
    gdal.VSICurlClearCache()
    yield servers.client
    assert servers.uploads() == []


def objects(client, prefix):
    """Key below the prefix -> bytes."""
    found, more = {}, {}
    while True:
        page = client.list_objects_v2(Bucket="bucket", Prefix=prefix, **more)
        for entry in page.get("Contents", []):
            body = client.get_object(Bucket="bucket", Key=entry["Key"])["Body"].read()
            found[entry["Key"][len(prefix):]] = body
        if not page.get("IsTruncated"):
            return found
        more = {"ContinuationToken": page["NextContinuationToken"]}


def files(path):
    return {name: body for name, body in gdaltest.snapshot(path).items() if body != "folder"}


def source(size=150, dtype="uint16"):
    return gdaltest.mem(gdaltest.smooth_array((3, size, size + 7), dtype), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")


@pytest.mark.parametrize("options", [[], ["NGFF_VERSION=0.4"], ["SHARD=128"], ["LAYOUT=FLAT"]])
def test_the_objects_are_the_files_of_a_local_store(s3, tmp_path, options):
    name = "same" + "".join(options).replace("=", "").replace(".", "")
    local = gdaltest.write(tmp_path / "a.ome.zarr", source(), "BLOCKSIZE=64", *options)
    gdaltest.write(f"/vsis3/bucket/{name}.ome.zarr", source(), "BLOCKSIZE=64", *options)
    assert objects(s3, f"{name}.ome.zarr/") == files(local)


def test_it_opens_there_with_pixels_and_overviews(s3):
    gdaltest.write("/vsis3/bucket/open.ome.zarr", source(), "BLOCKSIZE=64")
    dataset = gdal.Open("/vsis3/bucket/open.ome.zarr")  # in the same process, that looked there before
    assert (gdaltest.pixels(dataset) == gdaltest.pixels(source())).all()
    assert dataset.GetRasterBand(1).GetOverviewCount() == 2


def test_threads_that_decode_have_the_options_of_the_thread_that_reads(s3):
    """The way to the server is known to one thread only."""
    path = "/vsis3/bucket/local.ome.zarr"
    gdaltest.write(path, source(), "BLOCKSIZE=16")
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_S3_ENDPOINT", "AWS_HTTPS", "AWS_VIRTUAL_HOSTING"]
    saved = {name: gdal.GetConfigOption(name) for name in names}
    gdal.VSICurlClearCache()
    for name, value in saved.items():
        gdal.SetConfigOption(name, None)
        gdal.SetThreadLocalConfigOption(name, value)
    try:
        dataset = gdal.OpenEx(path, open_options=["NUM_THREADS=4"])
        assert (gdaltest.pixels(dataset) == gdaltest.pixels(source())).all()
        assert gdal.GetThreadLocalConfigOption("AWS_REGION") == "us-east-1"
    finally:
        for name, value in saved.items():
            gdal.SetThreadLocalConfigOption(name, None)
            gdal.SetConfigOption(name, value)


def test_an_existing_store_is_refused_and_replaced_whole_on_request(s3):
    path = "/vsis3/bucket/twice.ome.zarr"
    gdaltest.write(path, source(), "BLOCKSIZE=32")
    before = objects(s3, "twice.ome.zarr/")
    with pytest.raises(RuntimeError, match="OVERWRITE=YES"):
        gdaltest.create_copy(path, source(60), "BLOCKSIZE=32")
    assert objects(s3, "twice.ome.zarr/") == before
    gdaltest.write(path, source(60), "BLOCKSIZE=32", "OVERWRITE=YES")
    gdaltest.write("/vsis3/bucket/once.ome.zarr", source(60), "BLOCKSIZE=32")
    assert objects(s3, "twice.ome.zarr/") == objects(s3, "once.ome.zarr/")  # no key of the old store is left


def test_foreign_objects_are_left_alone(s3):
    s3.put_object(Bucket="bucket", Key="mine.ome.zarr/notes.txt", Body=b"mine")
    with pytest.raises(RuntimeError, match="untouched"):
        gdaltest.create_copy("/vsis3/bucket/mine.ome.zarr", source(), "OVERWRITE=YES")
    assert objects(s3, "mine.ome.zarr/") == {"notes.txt": b"mine"}


def test_a_missing_bucket_is_an_error_with_the_path(s3):
    with pytest.raises(RuntimeError, match="/vsis3/nowhere/a.ome.zarr"):
        gdaltest.create_copy("/vsis3/nowhere/a.ome.zarr", source(), "BLOCKSIZE=64")


@pytest.mark.parametrize("at", [0.0, 0.3, 0.9])
def test_a_cancelled_run_leaves_no_object(s3, at):
    with pytest.raises(RuntimeError):
        gdaltest.create_copy(f"/vsis3/bucket/stop{at}.ome.zarr", source(), "BLOCKSIZE=16",
                             callback=lambda share, *_: share < at)
    assert objects(s3, f"stop{at}.ome.zarr/") == {}


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
def test_each_put_in_turn_fails_once_and_the_store_is_whole(s3, servers, whole, request, shift):
    actions = [503, "reset", "lost", 500, 429]
    for n in range(1, n_puts(whole) + 1):
        path, action = f"{n}{name_of(request)}", actions[(n + shift) % 5]
        with servers.proxy.rule(action, first=n, part=path) as rule:
            gdaltest.write(f"/vsis3/bucket/{path}", small(), *SMALL)
        assert rule.n_done == 1 and rule.n_seen == n_puts(whole) + 1, (n, action)
        assert objects(s3, path + "/") == whole, (n, action)


@pytest.mark.parametrize("action", [403, 503, "reset"])
def test_each_put_in_turn_fails_for_ever_and_nothing_is_left(s3, servers, whole, request, action):
    for n in range(1, n_puts(whole) + 1):
        path = f"{n}{name_of(request)}"
        with servers.proxy.rule(action, first=n, count=10**6, part=path) as rule:
            message = gdaltest.refused(f"/vsis3/bucket/{path}", small(), *SMALL)
        assert rule.n_done == (1 if action == 403 else 5), (n, rule.n_done)
        assert f"/vsis3/bucket/{path}" in message and "credentials" in message and "canary" not in message
        if action == 403:
            assert "AccessDenied" in message and "expired" in message
        assert objects(s3, path + "/") == {}, n
        with pytest.raises(RuntimeError):
            gdal.Open(f"OMEZARR:/vsis3/bucket/{path}")


def test_a_server_that_hangs_once_is_given_up_after_the_timeout(s3, servers, whole, request):
    path = name_of(request)
    with gdaltest.config_option("GDAL_HTTP_TIMEOUT", "2"), servers.proxy.rule("hang", first=4, part=path):
        gdaltest.write(f"/vsis3/bucket/{path}", small(), *SMALL)
    assert objects(s3, path + "/") == whole


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_an_overwrite_with_faults_mixes_nothing(s3, servers, tmp_path, request, version):
    options = SMALL + [f"NGFF_VERSION={version}"]
    new = files(gdaltest.write(tmp_path / "new", small(2), *options))
    large = gdaltest.mem(gdaltest.random_array((1, 100, 90), "uint8", 3))
    for n, (method, action) in enumerate([("DELETE", 503), ("DELETE", "reset"), ("DELETE", "lost"), ("GET", 503), ("GET", "reset"), ("PUT", "lost")]):
        path = f"{n}{name_of(request)}"
        gdaltest.write(f"/vsis3/bucket/{path}", large, *options)
        with servers.proxy.rule(action, method=method, first=2, part=path) as rule:
            gdaltest.write(f"/vsis3/bucket/{path}", small(2), "OVERWRITE=YES", *options)
        assert rule.n_done == 1
        assert objects(s3, path + "/") == new, (method, action)


def test_what_cannot_be_deleted_is_not_overwritten(s3, servers, request):
    path = name_of(request)
    gdaltest.write(f"/vsis3/bucket/{path}", small(), *SMALL)
    before = objects(s3, path + "/")
    with servers.proxy.rule(403, method="DELETE", count=10**6, part=path):
        message = gdaltest.refused(f"/vsis3/bucket/{path}", small(2), "OVERWRITE=YES", *SMALL)
    assert "cannot be removed" in message
    left = objects(s3, path + "/")
    assert left.pop(".omezarr-claim") and left == before


@pytest.mark.parametrize("action", [403, 503, "reset"])
def test_a_place_that_cannot_be_looked_at_is_not_written(s3, servers, request, action):
    """The existing store would else look like a free place."""
    path = name_of(request)
    gdaltest.write(f"/vsis3/bucket/{path}", small(), *SMALL)
    before = objects(s3, path + "/")
    for part in (path, "prefix="):
        with servers.proxy.rule(action, method="GET", count=10**6, part=part):
            gdaltest.refused(f"/vsis3/bucket/{path}", small(2), *SMALL)
        assert {k: v for k, v in objects(s3, path + "/").items() if k != ".omezarr-claim"} == before
        s3.delete_object(Bucket="bucket", Key=f"{path}/.omezarr-claim")


def test_a_large_object_is_one_put(s3, servers, request):
    array = np.random.default_rng(1).integers(0, 256, (1, 7600, 8000), dtype="uint8")
    path = name_of(request)
    gdaltest.write(f"/vsis3/bucket/{path}", gdaltest.mem(array), "COMPRESS=NONE", "BLOCKSIZE=4000", "SHARD=8000", "OVERVIEWS=NONE")
    sizes = [e["Size"] for e in s3.list_objects_v2(Bucket="bucket", Prefix=path)["Contents"]]
    assert max(sizes) > 60 << 20
    assert not [p for m, p in servers.proxy.requests if path in p and ("uploads" in p or "partNumber" in p)]
    for entry in s3.list_objects_v2(Bucket="bucket", Prefix=path)["Contents"]:
        s3.delete_object(Bucket="bucket", Key=entry["Key"])


# -- Reading -----------------------------------------------------------------------------------------------------------


def read_all(path):
    gdal.VSICurlClearCache()
    return gdaltest.pixels(gdal.Open(f"OMEZARR:/vsis3/bucket/{path}"))


@pytest.mark.parametrize("options", [["SHARD=NONE"], ["SHARD=64"]])
def test_a_missing_chunk_is_fill_and_a_failed_one_is_never(s3, servers, request, options):
    array = np.zeros((1, 130, 130), "uint8")
    array[0, 70:, 70:] = 9
    path = name_of(request)
    gdaltest.write(f"/vsis3/bucket/{path}", gdaltest.mem(array), "BLOCKSIZE=32", *options)
    assert (read_all(path) == array).all()
    for action in (503, "reset", 500):
        with servers.proxy.rule(action, method="GET", part="image/c/0/", first=2) as rule:
            assert (read_all(path) == array).all()
        assert rule.n_done == 1
    for action in (403, "bare 403", 503, "reset"):
        with servers.proxy.rule(action, method="GET", part="image/c/0/", first=2, count=10**6):
            with pytest.raises(RuntimeError):
                read_all(path)


def test_tensorstore_reads_it_from_there(s3, servers, request, monkeypatch):
    tensorstore = pytest.importorskip("tensorstore")
    path = name_of(request)
    gdaltest.write(f"/vsis3/bucket/{path}", small(), *SMALL)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    store = {"driver": "s3", "bucket": "bucket", "path": f"{path}/0/", "endpoint": f"http://127.0.0.1:{servers.port}", "aws_region": "us-east-1"}
    array = tensorstore.open({"driver": "zarr3", "kvstore": store}, read=True).result().read().result()
    np.testing.assert_array_equal(array.reshape(1, 50, 60), gdaltest.random_array((1, 50, 60), "uint8", 1))


def test_google_cloud_storage_gets_the_same_objects(s3, servers, whole, request):
    """moto answers GDAL's requests for /vsigs/ as well."""
    path = name_of(request)
    options = {"CPL_GS_ENDPOINT": f"http://127.0.0.1:{servers.proxy.port}/", "GS_ACCESS_KEY_ID": "a", "GS_SECRET_ACCESS_KEY": "b"}
    for name, value in options.items():
        gdal.SetConfigOption(name, value)
    try:
        with servers.proxy.rule(503, first=4, part=path) as rule:
            gdaltest.write(f"/vsigs/bucket/{path}", small(), *SMALL)
        assert rule.n_done == 1 and objects(s3, path + "/") == whole
        with pytest.raises(RuntimeError, match="OVERWRITE=YES"):
            gdaltest.create_copy(f"/vsigs/bucket/{path}", small(), *SMALL)
        assert (gdaltest.pixels(gdal.Open(f"OMEZARR:/vsigs/bucket/{path}")) == gdaltest.random_array((1, 50, 60), "uint8", 1)).all()
    finally:
        for name in options:
            gdal.SetConfigOption(name, None)


# -- Two writers, dead writers -----------------------------------------------------------------------------------------


def start(servers, source, path, *options, through_proxy=False):
    command = ["gdal_translate", "-q", "-of", "OMEZARR"]
    for option in SMALL + list(options):
        command += ["-co", option]
    environment = dict(os.environ, GDAL_PAM_ENABLED="NO", **servers.options(through_proxy))
    return subprocess.Popen(command + [source, f"/vsis3/bucket/{path}"], env=environment, stdin=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def test_of_two_writers_exactly_one_wins(s3, servers, tmp_path, request):
    sources = []
    for seed in (1, 2):
        sources.append(str(tmp_path / f"{seed}.tif"))
        gdal.GetDriverByName("GTiff").CreateCopy(sources[-1], small(seed)).FlushCache()
    expected = [files(gdaltest.write(tmp_path / f"{n}", gdal.Open(source), *SMALL)) for n, source in enumerate(sources)]
    for n in range(8):
        path = f"{n}{name_of(request)}"
        options = ["OVERWRITE=YES"] if n % 2 else []
        writers = [start(servers, source, path, *options) for source in sources]
        errors = [writer.communicate()[1] for writer in writers]
        wins = [writer.returncode == 0 for writer in writers]
        if options and wins == [True, True]:  # one after the other
            assert objects(s3, path + "/") in expected
            continue
        assert sorted(wins) == [False, True], errors
        assert objects(s3, path + "/") == expected[wins.index(True)]
        assert "another program" in errors[wins.index(False)] or "OVERWRITE=YES" in errors[wins.index(False)]


def test_after_a_kill_at_any_put_nothing_opens_and_the_next_run_succeeds(s3, servers, tmp_path, whole, request):
    source = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, small()).FlushCache()
    for n in range(1, n_puts(whole) + 1, 2):
        path = f"{n}{name_of(request)}"
        with servers.proxy.rule("hang", first=n, part=path) as rule:
            process = start(servers, source, path, through_proxy=True)
            while rule.n_done == 0 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert "zarr.json" not in objects(s3, path + "/")
        gdaltest.write(f"/vsis3/bucket/{path}", small(), *SMALL)
        assert objects(s3, path + "/") == whole


def test_a_claim_from_another_machine_is_respected(s3, request):
    path = name_of(request)
    s3.put_object(Bucket="bucket", Key=f"{path}/.omezarr-claim", Body=b"1 elsewhere 0x1-1 writing")
    message = gdaltest.refused(f"/vsis3/bucket/{path}", small(), "OVERWRITE=YES", *SMALL)
    assert ".omezarr-claim" in message and "remove" in message
    assert objects(s3, path + "/") == {".omezarr-claim": b"1 elsewhere 0x1-1 writing"}


def test_a_dead_claim_that_had_not_begun_to_write_gives_no_right_to_remove_what_is_there(s3, request):
    path = name_of(request)
    process = subprocess.Popen(["true"])
    process.wait()
    claim = f"{process.pid} {os.uname().nodename} 0x1-1".encode()
    s3.put_object(Bucket="bucket", Key=f"{path}/.omezarr-claim", Body=claim)
    s3.put_object(Bucket="bucket", Key=f"{path}/notes.txt", Body=b"mine")
    message = gdaltest.refused(f"/vsis3/bucket/{path}", small(), "OVERWRITE=YES", *SMALL)
    assert "untouched" in message and objects(s3, path + "/") == {"notes.txt": b"mine"}


# -- Changes in place, and runs that go on -------------------------------------------------------------------------------


def change(path):
    dataset = gdal.OpenEx(str(path), gdal.OF_RASTER | gdal.OF_UPDATE)
    dataset.GetRasterBand(2).WriteRaster(20, 30, 50, 40, gdaltest.random_array((40, 50), "uint16", 5).tobytes())
    dataset.GetRasterBand(1).SetDescription("first")
    dataset.SetMetadataItem("changed", "yes")
    dataset.FlushCache()
    del dataset


@pytest.mark.parametrize("options", [["SHARD=NONE"], ["NGFF_VERSION=0.4"]])
def test_a_store_is_changed_in_place(s3, tmp_path, request, options):
    path = name_of(request).replace("[", "").replace("]", "")
    for place in (f"/vsis3/bucket/{path}", tmp_path / "a.ome.zarr"):
        gdaltest.write(place, source(), "BLOCKSIZE=32", *options)
        before = gdaltest.pixels(gdal.Open(str(place)))
        change(place)
        after = gdaltest.pixels(gdal.Open(str(place)))
        assert (after != before).any()
    found = objects(s3, path + "/")
    assert found == files(tmp_path / "a.ome.zarr")
    assert not [key for key in found if "omezarr-" in key], "neither claim nor mark is left"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pixels_in_shards_are_not_changed_there(s3, request):
    path = name_of(request)
    gdaltest.write(f"/vsis3/bucket/{path}", source(), "BLOCKSIZE=32", "SHARD=128")
    before = objects(s3, path + "/")
    with gdaltest.collected_messages() as messages:
        try:
            change(f"/vsis3/bucket/{path}")
            said = ""
        except RuntimeError as error:
            said = str(error)
    assert any("shard" in text and path in text for text in [said, *messages.errors()]), (said, messages.errors())
    assert objects(s3, path + "/") == before


def test_a_killed_run_goes_on(s3, servers, tmp_path, request):
    source = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(source, small()).FlushCache()
    whole = files(gdaltest.write(tmp_path / "whole.ome.zarr", gdal.Open(source), *SMALL))
    for n in range(2, n_puts(whole) + 1, 3):
        path = f"{n}{name_of(request)}"
        with servers.proxy.rule("hang", first=n, part=path) as rule:
            process = start(servers, source, path, "RESUME=YES", through_proxy=True)
            while rule.n_done == 0 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert "zarr.json" not in objects(s3, path + "/")
        again = start(servers, source, path, "RESUME=YES")
        assert (again.wait(), again.stderr.read()) == (0, "")
        assert objects(s3, path + "/") == whole
