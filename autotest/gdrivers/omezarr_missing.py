"""What is not there and what cannot be read: by the record of our stores, in every way of reading and changing them."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal

SHAPE = (1, 100, 90)
FORMS = {"plain": [], "0.4": ["NGFF_VERSION=0.4"], "sharded": ["SHARD=64"], "flat": ["LAYOUT=FLAT"]}


def picture(has_mask=False, dtype="uint8"):
    array = gdaltest.random_array(SHAPE, dtype)
    array[:, :32, 32:64] = 0  # empty, and recorded so
    source = gdaltest.mem(array)
    if has_mask:
        source.CreateMaskBand(gdal.GMF_PER_DATASET)
        valid = np.full(SHAPE[1:], 255, "uint8")
        valid[:32, 32:64] = 0
        source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, SHAPE[2], SHAPE[1], valid.tobytes())
    return array, source


def first_chunk(form, level="scale0/image"):
    level = level if form != "flat" else "0"
    return f"{level}/0/0" if form == "0.4" else f"{level}/c/0/0"


def lose(path):
    os.unlink(path)


def make_dangling(path):
    os.unlink(path)
    os.symlink("/nowhere/.git/annex/objects/x", path)


def make_folder(path):
    os.unlink(path)
    os.mkdir(path)


def make_pipe(path):
    os.unlink(path)
    os.mkfifo(path)


def make_loop(path):
    os.unlink(path)
    os.symlink(os.path.basename(path), path)


LOSSES = {"lost": lose, "a dangling link": make_dangling, "a folder": make_folder, "a pipe": make_pipe, "a loop of links": make_loop}


def read(path, **options):
    return gdaltest.pixels(gdal.OpenEx(str(path), open_options=[f"{name}={value}" for name, value in options.items()]))


# -- Reading -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_chunk_that_was_stored_is_read_or_is_an_error(tmp_path, form, loss):
    array, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", *FORMS[form])
    np.testing.assert_array_equal(read(path), array)
    LOSSES[loss](f"{path}/{first_chunk(form)}")
    with pytest.raises(RuntimeError) as told:
        read(path)
    assert f"{path}/{first_chunk(form)}" in str(told.value)
    if loss == "lost":
        assert "MISSING_CHUNKS=FILL" in str(told.value)
        rest = read(path, MISSING_CHUNKS="FILL")
        lost = 64 if form == "sharded" else 32
        assert not rest[:, :lost, :lost].any()
        np.testing.assert_array_equal(rest[:, lost:], array[:, lost:])
    done = subprocess.run(["gdal_translate", "-q", path, str(tmp_path / "out.tif")], capture_output=True, text=True)
    assert done.returncode != 0 and first_chunk(form) in done.stderr


@pytest.mark.parametrize("form", ["plain", "0.4"])
def test_a_lost_mask_and_a_lost_chunk_of_a_mask_are_errors(tmp_path, form):
    _, source = picture(has_mask=True)
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", *FORMS[form])
    chunk = f"{path}/{first_chunk(form, 'ovr_mask/scale0')}"
    kept = open(chunk, "rb").read()
    os.unlink(chunk)
    dataset = gdal.Open(path)
    with pytest.raises(RuntimeError, match=first_chunk(form, "ovr_mask/scale0")):
        dataset.GetRasterBand(1).GetMaskBand().ReadRaster()
    dataset = None
    with open(chunk, "wb") as file:
        file.write(kept)
    os.rename(f"{path}/ovr_mask", tmp_path / "away")
    with pytest.raises(RuntimeError, match="ovr_mask/scale0: the mask is missing"):
        gdal.Open(path)
    dataset = gdal.OpenEx(path, open_options=["MISSING_CHUNKS=FILL"])
    assert dataset.GetRasterBand(1).GetMaskFlags() == gdal.GMF_ALL_VALID


def test_a_store_of_others_has_no_record(tmp_path):
    array, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", "CONSOLIDATED=NO")
    root = gdaltest.read_json(f"{path}/zarr.json")
    del root["attributes"]["omezarr"]
    with open(f"{path}/zarr.json", "w") as file:
        json.dump(root, file)
    os.unlink(f"{path}/{first_chunk('plain')}")
    found = read(path)
    assert not found[:, :32, :32].any()
    np.testing.assert_array_equal(found[:, 32:], array[:, 32:])
    with pytest.raises(RuntimeError, match="MISSING_CHUNKS=ERROR"):
        read(path, MISSING_CHUNKS="ERROR")


def test_another_value_of_the_option_is_refused(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", picture()[1])
    with gdaltest.collected_messages() as messages:
        try:
            assert gdal.OpenEx(path, open_options=["MISSING_CHUNKS=PERHAPS"]) is None
        except RuntimeError as error:
            messages.append((gdal.CE_Failure, str(error)))
    assert any("MISSING_CHUNKS" in text for _, text in messages)


def test_a_process_without_file_handles_does_not_read_fill(tmp_path):
    array, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", "SHARD=64")
    program = f"""import os, resource
