"""Stores that Python speaks to: fsspec, obstore, zarr, dict. In memory, and on servers on 127.0.0.1 (moto as S3, azurite as Azure Blob
Storage) behind a proxy that fails, hangs up and loses answers; the servers are looked at with boto3 and Microsoft's client."""

import contextlib
import gc
import http.server
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import omezarr

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "autotest" / "pymod"))
OPTIONS = {"shard": "NONE", "num_threads": 1}


@pytest.fixture
def data(rng):
    return rng.integers(0, 2**16, (2, 40, 50), dtype=np.uint16)


def multiscales(data):
    return omezarr.to_multiscales(omezarr.to_ngff_image(data, ("c", "y", "x")), [2], "mean", 16)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def whole(tmp_path, data):
    """The objects that there shall be, by the library's own calls of the system."""
    omezarr.to_ngff_zarr(tmp_path / "whole.ome.zarr", multiscales(data), **OPTIONS)
    return files(tmp_path / "whole.ome.zarr")


# -- Kinds of stores -----------------------------------------------------------------------------------------------

class Dict:
    def __init__(self, _):
        self.stores = {}

    def store(self, name):
        return self.stores.setdefault(name, {})

    def objects(self, name):
        return {key: bytes(value) for key, value in self.store(name).items()}

    def put(self, name, key, body):
        self.store(name)[key] = body


class ZarrMemory(Dict):
    """The objects are Buffers; zarr's own store holds them."""

    def __init__(self, _):
        super().__init__(_)
        self.zarr = pytest.importorskip("zarr")

    def store(self, name):
        return self.zarr.storage.MemoryStore(self.stores.setdefault(name, {}))

    def objects(self, name):
        return {key: value.to_bytes() for key, value in self.stores.get(name, {}).items()}

    def put(self, name, key, body):
        from zarr.core.buffer import default_buffer_prototype

        self.stores.setdefault(name, {})[key] = default_buffer_prototype().buffer.from_bytes(body)


class FsspecMemory:
    def __init__(self, _):
        self.fs = pytest.importorskip("fsspec").filesystem("memory")
        self.root = f"/{os.urandom(6).hex()}"

    def store(self, name):
        return f"memory:/{self.root}/{name}"

    def objects(self, name):
        root = f"{self.root}/{name}/"
        return {key[len(root):]: self.fs.cat_file(key) for key in self.fs.find(root)}

    def put(self, name, key, body):
        self.fs.pipe_file(f"{self.root}/{name}/{key}", body)


class ObstoreMemory:
    def __init__(self, _):
        self.obstore = pytest.importorskip("obstore")
        self.stores = {}

    def store(self, name):
        return self.stores.setdefault(name, self.obstore.store.MemoryStore())

    def objects(self, name):
        store = self.store(name)
        return {entry["path"]: bytes(self.obstore.get(store, entry["path"]).bytes()) for entries in self.obstore.list(store) for entry in entries}

    def put(self, name, key, body):
        self.obstore.put(self.store(name), key, body)


class OnServer:
    def __init__(self, moto):
        self.moto, self.endpoint = moto, f"http://127.0.0.1:{moto.proxy.port}"

    def objects(self, name):
        return self.moto.objects(f"{name}/")

    def put(self, name, key, body):
        self.moto.put(f"{name}/{key}", body)


class S3fs(OnServer):
    """A mapper, and a URL with storage_options, in turn."""

    def options(self):
        return {"key": self.moto.key, "secret": self.moto.secret, "client_kwargs": {"endpoint_url": self.endpoint, "region_name": "us-east-1"},
                "config_kwargs": {"retries": {"max_attempts": 0}}}

    def store(self, name):
        fsspec = pytest.importorskip("fsspec")
        pytest.importorskip("s3fs")
        mapper = fsspec.get_mapper(f"s3://bucket/{name}", **self.options())
        mapper.fs.retries = 1  # its own attempts take their time
        return mapper


class ObstoreS3(OnServer):
    def store(self, name):
        S3Store = pytest.importorskip("obstore.store").S3Store
        return S3Store("bucket", prefix=name, endpoint=self.endpoint, access_key_id=self.moto.key, secret_access_key=self.moto.secret,
                       region="us-east-1", client_options={"allow_http": True}, retry_config={"max_retries": 0})


