#!/usr/bin/env python3
"""The benchmark of the plugin for ImageJ: a stack of uint16 saved as a virtual stack and from memory, and by a C program
(planes.c) that writes the same planes through the same library; beside them ImageJ's own Save As TIFF, from memory.

Runs take turns. What is printed are medians: seconds from the first plane to the end, as the programs tell them, their ratio to the
C program's, CPU seconds of the whole process (Java's start and the planes that are made before, too), the largest memory. The
objects of the three stores must be the same, byte for byte. Needs what `scripts/imagej.sh test` builds. Run it by `run.sh --imagej`."""

import argparse
import filecmp
import glob
import os
import re
import shutil
import statistics
import subprocess
import tempfile

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def measure(command):
    """Seconds and MiB that the program tells, and its CPU seconds."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    seconds, mib = re.search(r"([0-9.]+) s, VmHWM +([0-9]+) MiB", said).groups()
    return float(seconds), usage.ru_utime + usage.ru_stime, float(mib)


def chunks(store):
    return {os.path.relpath(path, store) for path in glob.glob(f"{store}/**/c/**", recursive=True) if os.path.isfile(path)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="2048x2048x200", help="width x height x depth")
    parser.add_argument("--heap", default="4g", help="of Java")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--build", required=True, help="folder of the program planes")
    parser.add_argument("--driver", help="not used")
    parser.add_argument("--python", help="not used")
    args = parser.parse_args()
    size = args.size.split("x")
    library = f"{root}/build-natives/x86_64-linux-gnu.2.17"
    library = library if os.path.exists(f"{library}/libngff.so") else f"{root}/build"
    central, plugin = os.path.expanduser("~/.m2/repository"), f"{root}/driver/imagej/target"
    jars = [f"{plugin}/classes", f"{plugin}/test-classes", f"{central}/net/imagej/ij/1.54p/ij-1.54p.jar", f"{central}/net/java/dev/jna/jna/5.14.0/jna-5.14.0.jar"]
    java = ["java", f"-Xmx{args.heap}", "-Djava.awt.headless=true", f"-Djna.library.path={library}", "-cp", ":".join(jars), "omezarr.imagej.Speed"]
    planes = f"{args.build}/planes"
    subprocess.run(["cc", "-O2", f"-I{root}/core/include", f"{root}/autotest/bench/planes.c", "-o", planes, f"-L{library}", "-lngff", f"-Wl,-rpath,{library}"], check=True)
    with tempfile.TemporaryDirectory(prefix="omezarr-imagej-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        programs = {"C program": [planes, *size, f"{folder}/c.ome.zarr", "COMPRESS=ZSTD"],
                    "plugin, virtual stack": [*java, "virtual", *size, f"{folder}/virtual.ome.zarr"],
                    "plugin, stack in memory": [*java, "memory", *size, f"{folder}/memory.ome.zarr"],
                    "ImageJ's Save As TIFF, no levels, no compression": [*java, "tiff", *size, f"{folder}/own.tif"]}
        runs = {name: [] for name in programs}
        for _ in range(args.repeat):
            for name, command in programs.items():
                path = next(word for word in command if word.startswith(folder))
                shutil.rmtree(path, ignore_errors=True)
                runs[name].append(measure(command))
                if path.endswith(".tif"):
                    os.remove(path)
        first = runs["C program"]
        print(f"\n### {args.size} uint16\n\n| program | runs | s | x the C program | CPU s | peak MiB |\n|---|---|---|---|---|---|")
        for name, found in runs.items():
            wall, cpu, mib = (statistics.median(run[i] for run in found) for i in range(3))
            ratio = statistics.median(run[0] / other[0] for run, other in zip(found, first))
            print(f"| {name} | {len(found)} | {wall:.2f} | {ratio:.2f} | {cpu:.2f} | {mib:.0f} |")
        names = chunks(f"{folder}/c.ome.zarr")
        for other in "virtual", "memory":  # the documents differ: ImageJ's say more
            store = f"{folder}/{other}.ome.zarr"
            if chunks(store) != names or len(filecmp.cmpfiles(f"{folder}/c.ome.zarr", store, names, shallow=False)[0]) != len(names):
                raise SystemExit(f"{store} has other objects than the C program's store")
        print(f"\nThe {len(names)} chunks are the same, byte for byte, in the three stores.")


if __name__ == "__main__":
    main()