from osgeo import gdal
gdal.UseExceptions()
dataset = gdal.Open({path!r})
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
try:
    dataset.ReadRaster()
    print("read")
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "Too many open files" in done.stdout, (done.stdout, done.stderr)


# -- Over the network ----------------------------------------------------------------------------------------------------


@pytest.fixture
def web(tmp_path):
    """A web server of the folder, and the paths that it was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def send_head(self):
            asked.append(self.path)
            return super().send_head()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with gdaltest.config_option("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR"):
        yield f'OMEZARR:"/vsicurl/http://127.0.0.1:{server.server_port}', asked
    gdal.VSICurlClearCache()
    server.shutdown()
    server.server_close()


def chunks_of(asked):
    return [path for path in asked if "/c/" in path]


def test_an_empty_chunk_costs_no_request(tmp_path, web):
    address, asked = web
    array, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    n_stored = sum(len(files) for folder, _, files in os.walk(f"{path}/scale0/image/c"))
    np.testing.assert_array_equal(read(f'{address}/a.ome.zarr"'), array)
    assert not any(path.endswith("/scale0/image/c/0/1") for path in asked)
    assert len({path for path in chunks_of(asked)}) == n_stored
    os.unlink(f"{path}/{first_chunk('plain')}")
    gdal.VSICurlClearCache()
    with pytest.raises(RuntimeError, match="scale0/image/c/0/0: missing"):
        read(f'{address}/a.ome.zarr"')
    found = read(f'{address}/a.ome.zarr"', MISSING_CHUNKS="FILL")
    assert not found[:, :32, :64].any()
    assert any(path.endswith("/scale0/image/c/0/1") for path in asked)


@pytest.mark.parametrize("version,allowed", [("0.5", ".tif,.json"), ("0.4", ".zarray,.zattrs,.zgroup,.zmetadata")])
def test_names_that_gdal_hides_are_read(tmp_path, web, version, allowed):
    address, _ = web
    array, source = picture()
    gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", f"NGFF_VERSION={version}")
    with gdaltest.config_option("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", allowed):
        np.testing.assert_array_equal(read(f'{address}/a.ome.zarr"'), array)


# -- Zarr v2 names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [".", None])
def test_chunks_named_with_the_other_separator_are_read_with_a_warning(tmp_path, declared):
    array = gdaltest.random_array(SHAPE, "uint8")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", "NGFF_VERSION=0.4", "CONSOLIDATED=NO")
    root = gdaltest.read_json(f"{path}/.zattrs")
    del root["omezarr"]
    with open(f"{path}/.zattrs", "w") as file:
        json.dump(root, file)
    for folder, _, files in os.walk(path):
        if ".zarray" in files:
            document = gdaltest.read_json(f"{folder}/.zarray")
            del document["dimension_separator"]
            if declared:
                document["dimension_separator"] = declared
            with open(f"{folder}/.zarray", "w") as file:
                json.dump(document, file)
    with gdaltest.collected_messages() as messages:
        dataset = gdal.Open(path)
        np.testing.assert_array_equal(gdaltest.pixels(dataset), array)
        dataset.ReadRaster()
    assert len([text for text in messages.warnings() if "scale0/image: its chunks have names with '/'" in text]) == 1


# -- Changes in place ----------------------------------------------------------------------------------------------------


def change(path, *open_options):
    """Writes one pixel of the first chunk, and closes."""
    dataset = gdal.OpenEx(str(path), gdal.OF_UPDATE | gdal.OF_RASTER, open_options=list(open_options))
    dataset.GetRasterBand(1).WriteRaster(3, 3, 1, 1, b"7")
    dataset.FlushCache()
    dataset.Close() if hasattr(dataset, "Close") else None


def changed_as_nobody(path, way="WriteRaster"):
    program = f"""from osgeo import gdal