class ObstoreAzure(OnServer):
    def store(self, name):
        AzureStore = pytest.importorskip("obstore.store").AzureStore
        return AzureStore("bucket", prefix=name, endpoint=f"{self.endpoint}/devstoreaccount1", account_name="devstoreaccount1",
                          account_key=self.moto.key, client_options={"allow_http": True}, retry_config={"max_retries": 0})


@pytest.fixture(scope="module")
def azurite():
    program = os.environ.get("OMEZARR_AZURITE", pathlib.Path(__file__).parents[3] / "build" / "node" / "node_modules" / ".bin" / "azurite-blob")
    pytest.importorskip("azure.storage.blob")
    if not os.path.exists(program):
        pytest.skip("azurite is not installed (check.sh does it)")
    import s3proxy

    server = s3proxy.Azurite(str(program))
    yield server
    server.close()


@pytest.fixture(scope="module")
def moto():
    for module in ("moto.server", "boto3"):
        pytest.importorskip(module)
    import s3proxy

    server = s3proxy.Moto()
    yield server
    server.close()


KINDS = {"dict": Dict, "zarr": ZarrMemory, "fsspec": FsspecMemory, "obstore": ObstoreMemory, "s3fs": S3fs, "obstore-s3": ObstoreS3,
         "obstore-azure": ObstoreAzure}
SERVERS = {"s3fs": "moto", "obstore-s3": "moto", "obstore-azure": "azurite"}


def make(request):
    fixture = SERVERS.get(request.param)
    return KINDS[request.param](request.getfixturevalue(fixture) if fixture else None)


@pytest.fixture(params=KINDS)
def there(request):
    return make(request)


@pytest.fixture(params=["s3fs", "obstore-s3"])
def server(request, monkeypatch):
    """What fails there for a moment is asked for again at once."""
    kind = make(request)
    kind.store("probe")
    monkeypatch.setattr("omezarr._hosts.RETRY_DELAY", 0.01)
    return kind


@pytest.fixture(params=["s3fs", "obstore-s3", "obstore-azure"])
def any_server(request, monkeypatch):
    kind = make(request)
    kind.store("probe")
    monkeypatch.setattr("omezarr._hosts.RETRY_DELAY", 0.01)
    return kind


@pytest.fixture
def name(request):
    return "".join(c for c in request.node.name.lower() if c.isalnum()) + ".ome.zarr"


# -- What every store does -----------------------------------------------------------------------------------------

def test_the_objects_are_the_files_of_a_local_store(there, name, data, whole):
    store = there.store(name)
    omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
    assert there.objects(name) == whole
    opened = omezarr.from_ngff_zarr(store, validate=True)
    assert np.array_equal(np.asarray(opened.images[0].data), data)
    assert np.array_equal(opened.images[0].source[1, 3:9, ::7], data[1, 3:9, ::7])
    assert [finding for finding in omezarr.verify(store) if finding.kind != "note"] == []
    assert omezarr.validate(store) == [] and omezarr.parts(store) == []
    there.put(name, "scale0/image/c/9/9/9", b"stray")
    assert [finding.kind for finding in omezarr.verify(store)] == ["stray"]


@pytest.mark.parametrize("options", [{"version": "0.4"}, {"layout": "BIOFORMATS2RAW"}, {"chunks_per_shard": 2}, {"verify": "SOURCE"}])
def test_shards_layouts_and_versions(there, name, data, tmp_path, options):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), **options)
    omezarr.to_ngff_zarr(there.store(name), multiscales(data), **options)
    assert there.objects(name) == files(tmp_path / "a.ome.zarr")
    part = "0" if "layout" in options else None
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(there.store(name), part=part).images[0].data), data)


def test_an_image_is_refused_or_replaced_whole(there, name, data, whole):
    store = there.store(name)
    omezarr.to_ngff_zarr(store, omezarr.to_multiscales(np.zeros((90, 70), np.uint8), [2, 4], "mean", 16))
    before = there.objects(name)
    with pytest.raises(FileExistsError, match="OVERWRITE"):
        omezarr.to_ngff_zarr(store, multiscales(data), overwrite=False, **OPTIONS)
    assert there.objects(name) == before
    omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
    assert there.objects(name) == whole


def test_objects_of_others_are_left_alone(there, name, data):
    there.put(name, "notes.txt", b"mine")
    with pytest.raises(FileExistsError, match="untouched"):
        omezarr.to_ngff_zarr(there.store(name), multiscales(data))
    assert there.objects(name) == {"notes.txt": b"mine"}


