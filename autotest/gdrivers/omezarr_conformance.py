"""The specification's own suites and its runner (autotest/conformance/README.md) against `omezarr validate`: every case is
judged as the suite says, but for those where the suite contradicts the text of the specification. These are listed here
by name with the sentence that they break; each is valid once that place is put right. With --lenient, which tolerates
such places, every case is judged as the suite says."""

import glob
import json
import os
import subprocess
import sys

import gdaltest
import pytest

TOOL = os.path.join(os.environ["GDAL_DRIVER_PATH"], "omezarr")
ARCHIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance", "ngff-spec.tar.gz")


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spec")
    subprocess.run(["tar", "-xzf", ARCHIVE, "-C", str(folder)], check=True)
    return folder


def judge(path, *options):
    done = subprocess.run([TOOL, "validate", "--json", *options, str(path)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def judge_all(cases):
    """(path, options) -> what is said of each: one run of the program for all with the same options."""
    verdicts = {}
    for options in {tuple(options) for _, options in cases}:
        paths = [str(path) for path, own in cases if tuple(own) == options]
        done = subprocess.run([TOOL, "validate", "--json", *options, *paths], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["path"] for line in lines] == paths
        verdicts.update((options + (line["path"],), line) for line in lines)
    return [verdicts[tuple(options) + (str(path),)] for path, options in cases]


# -- Where suites and text differ ------------------------------------------------------------------------------------------


def third_number(ome):
    ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"].append(1)


def rows_and_columns(ome):
    plate = ome["plate"]
    plate["rows"], plate["columns"] = plate["columns"], plate["rows"]


def third_axis(ome):
    parts = ome["multiscales"][0]["coordinateTransformations"][0]["transformations"][5]["transformations"]
    parts.append({"transformation": {"type": "identity"}, "inputAxes": [2], "outputAxes": [2]})


def known_system(ome):
    ome["multiscales"][0]["coordinateTransformations"][0]["input"] = {"name": "physical"}


def same_path(ome):
    ome["multiscales"][0]["datasets"][1]["path"] = "s1"


def objects_for_strings(ome):
    image = ome["multiscales"][0]
    for transform in [t for d in image["datasets"] for t in d["coordinateTransformations"]]:
        transform["input"], transform["output"] = {"path": transform["input"]}, {"name": transform["output"]}
    for transform in image.get("coordinateTransformations", []):
        transform["input"], transform["output"] = {"name": transform["input"]}, {"name": transform["output"]}


REASONS = {
    third_number: 'a scale of 2 numbers for 3 axes: "The length of the scale and translation array MUST be the same as the '
                  'length of axes" (0.4), "The array MUST have length N" (0.6)',
    rows_and_columns: 'a well column/row: "The path MUST consist of a name in the rows list, a file separator (/), and a name '
                      'from the columns list, in that order". The suite of 0.5 was put right, and has an invalid case for it',
    third_axis: 'byDimension without the third axis: "Every axis index in the parent byDimension\'s output coordinate system '
                'MUST appear in exactly one child transformation\'s outputAxes array"',
    known_system: 'an input that is no coordinate system of the image: "One of input or output MUST reference the intrinsic '
                  'coordinate system by name", the other "a named coordinate system in the same multiscales group"',
    same_path: 'dataset 1 has the input s1: "The input object MUST specify a path field matching the path field of the dataset"',
    objects_for_strings: 'input and output are strings, as in drafts before 0.6rc0: "The input and output fields are objects". '
                         'tests/attributes has the same as an invalid case (invalid_multiscale_transform_input_output)',
}

PLATES = {f"{kind}/valid/plate/{name}": [rows_and_columns] for kind, names in
          {"spec": ["minimal_acquisitions", "minimal_no_acquisitions", "non_alphanumeric_row"],
           "strict": ["strict_acquisitions", "strict_no_acquisitions"]}.items() for name in names}
CONTRADICTIONS = {
    "0.4": {
        "image_suite valid/mismatch_axes_units.json": [third_number],
        "plate_suite plate/minimal_acquisitions": [rows_and_columns],
        "plate_suite plate/minimal_no_acquisitions": [rows_and_columns],
        "plate_suite plate/non_alphanumeric_row": [rows_and_columns],
        "strict_plate_suite plate/strict_acquisitions": [rows_and_columns],
        "strict_plate_suite plate/strict_no_acquisitions": [rows_and_columns],
    },
    "0.5": {},
    "attributes": {
        **PLATES,
        "spec/valid/image/mismatch_axes_units": [third_number],
        "spec/valid/image/multiscales_transform_additional_transforms": [third_axis],
        "strict/valid/image/image_omero": [known_system],
        "strict/valid/image/multiscales_example": [same_path],
    },
    "zarr": {
        **PLATES,
        "spec/valid/image/custom_type_axes": [objects_for_strings],
        "spec/valid/image/invalid_axis_units": [objects_for_strings],
        "spec/valid/image/mismatch_axes_units": [objects_for_strings, third_number],
        "spec/valid/image/missing_name": [objects_for_strings],
        "spec/valid/image/untyped_axes": [objects_for_strings],
        "strict/valid/image/image": [objects_for_strings],
        "strict/valid/image/image_metadata": [objects_for_strings],
        "strict/valid/image/image_omero": [objects_for_strings, known_system],
        "strict/valid/image/multiscales_example": [objects_for_strings],
        "strict/valid/image/multiscales_transformations": [objects_for_strings],
    },
}


def is_valid_only_when_put_right(tmp_path, attributes, repairs, options):
    """Judged before each repair, and after the last."""
    path = tmp_path / "case.json"
    verdicts = []
    for repair in [None] + repairs:
        if repair:
            assert REASONS[repair]
            repair(attributes.get("ome", attributes))
        path.write_text(json.dumps(attributes))
        verdicts.append(judge(path, *options)["valid"])
    return verdicts == [False] * len(repairs) + [True]


# -- 0.4 and 0.5: suites in JSON Schema's form -----------------------------------------------------------------------------


def written(folder, number, attributes):
    path = folder / f"case{number}.json"
    path.write_text(json.dumps(attributes))
    return path


def cases_of(spec, version):
    """Title, whether it is valid, attributes, options."""
    for name in sorted(glob.glob(f"{spec}/{version}/tests/*_suite.json")):
        with open(name) as file:
            suite = json.load(file)
        options = ["--strict"] if "strict" in os.path.basename(name) else []
        for case in suite["tests"]:
            yield f"{os.path.basename(name)[:-5]} {case['formerly']}", case["valid"], case["data"], options


@pytest.mark.parametrize("version,n_cases", [("0.4", 92), ("0.5", 86)])
def test_the_suites_of_a_version(spec, tmp_path, version, n_cases):
    seen, plain = set(), []
    for title, is_valid, attributes, options in cases_of(spec, version):
        repairs = CONTRADICTIONS[version].get(title)
        if repairs:
            assert is_valid and is_valid_only_when_put_right(tmp_path, attributes, repairs, options), title
            seen.add(title)
        else:
            plain.append((title, is_valid, written(tmp_path, len(plain), attributes), options))
    verdicts = judge_all([(path, options) for _, _, path, options in plain])
    wrong = [(case, verdict) for case, verdict in zip(plain, verdicts) if verdict["valid"] != case[1]]
    assert wrong == [] and seen == set(CONTRADICTIONS[version])
    assert len(seen) + len(plain) == n_cases


@pytest.mark.parametrize("version,n_cases", [("0.4", 92), ("0.5", 86)])
def test_the_suites_of_a_version_when_lenient(spec, tmp_path, version, n_cases):
    """Of the valid cases those that contradict the text, and no others, have a place that is tolerated."""
    cases = [(title, is_valid, written(tmp_path, i, attributes), ["--lenient"] + options)
             for i, (title, is_valid, attributes, options) in enumerate(cases_of(spec, version))]
    wrong, tolerated = [], set()
    for (title, is_valid, path, _), verdict in zip(cases, judge_all([case[2:] for case in cases])):
        if verdict["valid"] != is_valid:
            wrong.append((title, is_valid, verdict))
        if is_valid and "message" in verdict:
            assert verdict["message"].startswith(f"tolerated: {path.name}: ")
            tolerated.add(title)
    assert wrong == [] and tolerated == set(CONTRADICTIONS[version])
    assert len(cases) == n_cases


# -- main: the runner ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [[], ["--lenient"]], ids=["text", "lenient"])
@pytest.mark.parametrize("mode,kind,n_cases", [("attributes", "spec", 130), ("attributes", "strict", 13),
                                               ("zarr", "spec", 72), ("zarr", "strict", 13)])
def test_the_runner_of_the_specification(spec, mode, kind, n_cases, option):
    """Its exit status is 0 only if every case passes. What is only recommended makes a document of "strict" invalid."""
    names = [] if option else [name for name in CONTRADICTIONS[mode] if name.startswith(kind)]
    arguments = [sys.executable, f"{spec}/main/conformance/ome_zarr_conformance.py", mode, "-v", "-p", f"^{kind}/"]
    for name in names:
        arguments += ["-P", f"^{name}$"]
    command = [TOOL, "validate", "--json", *option] + (["--strict"] if kind == "strict" else [])
    done = subprocess.run(arguments + ["--"] + command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == ["pass"] * (n_cases - len(names))


@pytest.mark.parametrize("mode", ["attributes", "zarr"])
def test_a_case_that_contradicts_the_text_is_valid_when_put_right(spec, tmp_path, mode):
    for name, repairs in CONTRADICTIONS[mode].items():
        path = f"{spec}/main/tests/{mode}/{name}" + (".json" if mode == "attributes" else ".ome.zarr/zarr.json")
        with open(path) as file:
            document = json.load(file)
        options = ["--strict"] if name.startswith("strict") else []
        attributes = document if mode == "attributes" else document["attributes"]
        assert is_valid_only_when_put_right(tmp_path, attributes, repairs, options), name


def test_no_invalid_document_becomes_valid_in_a_store(spec, tmp_path):
    """Texts as input and output are tolerated in stores: there too each invalid document is, for what it was made for."""
    cases, names = [], []
    for path in sorted(glob.glob(f"{spec}/main/tests/attributes/*/invalid/**/*.json", recursive=True)):
        with open(path) as file:
            attributes = json.load(file)
        store = tmp_path / f"{len(cases)}.ome.zarr"
        store.mkdir()
        (store / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}))
        cases.append((store, ["--lenient"] + (["--strict"] if "/strict/" in path else [])))
        names.append(os.path.basename(path))
    made_valid = [name for name, verdict in zip(names, judge_all(cases)) if verdict["valid"]]
    assert made_valid == ["invalid_multiscale_transform_input_output.json"]  # is about these texts alone
    assert len(cases) == 106


# -- The program, and our own stores ---------------------------------------------------------------------------------------


def validate(*arguments):
    return subprocess.run([TOOL, "validate", *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("options", [[], ["LAYOUT=FLAT"], ["LAYOUT=SCALES"], ["NGFF_VERSION=0.4"], ["NGFF_VERSION=0.4", "LAYOUT=FLAT"],
                                     ["AXES=t:2,z:3", "AXIS_UNITS=z:um,t:s"], ["OVERVIEW_RESAMPLING=NEAREST"]])
def test_our_stores_keep_to_must_and_should(tmp_path, options):
    source = gdaltest.mem(gdaltest.smooth_array((6, 70, 60), "uint16"), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=16", *options)
    done = validate("--strict", store)
    assert (done.returncode, done.stdout) == (0, "valid\n")


def test_what_the_program_says_and_returns(tmp_path):
    source = gdaltest.mem(gdaltest.smooth_array((1, 40, 40), "uint8"))
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "LAYOUT=FLAT", "CONSOLIDATED=NO")
    root = tmp_path / "a.ome.zarr" / "zarr.json"
    document = json.loads(root.read_text())
    del document["attributes"]["ome"]["multiscales"][0]["type"]
    root.write_text(json.dumps(document))
    done = validate(store)
    assert done.returncode == 0 and done.stdout.startswith("advice: zarr.json: multiscales[0].type: ")
    assert validate("--strict", store).returncode == 1
    assert judge(store) == {"valid": True}
    document["attributes"]["ome"]["multiscales"][0]["axes"][1]["name"] = 'a"\n'
    root.write_text(json.dumps(document))
    done = validate(store)
    assert done.returncode == 1 and "invalid: 0/zarr.json: dimension_names: they must be the names of the axes" in done.stdout
    document["attributes"]["ome"]["omero"]["channels"][0]["color"] = 'a"\n'
    root.write_text(json.dumps(document))
    assert 'color: "a"\n" must be 6 hexadecimal digits' in judge(root)["message"]  # a single document, in JSON that can be read
    for arguments in ([], ["-x", store], ["--lenient"]):
        done = validate(*arguments)
        assert done.returncode == 2 and "Usage: omezarr validate" in done.stderr
    nothing = validate(tmp_path / "nothing.ome.zarr")
    assert nothing.returncode == 3 and "nothing.ome.zarr" in nothing.stdout


PLATE_BY_COLUMN = {"plate": {"name": "p", "rows": [{"name": "A"}, {"name": "B"}], "columns": [{"name": "1"}], "version": "0.4",
                             "wells": [{"path": "1/A", "rowIndex": 0, "columnIndex": 0},
                                       {"path": "1/B", "rowIndex": 1, "columnIndex": 0}]}}


def test_what_is_tolerated_is_shown(tmp_path):
    document = tmp_path / "plate.json"
    document.write_text(json.dumps(PLATE_BY_COLUMN))
    wells = [f'plate.json: plate.wells[{i}].path: "1/{row}" must be row/column, "{row}/1"' for i, row in enumerate("AB")]
    done = validate(document)
    assert (done.returncode, done.stdout) == (1, "".join(f"invalid: {well}\n" for well in wells))
    assert judge(document) == {"valid": False, "message": "; ".join(wells)}
    for options in ([], ["--strict"]):
        done = validate("--lenient", *options, document)
        assert (done.returncode, done.stdout) == (0, "".join(f"tolerated: {well}\n" for well in wells) + "valid\n")
        assert judge(document, "--lenient", *options) == {"valid": True,
                                                          "message": "; ".join(f"tolerated: {well}" for well in wells)}


def test_what_is_only_recommended_is_not_tolerated(tmp_path):
    document = tmp_path / "plate.json"
    plate = {key: value for key, value in PLATE_BY_COLUMN["plate"].items() if key != "name"}
    document.write_text(json.dumps({"plate": plate}))
    assert validate("--lenient", document).returncode == 0
    done = validate("--lenient", "--strict", document)
    assert done.returncode == 1 and done.stdout.count("tolerated: ") == 2 and "advice: plate.json: plate.name: " in done.stdout
    del plate["rows"]
    document.write_text(json.dumps({"plate": plate}))
    assert judge(document, "--lenient")["valid"] is False


def test_several_paths_have_a_line_each(tmp_path):
    good = written(tmp_path, 1, {"plate": {**PLATE_BY_COLUMN["plate"], "wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]}})
    bad, nothing = written(tmp_path, 2, PLATE_BY_COLUMN), tmp_path / "nothing.ome.zarr"
    done = validate(good, bad)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and lines[0] == f"{good}: valid" and len(lines) == 3
    assert all(line.startswith(f"{bad}: invalid: case2.json: plate.wells") for line in lines[1:])
    assert validate(good, nothing).returncode == validate(nothing, good).returncode == 3  # the worst
    lines = [json.loads(line) for line in validate("--json", good, bad).stdout.splitlines()]
    assert [(line["path"], line["valid"]) for line in lines] == [(str(good), True), (str(bad), False)]
