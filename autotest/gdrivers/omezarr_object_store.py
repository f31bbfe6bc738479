"""Straight to an object store: a real S3 server (moto) on 127.0.0.1, looked at with boto3, not with GDAL."""

import os
import socket
import subprocess
import sys
import time

import pytest

import gdaltest

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto.server")

from osgeo import gdal  # noqa: E402


@pytest.fixture(scope="module")
def s3():
    """A bucket of a server of its own; the options that lead GDAL to it hold while the module runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                          aws_access_key_id="a", aws_secret_access_key="b")
    for _ in range(200):
        try:
            client.create_bucket(Bucket="bucket")
            break
        except Exception:
            assert server.poll() is None, "the S3 server has ended"
            time.sleep(0.1)
    options = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
               "AWS_S3_ENDPOINT": f"127.0.0.1:{port}", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"}
    for name, value in options.items():
        gdal.SetConfigOption(name, value)
    yield client
    for name in options:
        gdal.SetConfigOption(name, None)
    server.terminate()
    server.wait()


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
    dataset = gdal.Open("OMEZARR:/vsis3/bucket/open.ome.zarr")
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