def test_a_source_that_raises_leaves_nothing(there, name, data):
    class Broken:
        shape, dtype, asked = data.shape, data.dtype, 0

        def __getitem__(self, key):
            self.asked += 1
            if self.asked == 4:
                raise ZeroDivisionError("of mine")
            return data[key]

    with pytest.raises(ZeroDivisionError, match="of mine"):
        omezarr.to_ngff_zarr(there.store(name), multiscales(Broken()), **OPTIONS)
    assert there.objects(name) == {}
    with pytest.raises(FileNotFoundError):
        omezarr.from_ngff_zarr(there.store(name))


def test_a_second_writer_is_refused(there, name, data, whole):
    refused = []

    class Source:
        shape, dtype, asked = data.shape, data.dtype, 0

        def __getitem__(self, key):
            self.asked += 1
            if self.asked == 3:
                with pytest.raises(FileExistsError, match="another program is writing") as error:
                    omezarr.to_ngff_zarr(there.store(name), multiscales(data + 1))
                refused.append(str(error.value))
                with pytest.raises(FileNotFoundError):
                    omezarr.from_ngff_zarr(there.store(name))
            return data[key]

    omezarr.to_ngff_zarr(there.store(name), multiscales(Source()), **OPTIONS)
    assert len(refused) == 1 and "/host:" not in refused[0] and ".omezarr-claim" in refused[0]
    assert there.objects(name) == whole


def test_of_writers_that_begin_together_one_wins(there, name, data):
    wins = []

    def write(number):
        with contextlib.suppress(FileExistsError):
            omezarr.to_ngff_zarr(there.store(name), multiscales(data + np.uint16(number)), overwrite=False, **OPTIONS)
            wins.append(number)

    there.store(name)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(wins) == 1
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(there.store(name)).images[0].data), data + np.uint16(wins[0]))


def test_many_threads_write_and_read(there, name):
    da = pytest.importorskip("dask.array")
    data = np.arange(300 * 280, dtype=np.uint32).reshape(300, 280)
    array = da.from_array(data, chunks=(70, 90))
    omezarr.to_ngff_zarr(there.store(name), omezarr.to_multiscales(omezarr.to_ngff_image(array, ("y", "x")), [2], "mean", 32), num_threads=4)
    assert np.array_equal(omezarr.from_ngff_zarr(there.store(name)).images[0].data.compute(), data)


def test_a_run_goes_on(there, name, data, whole):
    class Source:
        shape, dtype, n_left, asked = data.shape, data.dtype, 5, 0

        def __getitem__(self, key):
            self.asked += 1
            self.n_left -= 1
            if self.n_left == 0:
                raise ZeroDivisionError
            return data[key]

        def __repr__(self):
            return "the same"

    source = Source()
    with pytest.raises(ZeroDivisionError):
        omezarr.to_ngff_zarr(there.store(name), multiscales(source), resume=True, **OPTIONS)
    assert there.objects(name) and "zarr.json" not in there.objects(name)
    source.asked = 0
    omezarr.to_ngff_zarr(there.store(name), multiscales(source), resume=True, **OPTIONS)
    assert source.asked < 24  # of 2 x 3 x 4 chunks
    assert there.objects(name) == whole


def test_a_copy_from_one_store_to_another(there, name, data, tmp_path):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data))
    omezarr.to_ngff_zarr(there.store(name), omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr"), **OPTIONS)
    opened = omezarr.from_ngff_zarr(there.store(name))
    omezarr.to_ngff_zarr(tmp_path / "b.ome.zarr", opened, **OPTIONS)
    assert there.objects(name) == files(tmp_path / "b.ome.zarr")
    with pytest.raises(ValueError, match="read from there"):  # it would be removed before it is read
        omezarr.to_ngff_zarr(there.store(name), opened)
    assert there.objects(name) == files(tmp_path / "b.ome.zarr")


def test_one_file_is_read(there, name, data, tmp_path):
    omezarr.to_ngff_zarr(tmp_path / "a.ozx", multiscales(data))
    there.put(name, "a.ozx", (tmp_path / "a.ozx").read_bytes())
    place = omezarr._places.place_of(there.store(name)).at("a.ozx")
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(place).images[0].data), data)
    with pytest.raises(NotImplementedError, match="copy it"):
        omezarr.to_ngff_zarr(place, multiscales(data))


