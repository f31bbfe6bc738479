"""Four stores for the viewers of others, and what must be seen of them. The pictures are tiles of one value each, so that a place
has one colour at every zoom whose pixels are smaller than a tile, whatever the program interpolates."""

import fcntl
import glob
import json
import os
import shutil
import subprocess

import gdaltest
import numpy as np
import webserver

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = os.path.join(ROOT, "build", "viewers")  # made by scripts/viewers.sh
SCRIPTS = os.path.join(ROOT, "autotest", "viewers")
PYTHON = os.path.join(PLACE, "venv", "bin", "python")
TILE, NODATA = 64, -9999.0


def tiles(planes, dtype, low, high, seed):
    """Planes of 4 x 5 tiles; every tile of every plane has a value of its own."""
    values = np.random.default_rng(seed).integers(low, high, (planes, 4, 5), endpoint=True).astype(dtype)
    return values.repeat(TILE, 1).repeat(TILE, 2)


def elevation():
    array = tiles(1, "float32", 800, 2400, 3) + np.float32(0.5)
    array[0, 2 * TILE:3 * TILE, TILE:2 * TILE] = NODATA
    return array


class Store:
    """array: the planes as bands; shape: their axes t, c, z. colors, windows: one per channel."""

    def __init__(self, array, options, shape, names, colors, windows, geotransform=None, code=None, nodata=None, pixel=(1, 1, 1)):
        self.array, self.options, self.names, self.windows = array, options, names, windows
        self.colors = [[int(color[i:i + 2], 16) for i in (0, 2, 4)] for color in colors]
        self.geotransform, self.code, self.nodata, self.pixel = geotransform, code, nodata, pixel
        self.planes = array.reshape(shape + array.shape[1:])

    def write(self, path, *options):
        source = gdaltest.mem(self.array, self.geotransform, self.code, self.nodata)
        if len(self.names) == 3 and self.array.dtype == np.uint8:
            for number in range(3):
                source.GetRasterBand(number + 1).SetColorInterpretation(number + 3)  # red, green, blue
        gdaltest.write(path, source, f"BLOCKSIZE={TILE}", *self.options, *options)

    def color(self, t, z, y, x, blend=np.sum):
        """The sum (or another blend) over the channels of color * (value - start) / (end - start)."""
        light = [np.clip((np.float64(value) - low) / (high - low), 0, 1)
                 for value, (low, high) in zip(self.planes[t, :, z, y, x], self.windows)]
        return np.clip(blend([np.multiply(color, part) for color, part in zip(self.colors, light)], 0), 0, 255)


def omero(names, colors, windows):
    return [f"CHANNEL_NAMES={','.join(names)}", f"CHANNEL_COLORS={','.join(colors)}",
            "WINDOW=" + ",".join(f"{low}:{high}" for low, high in windows)]


CELLS = (["DAPI", "GFP", "Cy5"], ["0000FF", "00FF00", "FF00FF"], [(100, 4000), (200, 3000), (0, 5000)])
STORES = {
    "rgb": Store(tiles(3, "uint8", 0, 255, 1), [], (1, 3, 1), ["Band 1", "Band 2", "Band 3"], ["FF0000", "00FF00", "0000FF"],
                 [(0, 255)] * 3, (500000, 10, 0, 4500000, 0, -10), "EPSG:32613", pixel=(1, 10, 10)),
    "channels": Store(tiles(3, "uint16", 0, 4500, 2), ["AXIS_SCALE=y:0.325,x:0.325", "AXIS_UNITS=y:um,x:um", *omero(*CELLS)],
                      (1, 3, 1), *CELLS, pixel=(1, 0.325, 0.325)),
    "elevation": Store(elevation(), ["WINDOW=800:2500"], (1, 1, 1), ["Band 1"], ["FFFFFF"], [(800, 2500)],
                       (400000, 30, 0, 4400000, 0, -30), "EPSG:32613", NODATA, pixel=(1, 30, 30)),
    "stack": Store(tiles(24, "uint16", 0, 4500, 4), ["AXES=t:2,c:3,z:4", "AXIS_SCALE=t:0.5,z:2,y:0.5,x:0.5",
                                                     "AXIS_UNITS=t:s,z:um,y:um,x:um", *omero(*CELLS)],
                   (2, 3, 4), *CELLS, pixel=(2, 0.5, 0.5)),
}
# The other forms of a store, by the name that its folder has.
FORMS = {"channels_04": ("channels", ["NGFF_VERSION=0.4"]), "channels_scales": ("channels", ["LAYOUT=SCALES"]),
         "channels_flat": ("channels", ["LAYOUT=FLAT", "SHARD=128"]), "elevation_04": ("elevation", ["NGFF_VERSION=0.4"])}
