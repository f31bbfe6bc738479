"""A process that has GDAL loaded and waits; each command of a fault sweep runs in a copy of it, which takes a tenth of the
time of a new program. It is unmodified GDAL all the same: the functions of gdal_translate, gdaladdo and so on.

Run as a program: one JSON request a line on the standard input, one exit status a line on the standard output."""

import json
import os
import signal
import subprocess
import sys
import threading


class Zygote:
    """environment: of the process, such as LD_PRELOAD."""

    def __init__(self, environment):
        import osgeo

        modules = os.path.dirname(os.path.dirname(osgeo.__file__))
        self.lock = threading.Lock()
        self.process = subprocess.Popen([sys.executable, "-ES", os.path.abspath(__file__), modules], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, op, environment, output):
        """Exit status of an operation (below), whose output goes to the files output.out and output.err."""
        with self.lock:
            self.process.stdin.write(json.dumps({"op": op, "environment": environment, "output": output}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        assert answer, "the zygote has died"
        return int(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


# -- The operations. Each returns True if a program would end with status 0. ---------------------------------------------


def op_translate(gdal, said, source, target, options):
    """What gdal_translate does, with its exit status."""
    return gdal.Translate(target, source, format="OMEZARR", creationOptions=options) is not None


def op_create(gdal, said, source, target, options):
    """Create(), pixels, close."""
    source = gdal.Open(source)
    made = gdal.GetDriverByName("OMEZARR").Create(target, source.RasterXSize, source.RasterYSize, 1, source.GetRasterBand(1).DataType, options)
    if made is None:
        return False
    made.SetGeoTransform(source.GetGeoTransform())
    made.GetRasterBand(1).WriteRaster(0, 0, source.RasterXSize, source.RasterYSize, source.ReadRaster())
    made = None  # GDAL 3.6: an error at closing reaches only the error handler
    return not said


def change(gdal, said, target, make):
    """Opens, changes and closes; what goes wrong at closing reaches only the error handler."""
    changed = gdal.OpenEx(target, gdal.OF_RASTER | gdal.OF_UPDATE, allowed_drivers=["OMEZARR"])
    if changed is None:
        said.append("not opened")  # GDAL's functions leave these words to the program
        return False
    said.clear()  # GDAL says of object stores that they are opened for reading only, and goes on
    make(changed)
    changed = None
    return not said


def op_update(gdal, said, source, target, options):
    """All pixels, and an item of metadata."""
    source = gdal.Open(source)

    def make(changed):
        changed.GetRasterBand(1).WriteRaster(0, 0, source.RasterXSize, source.RasterYSize, source.ReadRaster())
        changed.SetMetadataItem("changed", "yes")

    return change(gdal, said, target, make)


def op_patch(gdal, said, source, target, options):
    """Some pixels in the middle, so that a part of each chunk that they touch is read from the store."""
    source = gdal.Open(source)
    return change(gdal, said, target, lambda changed: changed.GetRasterBand(1).WriteRaster(9, 7, 10, 6, source.ReadRaster(9, 7, 10, 6)))


def op_describe(gdal, said, source, target, options):
    def make(changed):
        changed.SetMetadataItem("changed", "yes")
        changed.GetRasterBand(1).SetDescription("one")

    return change(gdal, said, target, make)


def op_addo(gdal, said, source, target, options):
    return change(gdal, said, target, lambda changed: changed.BuildOverviews("AVERAGE", [2]))


def op_read(gdal, said, source, target, options):
    """All that can be read, in a line."""
    dataset = gdal.OpenEx(target, gdal.OF_RASTER | gdal.OF_VERBOSE_ERROR, allowed_drivers=["OMEZARR"])
    if dataset is None:
        return False
    found = [dataset.RasterXSize, dataset.RasterYSize, dataset.GetProjection(), dataset.GetGeoTransform(can_return_null=True),
             dataset.GetMetadata(), dataset.GetMetadata("SUBDATASETS")]
    for number in range(1, dataset.RasterCount + 1):
        band = dataset.GetRasterBand(number)
        found += [band.DataType, band.GetDescription(), band.GetNoDataValue(), band.GetMetadata(), band.GetMinimum(), band.GetMaximum(),
                  band.GetMaskFlags(), band.GetColorInterpretation()]
        for level in [band] + [band.GetOverview(i) for i in range(band.GetOverviewCount())]:
            for plane in (level, level.GetMaskBand()):
                pixels = plane.ReadRaster()
                found.append(None if pixels is None else bytes(pixels).hex())
    print(json.dumps(found).replace(target, "TARGET"))
    return not said


def op_run(gdal, said, source, target, options):
    """A program, in the place of this process."""
    sys.stdout.flush()
    os.execv(options[0], options)


def be_child(gdal, request):
    signal.alarm(100)  # what hangs has crashed
    os.environ.update(request["environment"])
    for name, number in (("out", 1), ("err", 2)):
        file = os.open(f"{request['output']}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
        os.dup2(file, number)
        os.close(file)
    said = []
    gdal.PushErrorHandler(lambda level, number, text: said.append(text) if level >= gdal.CE_Failure else None)
    op = dict(request["op"])
    is_done = globals()["op_" + op.pop("name")](gdal, said, **op)
    for text in said:
        os.write(2, f"ERROR {text}\n".encode(errors="replace"))
    sys.stdout.flush()
    return 0 if is_done else 1


def main():
    sys.path.append(sys.argv[1])
    from osgeo import gdal

    gdal.DontUseExceptions()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = be_child(gdal, json.loads(line))
            except BaseException as problem:
                os.write(2, f"zygote: {problem!r}\n".encode())
            os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