# -- Which store is what -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("wrong, error", [(5, TypeError), (None, TypeError), ([], TypeError), ("nonsense://a/b", ValueError)])
def test_what_is_no_store_is_refused(data, wrong, error):
    if isinstance(wrong, str):
        pytest.importorskip("fsspec")
    for call in (lambda: omezarr.to_ngff_zarr(wrong, multiscales(data)), lambda: omezarr.from_ngff_zarr(wrong), lambda: omezarr.verify(wrong),
                 lambda: omezarr.validate(wrong), lambda: omezarr.parts(wrong)):
        with pytest.raises(error):
            call()


def test_storage_options_belong_to_urls(tmp_path, data):
    with pytest.raises(ValueError, match="storage_options"):
        omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), storage_options={"key": "x"})
    assert os.listdir(tmp_path) == []


def test_stores_of_this_machine_are_paths(tmp_path, data, whole):
    """They get the protocol of folders, in which an old image stays until the new one is whole."""
    fsspec, zarr, obstore = map(pytest.importorskip, ("fsspec", "zarr", "obstore"))
    place_of = omezarr._places.place_of
    path = tmp_path / "a.ome.zarr"
    stores = [f"file://{path}", fsspec.get_mapper(str(path)), zarr.storage.LocalStore(path), zarr.storage.StorePath(zarr.storage.LocalStore(tmp_path), "a.ome.zarr"),
              fsspec.filesystem("dir", path=str(path), fs=fsspec.filesystem("file")), path, str(path)]
    for store in stores:
        assert place_of(store).host is None and place_of(store).path == str(path), store
        omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
        assert files(path) == whole
    local = obstore.store.LocalStore(path)
    assert place_of(local).path == str(path) and place_of(zarr.storage.ObjectStore(local)).path == str(path)
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(local).images[0].data), data)


def test_stores_of_zarr_for_others(moto, name, data, whole):
    zarr, fsspec, obstore = map(pytest.importorskip, ("zarr", "fsspec", "obstore"))
    s3, obs = S3fs(moto), ObstoreS3(moto)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, of loops
        stores = [zarr.storage.FsspecStore.from_mapper(s3.store(f"0{name}")),
                  zarr.storage.FsspecStore.from_url(f"s3://bucket/1{name}", storage_options=s3.options()),
                  zarr.storage.ObjectStore(obs.store(f"2{name}"))]
    for number, store in enumerate(stores):
        omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
        assert s3.objects(f"{number}{name}") == whole
        group = zarr.open_group(store, mode="r")  # the same store, by its owner
        assert np.array_equal(group["scale0/image"][...], data)
    memory = zarr.storage.FsspecStore.from_mapper(fsspec.get_mapper(f"memory://{name}"))
    omezarr.to_ngff_zarr(memory, multiscales(data), **OPTIONS)
    assert np.array_equal(zarr.open_group(memory, mode="r")["scale0/image"][...], data)


def test_a_url_with_storage_options(moto, name, data, whole):
    kind = S3fs(moto)
    kind.store(name)
    url, options = f"s3://bucket/{name}", {"storage_options": kind.options()}
    omezarr.to_ngff_zarr(url, multiscales(data), **options, **OPTIONS)
    assert kind.objects(name) == whole
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(url, validate=True, **options).images[0].data), data)
    assert omezarr.parts(url, **options) == omezarr.verify(url, **options) == omezarr.validate(url, **options) == []


def test_a_store_ends_with_the_last_that_uses_it(data):
    store = {}
    hosts = omezarr._hosts.Host._living
    gc.collect()
    before = len(hosts)
    omezarr.to_ngff_zarr(store, multiscales(data))
    level = omezarr.from_ngff_zarr(store).images[0].source
    gc.collect()
    assert len(hosts) == before + 1
    assert np.array_equal(level[...], data)
    del level
    gc.collect()
    assert len(hosts) == before


def test_a_store_that_was_opened_to_read_is_not_written(tmp_path, data):
    zarr = pytest.importorskip("zarr")
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data))
    before = files(tmp_path)
    content = {}
    omezarr.to_ngff_zarr(zarr.storage.MemoryStore(content), multiscales(data))
    for store in (zarr.storage.LocalStore(tmp_path / "a.ome.zarr", read_only=True), zarr.storage.MemoryStore(content, read_only=True)):
        with pytest.raises(NotImplementedError, match="read-only"):
            omezarr.to_ngff_zarr(store, multiscales(data))
        assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(store).images[0].data), data)
    assert files(tmp_path) == before