gdal.UseExceptions()
dataset = gdal.Open({str(path)!r}, gdal.GA_Update)
dataset.GetRasterBand(1).WriteRaster(3, 3, 1, 1, b"7")
dataset.FlushCache()
dataset = None
"""
    return subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", program], capture_output=True,
                          text=True, env=dict(os.environ, HOME="/tmp"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_change_does_not_write_over_what_it_cannot_read(tmp_path, form, loss):
    _, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", *FORMS[form])
    LOSSES[loss](f"{path}/{first_chunk(form)}")
    before = {name: os.path.getsize(f"{path}/{name}") if os.path.isfile(f"{path}/{name}") else None for name in gdaltest.files_of(path)}
    with gdaltest.collected_messages() as messages:
        try:
            change(path)
        except RuntimeError as error:
            messages.append((gdal.CE_Failure, str(error)))
    assert any(first_chunk(form) in text for text in messages.errors())
    after = {name: os.path.getsize(f"{path}/{name}") if os.path.isfile(f"{path}/{name}") else None for name in gdaltest.files_of(path)}
    assert after == before


@pytest.mark.root
@pytest.mark.parametrize("form", ["plain", "sharded"])
def test_a_change_by_who_may_not_read_a_chunk_leaves_it(tmp_path, form):
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv")
    array, source = picture()
    for folder in tmp_path, *tmp_path.parents:
        if os.stat(folder).st_mode & 0o5 != 0o5:
            os.chmod(folder, 0o755)
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", *FORMS[form])
    subprocess.run(["chown", "-R", "65534", path], check=True)
    chunk = f"{path}/{first_chunk(form)}"
    os.chmod(chunk, 0)
    before = gdaltest.tree_digest(path)
    done = changed_as_nobody(path)
    assert "Permission denied" in done.stderr and first_chunk(form) in done.stderr, done.stderr
    assert gdaltest.tree_digest(path) == before
    os.chmod(chunk, 0o600)
    np.testing.assert_array_equal(read(path), array)


def test_a_change_takes_missing_chunks_as_fill_where_asked(tmp_path):
    array, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    os.unlink(f"{path}/{first_chunk('plain')}")
    change(path, "MISSING_CHUNKS=FILL")
    expected = array.copy()
    expected[:, :32, :32] = 0
    expected[0, 3, 3] = ord("7")
    np.testing.assert_array_equal(read(path), expected)


def test_a_change_keeps_the_record_right(tmp_path):
    array, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.GetRasterBand(1).WriteRaster(32, 0, 32, 32, b"\1" * 1024)  # was empty
    dataset.GetRasterBand(1).WriteRaster(0, 0, 32, 32, b"\0" * 1024)  # is empty
    dataset = None
    expected = array.copy()
    expected[:, :32, 32:64] = 1
    expected[:, :32, :32] = 0
    np.testing.assert_array_equal(read(path), expected)
    np.testing.assert_array_equal(read(path, MISSING_CHUNKS="ERROR"), expected)
    os.unlink(f"{path}/scale0/image/c/0/1")
    with pytest.raises(RuntimeError, match="scale0/image/c/0/1: missing"):
        read(path)


def test_an_interrupted_change_is_read_without_the_record(tmp_path):
    _, source = picture()
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    os.unlink(f"{path}/{first_chunk('plain')}")
    os.unlink(f"{path}/{first_chunk('plain').replace('scale0', 'ovr_2x')}")
    with open(f"{path}/.omezarr-dirty", "w") as mark:
        mark.write("This OME-Zarr is being changed, or the program that changed it has died.\n")
    with pytest.raises(RuntimeError, match="recorded it as stored"):
        read(path)
    with gdaltest.collected_messages() as messages:  # a level, which is made anew
        assert set(gdal.Open(path).GetRasterBand(1).GetOverview(0).ReadRaster(0, 0, 32, 32)) == {0}
    assert len(messages.warnings()) == 1
    with open(f"{path}/.omezarr-dirty", "w") as mark:
        mark.write("This OME-Zarr is being changed: chunks that hold only fill now are gone.\n")
    with gdaltest.collected_messages() as messages:
        assert not read(path)[:, :32, :32].any()
    assert len(messages.warnings()) == 1


# -- What is said beside the pixels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_there_and_cannot_be_read_does_not_vanish(tmp_path, loss):
    source = picture()[1]
    source.SetMetadata({f"name{i}": "x" * 1000 for i in range(200)})  # too large for the root: an array of its own
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    assert len(gdal.Open(path).GetMetadata()) == 200
    what = next(name for name in gdaltest.files_of(path) if name.startswith("ovr_attributes/") and "/c/" in name)
    LOSSES[loss](f"{path}/{what}")
    with pytest.raises(RuntimeError, match=what):
        gdal.Open(path)
    if loss == "lost":
        assert not gdal.OpenEx(path, open_options=["MISSING_CHUNKS=FILL"]).GetMetadata()


def test_an_attribute_with_the_text_group_makes_no_group(tmp_path):
    array, _ = picture()
    source = gdaltest.mem(array, (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", "CONSOLIDATED=NO")
    name = f"{path}/scale0/y/zarr.json"
    document = gdaltest.read_json(name)
    document["attributes"]["kind"] = "group"
    with open(name, "w") as file:
        json.dump(document, file)
    tool = os.path.join(os.environ["GDAL_DRIVER_PATH"], "omezarr")
    done = subprocess.run([tool, "verify", path], capture_output=True, text=True)
    assert done.returncode == 0 and "damage" not in done.stdout and "stray" not in done.stdout, done.stdout


# -- Resuming ------------------------------------------------------------------------------------------------------------


def stopped_copy(tmp_path, *options):
    """A copy that another program was killed in; its source and options."""
    source = str(tmp_path / "source.tif")
    gdaltest.mem(gdaltest.random_array((1, 400, 400), "uint8"), driver="GTiff", path=source)
    options = ["BLOCKSIZE=16", "SHARD=NONE", "RESUME=YES", "NUM_THREADS=1", *options]
    faults.kill_copy(source, str(tmp_path / "a.ome.zarr"), options, 1000)
    return source, options


def noted_chunk(tmp_path):
    partial = tmp_path / ".a.ome.zarr.partial"
    lines = (partial / ".record").read_text().splitlines()[1:]
    index = next(line.split()[0] for line in lines if not line.endswith(" 0 00000000") and line[0].isdigit())
    return str(partial / "store/scale0/image/c" / index.replace(",", "/"))


@pytest.mark.parametrize("damage", ["a flipped bit", "zeros"])
def test_a_noted_chunk_with_other_bytes_is_made_again(tmp_path, damage):
    source, options = stopped_copy(tmp_path)
    chunk = noted_chunk(tmp_path)
    data = bytearray(open(chunk, "rb").read())
    data = bytes(len(data)) if damage == "zeros" else data[:-9] + bytes([data[-9] ^ 4]) + data[-8:]
    with open(chunk, "wb") as file:
        file.write(data)
    gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(source), *options)
    gdaltest.write(tmp_path / "whole.ome.zarr", gdal.Open(source), *options)
    assert gdaltest.tree_digest(tmp_path / "a.ome.zarr") == gdaltest.tree_digest(tmp_path / "whole.ome.zarr")


def test_a_noted_chunk_that_cannot_be_read_is_an_error_and_all_is_kept(tmp_path):
    source, options = stopped_copy(tmp_path)
    chunk = noted_chunk(tmp_path)
    os.rename(chunk, tmp_path / "away")
    os.mkdir(chunk)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="scale0/image/c/"):
            gdaltest.create_copy(tmp_path / "a.ome.zarr", gdal.Open(source), *options)
    os.rmdir(chunk)
    os.rename(tmp_path / "away", chunk)
    gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(source), *options)
    gdaltest.write(tmp_path / "whole.ome.zarr", gdal.Open(source), *options)
    assert gdaltest.tree_digest(tmp_path / "a.ome.zarr") == gdaltest.tree_digest(tmp_path / "whole.ome.zarr")


def test_a_run_killed_early_has_a_record(tmp_path):
    source = str(tmp_path / "source.tif")
    gdaltest.mem(gdaltest.random_array((1, 96, 96), "uint8"), driver="GTiff", path=source)
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    options = [part for option in ["BLOCKSIZE=16", "SHARD=NONE", "RESUME=YES", "NUM_THREADS=1"] for part in ("-co", option)]
    done = subprocess.run(["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=openat", "-P",
                           str(tmp_path / ".a.ome.zarr.partial/store/scale0/image/c/2/2"), "-e", "inject=openat:signal=SIGKILL",
                           "gdal_translate", "-q", "-of", "OMEZARR", *options, source, str(tmp_path / "a.ome.zarr")],
                          capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip("no ptrace here")
    lines = (tmp_path / ".a.ome.zarr.partial/.record").read_text().splitlines()
    assert len(lines) > 5
