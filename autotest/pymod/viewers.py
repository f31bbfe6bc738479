"""Four stores for the viewers of others, and what must be seen of them. The pictures are tiles of one value each, so that a place
has one colour at every zoom whose pixels are smaller than a tile, whatever the program interpolates."""

import fcntl
import json
import os
import shutil
import subprocess

import gdaltest
import numpy as np

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

    def color(self, t, z, y, x):
        """Additive blending, as OMERO renders and NGFF's omero says: the sum over channels of color * (value - start) / (end - start)."""
        light = [np.clip((np.float64(value) - low) / (high - low), 0, 1)
                 for value, (low, high) in zip(self.planes[t, :, z, y, x], self.windows)]
        return np.clip(np.sum([np.multiply(color, part) for color, part in zip(self.colors, light)], 0), 0, 255)


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
    "stack": Store(tiles(24, "uint16", 0, 4500, 4), ["AXES=t:2,c:3,z:4", "AXIS_SCALE=t:0.5,z:8,y:0.5,x:0.5",
                                                     "AXIS_UNITS=t:s,z:um,y:um,x:um", *omero(*CELLS)],
                   (2, 3, 4), *CELLS, pixel=(8, 0.5, 0.5)),
}
LEVELS = [[256, 320], [128, 160], [64, 80], [32, 40]]  # factors 2, 4, 8: until both sides fit one block
MIDDLE = (1, 2)  # t and z of the plane that is looked at: half of two and of four
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
    """The folder of the four stores."""
    stores = folder / "stores"

    def write():
        stores.mkdir()
        for name, store in STORES.items():
            store.write(stores / f"{name}.ome.zarr")
        return ""

    once(folder, "stores", write)
    return stores


def why_not(program, package, x_server=False):
    """The reason to skip a program, or None."""
    if not os.path.exists(os.path.join(PLACE, "stamp")):
        return "the viewers are not installed (scripts/viewers.sh build/viewers)"
    with open(os.path.join(PLACE, "missing")) as file:
        for line in file:
            if line.startswith(package + ":"):
                return line.strip()
    if x_server and not shutil.which("xvfb-run"):
        return f"{program} needs an X server, and there is no xvfb-run"
    return None


def run(command, folder, **environment):
    """The output of a command that failed, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder, env=dict(os.environ, **environment))
    except subprocess.TimeoutExpired as error:
        return f"{command[0]}: {error}"
    return "" if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def python_program(tmp_path_factory, program, display=False):
    """Runs a program of readers.py over all stores; returns the folder with its answers."""
    folder = shared_folder(tmp_path_factory)
    stores = written(folder)
    answers = folder / program
    answers.mkdir(exist_ok=True)
    command = [PYTHON, os.path.join(SCRIPTS, "readers.py"), program, str(answers)] + [str(stores / f"{name}.ome.zarr") for name in STORES]
    if display:
        command = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24", *command]
    failure = once(folder, program, lambda: run(command, answers, HOME=str(answers)))
    assert not failure, f"{program}: {failure}"
    return answers


def answer(folder, name):
    with open(folder / f"{name}.ome.zarr.json") as file:
        return json.load(file)