def test_zips_of_others_are_read_only(tmp_path, data):
    zarr, fsspec = map(pytest.importorskip, ("zarr", "fsspec"))
    omezarr.to_ngff_zarr(tmp_path / "a.ozx", multiscales(data))
    for store in (zarr.storage.ZipStore(tmp_path / "a.ozx", mode="r"), f"zip://::{tmp_path}/a.ozx", fsspec.filesystem("zip", fo=str(tmp_path / "a.ozx"))):
        assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(store).images[0].data), data)
        assert [finding.kind for finding in omezarr.verify(store) if finding.kind != "note"] == []
    for store in (zarr.storage.ZipStore(tmp_path / "b.zip", mode="w"), f"zip://::{tmp_path}/a.ozx"):
        with pytest.raises(NotImplementedError, match="remove"):
            omezarr.to_ngff_zarr(store, multiscales(data))


def test_web_servers_are_read_only(tmp_path, data):
    for module in ("fsspec", "aiohttp"):
        pytest.importorskip(module)
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), version="0.4")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=tmp_path)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{web.server_port}/a.ome.zarr"
        assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(url).images[0].data), data)
        with pytest.raises(FileNotFoundError):
            omezarr.from_ngff_zarr(f"{url}x")
        with pytest.raises(NotImplementedError, match="only read"):
            omezarr.to_ngff_zarr(url, multiscales(data))
        web.shutdown()


def test_a_level_pickles_as_its_store(moto, name, data):
    for kind in (S3fs(moto), ObstoreS3(moto)):
        omezarr.to_ngff_zarr(kind.store(name), multiscales(data))
        image = omezarr.from_ngff_zarr(kind.store(name)).images[0]
        script = "import sys, pickle, numpy; print(int(pickle.load(sys.stdin.buffer)[...].astype('u8').sum()))"
        run = subprocess.run([sys.executable, "-c", script], input=pickle.dumps(image.source), capture_output=True)
        assert run.returncode == 0, run.stderr.decode()
        assert int(run.stdout) == int(data.astype("u8").sum())


# -- What stores raise ---------------------------------------------------------------------------------------------

class Failing(dict):
    """The n-th call of a kind raises."""

    def __init__(self, verb="", n=1, error=None, times=1):
        super().__init__()
        self.verb, self.n, self.error, self.times, self.seen = verb, n, error, times, 0

    def _call(self, verb):
        if verb == self.verb:
            self.seen += 1
            if self.n <= self.seen < self.n + self.times:
                raise self.error

    def __setitem__(self, key, value):
        self._call("write")
        super().__setitem__(key, value)

    def setdefault(self, key, value):
        self._call("write")
        return super().setdefault(key, value)

    def __getitem__(self, key):
        self._call("read")
        return super().__getitem__(key)

    def pop(self, key, default=None):
        self._call("remove")
        return super().pop(key, default)


@pytest.mark.parametrize("error", [RuntimeError("of mine, é \n and more"), OSError(28, "No space left"), PermissionError("not you"), ValueError("x" * 5000)], ids=lambda e: type(e).__name__)
def test_each_write_in_turn_raises_and_the_exception_is_the_cause(data, whole, error):
    for n in range(1, 1000):
        store = Failing("write", n, error)
        try:
            omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
        except OSError as raised:
            assert isinstance(raised, omezarr.StorageError) and raised.__cause__ is error
            assert type(error).__name__ in str(raised) and "dict/" in str(raised) and "/host:" not in str(raised)
            assert dict(store) == {}, n
        else:
            break
    assert n == len(whole) + 3  # the claim twice
    assert {key: value for key, value in store.items()} == whole


def test_what_passes_is_tried_again(data, whole, monkeypatch):
    monkeypatch.setattr("omezarr._hosts.RETRY_DELAY", 0.001)
    for verb in ("write", "read", "remove"):
        store = Failing(verb, 3, ConnectionResetError("gone"), 4)
        omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
        assert store.seen >= 7 or verb == "remove"
        assert dict(store) == whole
    store = Failing("write", 3, ConnectionResetError("gone"), 5)
    with pytest.raises(OSError, match="gone; tried several times"):
        omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
    assert dict(store) == {}


def test_a_read_that_raises_is_no_fill(data):
    store = Failing()
    omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
    level = omezarr.from_ngff_zarr(store).images[0].source
    store.verb, store.n, store.seen, store.error, store.times = "read", 2, 0, RuntimeError("broken"), 1000
    with pytest.raises(omezarr.StorageError, match="RuntimeError: broken") as raised:
        level[...]
    assert raised.value.__cause__ is store.error
    store.error = FileNotFoundError("gone")  # as if nobody had stored it; but the image knows that it has
    with pytest.raises(omezarr.Error):
        level[...]
    store.verb = ""
    assert np.array_equal(level[...], data)


