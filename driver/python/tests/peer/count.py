"""count.py RESULTS PINNED: how many of ngff-zarr's tests passed, and which of the pinned ones did not.
count.py pin RESULTS ITSELF LEFT_OUT: the list of those to pin: called one of the four functions, passed with ngff-zarr itself, not
left out."""

import collections
import fnmatch
import json
import os
import sys


def load(path):
    with open(path) as file:
        return json.load(file)


def lines(path):
    with open(path) as file:
        return [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]


def pin(results_path, itself_path, left_out_path):
    itself = load(itself_path)
    patterns = [line.split("\t")[0] for line in lines(left_out_path)]
    for name, (_, is_ours, _) in sorted(load(results_path).items()):
        # Brackets of parameters are no sets of letters.
        if is_ours and itself.get(name, [""])[0] == "passed" and not any(
                fnmatch.fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns):
            print(name)


def count(results_path, pinned_path):
    results = load(results_path)
    print("all:", dict(collections.Counter(outcome for outcome, _, _ in results.values())))
    print("that call us:", dict(collections.Counter(outcome for outcome, is_ours, _ in results.values() if is_ours)))
    if os.path.exists(pinned_path):
        pinned = lines(pinned_path)
        failed = [name for name in pinned if results.get(name, ("not run",))[0] != "passed"]
        print(f"pinned: {len(pinned) - len(failed)} of {len(pinned)} passed")
        for name in failed:
            print(f"  {results.get(name, ('not run',))[0]}: {name}")


if __name__ == "__main__":
    if sys.argv[1] == "pin":
        pin(*sys.argv[2:])
    else:
        count(*sys.argv[1:])