# Which of them a program reads: xarray takes the levels of FLAT for one data set, in which all sizes must agree.
READS = {"napari": FORMS, "ome_zarr": FORMS, "bioio": FORMS, "xarray": ["channels_04", "channels_scales", "elevation_04"],
         "rioxarray": ["elevation_04"]}
LEVELS = [[256, 320], [128, 160], [64, 80], [32, 40]]  # factors 2, 4, 8: until both sides fit one block
# Three places, in the middles of tiles: the hole of the elevation, and two more.
PLACES = [(2, 1), (0, 0), (3, 4)]


def places():
    return [(row * TILE + TILE // 2, column * TILE + TILE // 2) for row, column in PLACES]


# -- Running the programs ----------------------------------------------------------------------------------------------------


def shared_folder(tmp_path_factory):
    """One for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "viewers"
    folder.mkdir(exist_ok=True)
    return folder


def once(folder, name, work):
    """What work() returns, a text; the first process that asks does it, the others wait for it."""
    with open(folder / f"{name}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / f"{name}.done"
        if not done.exists():
            done.write_text(work())
        return done.read_text()


def written(folder):
    """The folder of the four stores and their other forms."""
    stores = folder / "stores"

    def write():
        stores.mkdir()
        for name, store in STORES.items():
            store.write(stores / f"{name}.ome.zarr")
        for name, (form, options) in FORMS.items():
            STORES[form].write(stores / f"{name}.ome.zarr", *options)
        return ""

    once(folder, "stores", write)
    return stores


def why_not(program, package, x_server=False):
    """The reason to skip a program, or None."""
    if not os.path.exists(os.path.join(PLACE, "missing")):
        return "the viewers are not installed (scripts/viewers.sh build/viewers)"
    with open(os.path.join(PLACE, "missing")) as file:
        for line in file:
            if line.startswith(package + ":"):
                return line.strip()
    if x_server and not shutil.which("xvfb-run"):
        return f"{program} needs an X server, and there is no xvfb-run"
    return None


def run(command, folder, **environment):
    """The output of a command that failed, or nothing. One that does not end is asked to, so that it can end what it started."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
                               env=dict(os.environ, **environment))
    try:
        output = process.communicate(timeout=900)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        output = "it did not end in 900 s\n" + process.communicate()[0]
    return "" if process.returncode == 0 else f"{os.path.basename(command[0])}: exit {process.returncode}\n{output[-6000:]}"


def run_python(program, answers, stores, display=False):
    """Runs a program of readers.py over stores; returns why it failed, or nothing."""
    answers.mkdir(exist_ok=True)
    command = [PYTHON, os.path.join(SCRIPTS, "readers.py"), program, str(answers), *map(str, stores)]
    if display:
        command = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24", *command]
    return run(command, answers, HOME=str(answers))


def python_program(tmp_path_factory, program, display=False):
    """The folder with the answers of a program of readers.py to all stores that it reads."""
    folder = shared_folder(tmp_path_factory)
    stores = written(folder)
    paths = [stores / f"{name}.ome.zarr" for name in [*STORES, *READS[program]]]
    failure = once(folder, program, lambda: run_python(program, folder / program, paths, display))
    assert not failure, f"{program}: {failure}"
    return folder / program


def answer(folder, name):
    with open(folder / f"{name}.ome.zarr.json") as file:
        return json.load(file)


# -- The browser -------------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 400, 300  # of a page
BEHIND = (0, 64, 0)  # what shines through where OpenLayers draws nothing


def middle(store):
    """The plane that is looked at, by the names of its axes."""
    return {axis: n // 2 for axis, n in (("t", store.planes.shape[0]), ("z", store.planes.shape[2])) if n > 1}


def browser_jobs(base, stores=STORES):
    """What browser.mjs opens: every store in every program, at one screen pixel per image pixel; the stack in viv also small."""
    jobs = []
    for name, store in stores.items():
        url = f"{base}/stores/{name}.ome.zarr"
        plane = middle(store)
        channels = [{"color": color, "window": list(window)} for color, window in zip(store.colors, store.windows)]
        job = {"url": url, "width": WIDTH, "height": HEIGHT, "zoom": 1, "plane": plane, "channels": channels,
               "size": store.array.shape[1:], "background": f"rgb{BEHIND}"}
        jobs += [{**job, "name": f"{page}.{name}", "page": page} for page in ("viv", "ome_zarr_js", "openlayers")]
        application = {**job, "page": "neuroglancer", "width": 800, "height": 600}
        jobs.append({**application, "name": f"neuroglancer.{name}", "state": neuroglancer_state(store, neuroglancer_layers(store, url))})
        if name == "stack":
            jobs.append({**job, "name": "viv.stack_small", "page": "viv", "zoom": 1 / 8})
        if name == "channels":
            layer = {"type": "auto", "name": "image", "source": f"{base}/stores/channels_04.ome.zarr/|zarr2:"}
            jobs.append({**application, "name": "neuroglancer.channels_04", "state": neuroglancer_state(store, [layer])})
    return jobs


def neuroglancer_layers(store, url):
    """One additive layer per channel, whose shader is the window and the colour: neuroglancer 2.41.2 does not see omero in 0.5."""
    layers = []
    for number, (name, color, (low, high)) in enumerate(zip(store.names, store.colors, store.windows)):
        rgb = ", ".join(f"{part / 255:.6f}" for part in color)
        layers.append({"type": "image", "name": name, "source": url + "/|zarr3:", "blend": "additive", "opacity": 1,
                       **({"localPosition": [number]} if len(store.names) > 1 else {}),
                       "shader": f"#uicontrol invlerp normalized(range=[{low}, {high}], clamp=true)\n"
                                 f"void main() {{ emitRGB(vec3({rgb}) * normalized()); }}\n"})
    return layers


def neuroglancer_state(store, layers):
    plane, meter = middle(store), 1e-6 if store.code is None else 1
    sizes = dict(zip("zyx", (size * meter for size in store.pixel)))
    dimensions = {axis: [sizes[axis], "m"] for axis in ("xyz" if "z" in plane else "xy")}
    if "t" in plane:
        dimensions["t"] = [0.5, "s"]
    height, width = store.array.shape[1:]
    at = {"x": width / 2, "y": height / 2, **plane}
    return {"dimensions": dimensions, "position": [at[axis] for axis in dimensions], "layers": layers, "layout": "xy",
            "showAxisLines": False, "showDefaultAnnotations": False}


def chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def neuroglancer_client():
    found = glob.glob(os.path.join(PLACE, "venv", "lib", "python3*", "site-packages", "neuroglancer", "static", "client"))
    return found[0] if found else None


def browse(folder, jobs_of, output):
    """Serves folder on this machine and opens in one Chromium what jobs_of(base address) says."""
    client = neuroglancer_client()
    if client:
        link = folder / "neuroglancer" / "v" / "1"  # it wants its address to end in /v/TOKEN/
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(client)
    with webserver.serve(folder) as web:
        jobs = [job for job in jobs_of(web.url) if client or job["page"] != "neuroglancer"]
        return run(["node", os.path.join(SCRIPTS, "browser.mjs"), PLACE, web.url, str(folder), str(output), json.dumps(jobs)], folder,
                   CHROMIUM=chromium(), HOME=str(folder))


def browser(tmp_path_factory):
    """The folder with all answers."""
    folder = shared_folder(tmp_path_factory)
    written(folder)
    answers = folder / "browser"
    failure = once(folder, "browser", lambda: browse(folder, browser_jobs, answers))
    assert not failure, f"Chromium: {failure}"
    return answers


def why_no_browser(package):
    """The reason to skip a program that runs in Chromium, or None."""
    for what in (package, "javascript"):
        reason = why_not(package, what)
        if reason:
            return reason
    missing = [name for name, found in (("node", shutil.which("node")), ("chromium", chromium())) if not found]
    return f"{package} needs {missing[0]}, which is not installed" if missing else None