def test_a_store_that_gives_less_than_it_has_is_no_fill(data):
    class Short(dict):
        is_short = False

        def __getitem__(self, key):
            value = super().__getitem__(key)
            return value[:-1] if self.is_short and "/c/" in key else value

    store = Short()
    omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
    store.is_short = True
    with pytest.raises((omezarr.StorageError, omezarr.CorruptError)):
        omezarr.from_ngff_zarr(store).images[0].source[...]
    assert any(finding.kind in ("damage", "unread") for finding in omezarr.verify(store))


@pytest.mark.parametrize("verb", ["write", "read"])
def test_ctrl_c_in_a_call_of_the_store_comes_through(data, whole, verb):
    for n in (1, 2, 3):
        store = Failing(verb, n, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
        assert "zarr.json" not in store
        omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
        assert dict(store) == whole
        store.verb, store.n, store.seen = "read", 3, 0
        with pytest.raises(KeyboardInterrupt):
            for _ in range(4):
                omezarr.from_ngff_zarr(store).images[0].source[...]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_leaves_nothing(data):
    """While the store is slow, in the main thread and in the one that closes."""
    script = """if True:
        import os, signal, sys, threading, time, numpy as np, omezarr
        signal.signal(signal.SIGINT, signal.default_int_handler)
        class Slow(dict):
            def __setitem__(self, key, value):
                time.sleep(0.01)
                super().__setitem__(key, value)
        store = Slow()
        threading.Timer(float(sys.argv[1]), lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        data = np.random.default_rng(1).integers(0, 255, (1024, 1024), dtype=np.uint8)
        try:
            omezarr.to_ngff_zarr(store, omezarr.to_multiscales(data, [2], "mean", 64), shard="NONE", num_threads=2)
            print("done")
        except KeyboardInterrupt:
            print("stopped", len(store))
    """
    for seconds in ("0.3", "0.8", "1.2"):
        run = subprocess.run([sys.executable, "-c", script, seconds], capture_output=True, text=True, timeout=120)
        assert run.stdout == "stopped 0\n", (run.stdout, run.stderr)


def test_daemon_threads_at_the_end_of_the_interpreter_do_no_harm():
    """One that writes, one that reads, while the interpreter ends; the store's calls need it."""
    script = """if True:
        import sys, threading, time, numpy as np, omezarr
        started = threading.Event()
        class Slow(dict):
            def __setitem__(self, key, value):
                if "/c/" in key and self.is_slow:
                    started.set()
                    time.sleep(0.005)
                super().__setitem__(key, value)
            def __getitem__(self, key):
                time.sleep(0.001)
                return super().__getitem__(key)
        data = np.random.default_rng(1).integers(0, 255, (2048, 2048), dtype=np.uint8)
        m = omezarr.to_multiscales(data, [2], "mean", 64)
        store, other = Slow(), Slow()
        store.is_slow, other.is_slow = False, True
        omezarr.to_ngff_zarr(store, m, shard="NONE")
        def read():
            while True:
                omezarr.from_ngff_zarr(store).images[0].source[...]
        for target in (read, lambda: omezarr.to_ngff_zarr(other, m, shard="NONE", num_threads=4)):
            threading.Thread(target=target, daemon=True).start()
        started.wait()
        time.sleep(float(sys.argv[1]))
        print("end", flush=True)
    """
    for seconds in ("0", "0.02", "0.1"):
        run = subprocess.run([sys.executable, "-c", script, seconds], capture_output=True, text=True, timeout=120)
        assert (run.returncode, run.stdout) == (0, "end\n"), run.stderr
        assert "Fatal Python error" not in run.stderr


# -- What networks do ----------------------------------------------------------------------------------------------

def n_puts(whole):
    return len(whole) + 2  # the claim, and the claim again when the place was found free


def test_each_put_in_turn_fails_once_and_the_image_is_whole(any_server, name, data, whole):
    actions = [503, "reset", "lost", 500]
    for n in range(1, n_puts(whole) + 1, 3):
        with any_server.moto.proxy.rule(actions[n % 4], first=n, part=f"{n}{name}") as rule:
            omezarr.to_ngff_zarr(any_server.store(f"{n}{name}"), multiscales(data), **OPTIONS)
        assert rule.n_done == 1, n
        assert any_server.objects(f"{n}{name}") == whole, (n, actions[n % 4])
    assert any_server.moto.uploads() == []


@pytest.mark.parametrize("action", [403, 503, "reset"])
def test_each_put_in_turn_fails_for_ever_and_nothing_is_left(server, name, data, whole, action):
    for n in range(1, n_puts(whole) + 1, 8):
        with server.moto.proxy.rule(action, first=n, count=10**6, part=f"{n}{name}") as rule:
            with pytest.raises(omezarr.StorageError, match=f"{n}{name}") as raised:
                omezarr.to_ngff_zarr(server.store(f"{n}{name}"), multiscales(data), **OPTIONS)
        assert rule.n_done >= 1 and raised.value.__cause__ is not None and "canary" not in str(raised.value)
        assert server.objects(f"{n}{name}") == {}, n
        with pytest.raises(FileNotFoundError):
            omezarr.from_ngff_zarr(server.store(f"{n}{name}"))


def test_an_overwrite_with_faults_mixes_nothing(server, name, data, whole):
    large = omezarr.to_multiscales(np.ones((100, 90), np.uint8), [2], "mean", 16)
    for n, (method, action) in enumerate([("DELETE", 503), ("DELETE", "lost"), ("GET", 503), ("GET", "reset"), ("GET", "cut"), ("HEAD", 503), ("PUT", "lost")]):
        omezarr.to_ngff_zarr(server.store(f"{n}{name}"), large, **OPTIONS)
        with server.moto.proxy.rule(action, method=method, first=2, part=f"{n}{name}") as rule:
            omezarr.to_ngff_zarr(server.store(f"{n}{name}"), multiscales(data), **OPTIONS)
        assert server.objects(f"{n}{name}") == whole, (method, action, rule.n_done)


@pytest.mark.parametrize("action", [403, 500, "reset", "cut"])
def test_a_chunk_that_cannot_be_read_is_no_fill(any_server, name, data, action):
    omezarr.to_ngff_zarr(any_server.store(name), multiscales(data), **OPTIONS)
    for shards in ({}, {"chunks_per_shard": 2}):
        omezarr.to_ngff_zarr(any_server.store(name), multiscales(data), **shards)
        level = omezarr.from_ngff_zarr(any_server.store(name)).images[0].source
        with any_server.moto.proxy.rule(action, "READ", first=2, count=10**6, part=f"{name}/scale0/image/c/"):
            with pytest.raises(omezarr.Error) as raised:
                level[...]
        assert raised.value.__cause__ is not None
        assert np.array_equal(level[...], data)


def test_who_may_not_list_reads_all_the_same(server, name, data):
    """S3 then says "forbidden" for what is not there."""
    omezarr.to_ngff_zarr(server.store(name), multiscales(data), version="0.4", **OPTIONS)
    server.moto.proxy.forbids_missing = True
    try:
        with server.moto.proxy.rule(403, "GET", count=10**6, part="list-type"):
            assert np.array_equal(omezarr.from_ngff_zarr(server.store(name)).images[0].source[...], data)
    finally:
        server.moto.proxy.forbids_missing = False


def test_a_missing_bucket_is_an_error(moto, data):
    kinds = [(S3fs(moto), lambda k: pytest.importorskip("fsspec").get_mapper("s3://nowhere/a.ome.zarr", **k.options())),
             (ObstoreS3(moto), lambda k: pytest.importorskip("obstore.store").S3Store(
                 "nowhere", prefix="a.ome.zarr", endpoint=k.endpoint, access_key_id="a", secret_access_key="b", region="us-east-1",
                 client_options={"allow_http": True}, retry_config={"max_retries": 0}))]
    for kind, open_it in kinds:
        with pytest.raises(OSError, match="nowhere"):
            omezarr.to_ngff_zarr(open_it(kind), multiscales(data))


WRITER = """if True:
    import json, sys, numpy as np, omezarr
    import test_hosts
    class Moto: key, secret = "a", "canary-secret"
    class Proxy: port = int(sys.argv[1])
    Moto.proxy = Proxy
    kind = test_hosts.KINDS[sys.argv[2]](Moto)
    data = np.random.default_rng(int(sys.argv[5])).integers(0, 2**16, (2, 40, 50), dtype=np.uint16)
    omezarr.to_ngff_zarr(kind.store(sys.argv[3]), test_hosts.multiscales(data), resume=sys.argv[4] == "resume", **test_hosts.OPTIONS)
"""


def start(server, name, resume="", seed=20261130):
    kind = {S3fs: "s3fs", ObstoreS3: "obstore-s3"}[type(server)]
    arguments = [sys.executable, "-c", WRITER, str(server.moto.proxy.port), kind, name, resume, str(seed)]
    return subprocess.Popen(arguments, cwd=pathlib.Path(__file__).parent, stderr=subprocess.PIPE, text=True)


def kill_in_request(server, rule, name, resume=""):
    with server.moto.proxy.rule("hang", **rule) as rule:
        process = start(server, name, resume)
        is_met = rule.is_met.wait(100)
        process.kill()
        _, said = process.communicate()
    assert is_met and process.returncode == -signal.SIGKILL, said


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_after_a_kill_nothing_opens_and_the_next_run_succeeds(server, name, data, whole):
    for n in (1, 2, 4, len(whole) // 2, n_puts(whole)):
        kill_in_request(server, {"first": n, "part": f"{n}{name}"}, f"{n}{name}")
        assert "zarr.json" not in server.objects(f"{n}{name}")
        with pytest.raises(FileNotFoundError):
            omezarr.from_ngff_zarr(server.store(f"{n}{name}"))
        omezarr.to_ngff_zarr(server.store(f"{n}{name}"), multiscales(data), **OPTIONS)
        assert server.objects(f"{n}{name}") == whole


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_killed_run_goes_on(server, name, whole):
    for n in (3, len(whole) // 2):
        kill_in_request(server, {"first": n, "part": f"{n}{name}"}, f"{n}{name}", "resume")
        assert "zarr.json" not in server.objects(f"{n}{name}")
        again = start(server, f"{n}{name}", "resume")
        assert again.wait() == 0, again.stderr.read()
        assert server.objects(f"{n}{name}") == whole


def test_of_two_processes_exactly_one_wins(server, name, tmp_path):
    expected = []
    for seed in (1, 2):
        pixels = np.random.default_rng(seed).integers(0, 2**16, (2, 40, 50), dtype=np.uint16)
        omezarr.to_ngff_zarr(tmp_path / f"{seed}", multiscales(pixels), **OPTIONS)
        expected.append(files(tmp_path / f"{seed}"))
    for n in range(3):
        writers = [start(server, f"{n}{name}", seed=seed) for seed in (1, 2)]
        errors = [writer.communicate()[1] for writer in writers]
        wins = [writer.returncode == 0 for writer in writers]
        assert any(wins) and server.objects(f"{n}{name}") in expected
        if wins != [True, True]:  # else one after the other: to_ngff_zarr overwrites
            assert "another program" in errors[wins.index(False)]
            assert server.objects(f"{n}{name}") == expected[wins.index(True)]


def test_a_claim_that_comes_between_looking_and_putting_is_respected(any_server, name, data):
    other = b"1 elsewhere 0x1-1 writing"
    with any_server.moto.proxy.rule(lambda: any_server.put(name, ".omezarr-claim", other), part=f"{name}/.omezarr-claim") as rule:
        with pytest.raises(FileExistsError, match="another program"):
            omezarr.to_ngff_zarr(any_server.store(name), multiscales(data))
    assert rule.n_done == 1 and any_server.objects(name) == {".omezarr-claim": other}


def test_a_root_that_comes_before_ours_is_an_error(any_server, name, data):
    with any_server.moto.proxy.rule(lambda: any_server.put(name, "zarr.json", b"{}"), part=f"{name}/zarr.json") as rule:
        with pytest.raises(FileExistsError, match="put by somebody else"):
            omezarr.to_ngff_zarr(any_server.store(name), multiscales(data))
    assert rule.n_done == 1


def test_other_programs_in_the_bucket_are_seen_through_what_fsspec_remembers(moto, name, data, whole):
    """s3fs keeps lists; one of before must not hide what is there now."""
    kind = S3fs(moto)
    store = kind.store(name)
    assert list(store) == []
    store.fs.ls("bucket")
    kind.put(name, "notes.txt", b"mine")
    with pytest.raises(FileExistsError, match="untouched"):
        omezarr.to_ngff_zarr(store, multiscales(data))
    moto.delete(f"{name}/notes.txt")
    omezarr.to_ngff_zarr(store, multiscales(data), **OPTIONS)
    assert kind.objects(name) == whole
