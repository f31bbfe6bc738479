"""Checks the reducers of libngff against the golden arrays of ngff-zarr and against independent numpy models.

Run: python3 check_reduce.py LIBRARY   (LIBRARY: the module built from tests/pyramid/reduce_shim.c; needs numpy)

 1. golden: every level 1; level 2 of our own cascade where flooring dropped no pixels; the step L1 -> L2 fed with
    their L1 everywhere. ngff-zarr floors sizes, we take the ceiling: the floor part of our output is compared.
 2. our ceil cascade against reference_model.py on input padded to whole windows (means: computed on what exists).
 3. every reducer, pixel type, nodata, NaN, mask and odd factors against models written pixel by pixel.
 4. any tiling of the target gives the bits of the whole."""
import ctypes
import functools
import itertools
import math
import os
import sys
import types
from fractions import Fraction

import numpy as np

try:
    import scipy.special  # noqa: F401
except ImportError:  # reference_model needs one function of scipy: e^-v I_n(v), here by its power series

    def ive(n, v):
        term = math.exp(-v) * (v / 2) ** n / math.factorial(n)
        total, k = term, 0
        while term > total * 1e-18:
            k += 1
            term *= (v / 2) ** 2 / (k * (k + n))
            total += term
        return total

    special = types.ModuleType("scipy.special")
    special.ive = ive
    sys.modules["scipy"] = types.ModuleType("scipy")
    sys.modules["scipy.special"] = special

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import reference_model as model  # noqa: E402

LIBRARY = ctypes.CDLL(os.path.abspath(sys.argv[1]))
NAMES = "AUTO AVERAGE NEAREST MODE RMS MIN MAX GAUSS BILINEAR CUBIC CUBICSPLINE LANCZOS".split()
CODE = {name: i for i, name in enumerate(NAMES)}
KERNELS = NAMES[7:]
TYPES = {t: i for i, t in enumerate("u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8 c8 c16".split(), 1)}
failures = []


def check(ok, text):
    if not ok:
        failures.append(text)
        if len(failures) < 20:
            print("FAIL", text)


def longs(values):
    return (ctypes.c_int64 * len(values))(*[int(v) for v in values])


def pixel(dtype, value):
    return None if value is None else np.array([value], dtype).tobytes()


def level_shape(shape, ratio):
    return [-(-n // f) for n, f in zip(shape, ratio)]


def source_box(how, shape, ratio, origin, extent):
    o, e = longs(shape), longs(shape)
    LIBRARY.shim_source_box(CODE[how], len(shape), longs(ratio), longs(shape), longs(origin), longs(extent), o, e)
    return list(o), list(e)


def reduce(a, ratio, how, nodata=None, mask=None, empty=None, tiles=None):
    """The whole next level, at once or tile by tile, each tile from a copy of just its source box."""
    out_shape = level_shape(a.shape, ratio)
    out = np.full(out_shape, 77 if a.dtype.kind != "c" else 77 + 7j, a.dtype)
    if empty is None:
        empty = nodata if nodata is not None else 0
    for origin, extent in tiles or [([0] * a.ndim, out_shape)]:
        o, e = source_box(how, a.shape, ratio, origin, extent)
        cut = tuple(slice(i, i + n) for i, n in zip(o, e))
        part = np.ascontiguousarray(a[cut])
        part_mask = None if mask is None else np.ascontiguousarray(mask[cut].astype(np.uint8))
        target = out[tuple(slice(i, i + n) for i, n in zip(origin, extent))]
        status = LIBRARY.shim_reduce(
            CODE[how], TYPES[a.dtype.str[1:]], a.ndim, longs(ratio), longs(a.shape),
            part.ctypes.data_as(ctypes.c_void_p), longs(part.strides), longs(o), longs(e),
            target.ctypes.data_as(ctypes.c_void_p), longs(target.strides), longs(origin), longs(extent),
            pixel(a.dtype, nodata), None if mask is None else part_mask.ctypes.data_as(ctypes.c_void_p),
            None if mask is None else longs(part_mask.strides), pixel(a.dtype, empty))
        check(status == 0, f"{how} {a.dtype} {a.shape} {ratio}: status {status}")
    return out


def agree(ours, theirs, is_gauss):
    if ours.shape != theirs.shape:
        return False
    if theirs.dtype.kind == "f":
        return np.allclose(ours, theirs, rtol=2e-6, atol=1e-5)
    d = np.abs(ours.astype(np.int64) - theirs.astype(np.int64))
    return d.max(initial=0) == 0 or (is_gauss and d.max() <= 1 and (d > 0).mean() <= 0.001)


# -- 1, 2: golden ------------------------------------------------------------------------------------------------------

METHODS = {"itkwasm_gaussian": "GAUSS", "itkwasm_bin_shrink": "AVERAGE", "itk_bin_shrink": "AVERAGE",
           "dask_bin_shrink": "AVERAGE", "dask_image_mode": "MODE", "dask_image_nearest": "NEAREST",
           "itkwasm_label_image": "MODE"}


def golden_cases():
    for name in ("golden_small.npz", "golden_head256.npz"):
        z = np.load(os.path.join(HERE, name))
        for key in z.files:
            if key.startswith("out_"):
                image, method, tag = key[4:].split("__")[:3]
                level = key.split("__")[3] if key.count("__") == 3 else "L1"
                base = z["in_head256_u1"] if image.startswith("head256") else z["in_" + image]
                if image == "head256_u2":
                    base = base.astype(np.uint16) * 257
                if image == "head256_f4":
                    base = base.astype(np.float32) / 255
                f = 3 if tag == "f3" else 2
                ratio = (1, 2, 2) if tag == "z1yx2" else (1, f, f) if image.endswith("u1c") else (f,) * base.ndim
                yield z, key, image, method, tag, level, base, ratio


def floor_part(a, shape):
    return a[tuple(slice(0, n) for n in shape)]


def check_golden():
    counts = {}
    for z, key, image, method, tag, level, base, ratio in golden_cases():
        how = METHODS.get(method)
        f = max(ratio)
        if how is None or (method == "dask_image_nearest" and f != 2):
            continue
        if method == "itkwasm_label_image" and f == 3:
            how = "NEAREST"  # its odd factors take the centre pixel
        theirs = z[key]
        if level == "L1":
            ours = reduce(base, ratio, how)
            check(agree(floor_part(ours, theirs.shape), theirs, how == "GAUSS"), f"golden {key}")
            counts[how, "L1"] = counts.get((how, "L1"), 0) + 1
            continue
        source = z[key[:-2] + "L1"] if key[:-2] + "L1" in z.files else None
        if source is not None:
            ours = reduce(source, ratio, how)
            check(agree(floor_part(ours, theirs.shape), theirs, how == "GAUSS"), f"golden step {key}")
            counts[how, "L1 -> L2"] = counts.get((how, "L1 -> L2"), 0) + 1
        if all(n % (r * r) == 0 for n, r in zip(base.shape, ratio)):
            ours = reduce(reduce(base, ratio, how), ratio, how)
            check(agree(ours, theirs, how == "GAUSS"), f"golden cascade {key}")
            counts[how, "cascade"] = counts.get((how, "cascade"), 0) + 1
    print("golden:", {" ".join(k): v for k, v in sorted(counts.items())})
    check(sum(counts.values()) > 500, "golden: too few cases")


def ceil_gaussian(a, ratio):
    """reference_model's Gaussian with the sizes rounded up: the edge is replicated to whole windows and on."""
    pad = [(0, -n % f + 8 * f * (f > 1)) for n, f in zip(a.shape, ratio)]
    out = model.gaussian(np.pad(a, pad, mode="edge"), ratio)
    return floor_part(out, level_shape(a.shape, ratio))


def check_ceil_cascade():
    rng = np.random.default_rng(11)
    for shape, ratio in (((9, 7), (2, 2)), ((41, 53), (2, 2)), ((33, 50), (3, 3)), ((37, 38), (2, 6)),
                         ((7, 33, 21), (1, 3, 2)), ((9, 21, 23), (2, 2, 2)), ((100, 100), (5, 5)), ((50, 1), (4, 4)),
                         ((64, 64), (8, 16))):
        for t in (np.uint8, np.uint16, np.int16, np.float32, np.uint32, np.float64):
            ours = a = rng.integers(0, 201, shape).astype(t)
            for level in (1, 2, 3):
                theirs = ceil_gaussian(ours, ratio)
                ours = reduce(ours, ratio, "GAUSS")
                d = np.abs(ours.astype(float) - theirs.astype(float))
                limit = 1e-4 if t in (np.float32, np.float64) else 1
                check(d.max() <= limit and (limit < 1 or (d > 0).sum() <= 1 + d.size // 1000),
                      f"ceil cascade GAUSS {a.dtype} {shape} {ratio} level {level}: {d.max()}, {(d > 0).sum()}")


# -- 3: models, pixel by pixel -----------------------------------------------------------------------------------------

def neighbour(dtype, v):
    if dtype.kind in "iu":
        return v + 1 if v < np.iinfo(dtype).max else v - 1
    top = np.finfo(dtype).max
    return np.nextafter(dtype.type(v), dtype.type(0 if v == top else top))


def window_model(a, ratio, how, nodata, mask, empty):
    out = np.empty(level_shape(a.shape, ratio), a.dtype)
    for i in np.ndindex(*out.shape):
        cut = tuple(slice(k * f, (k + 1) * f) for k, f in zip(i, ratio))
        if how == "NEAREST":
            out[i] = a[tuple(min(k * f + (f - 1) // 2, n - 1) for k, f, n in zip(i, ratio, a.shape))]
            continue
        values = [v for v, m in zip(a[cut].ravel(), mask[cut].ravel()) if m and v == v and (nodata is None or v != nodata)]
        if not values:
            out[i] = empty
            continue
        n, is_int = len(values), a.dtype.kind in "iu"
        if how == "MODE":
            r = min(values, key=lambda v: (-values.count(v), v))
        elif how in ("MIN", "MAX"):
            r = min(values) if how == "MIN" else max(values)
        elif how == "AVERAGE":
            if is_int:
                r = math.floor(Fraction(sum(int(v) for v in values), n) + Fraction(1, 2))
            elif a.dtype.kind == "c":
                r = sum(complex(v) for v in values) / n
            else:
                r = a.dtype.type(sum(float(v) for v in values) / n)
        else:
            squares = Fraction(sum(int(v) ** 2 for v in values), n) if is_int else sum(float(v) ** 2 for v in values) / n
            if is_int:  # the integer nearest to the root, exactly
                r = math.isqrt(squares.numerator // squares.denominator)
                if (2 * r + 1) ** 2 <= 4 * squares:
                    r += 1
                r = min(r, np.iinfo(a.dtype).max)
            else:
                r = a.dtype.type(math.sqrt(squares))
        if nodata is not None and r == nodata and a.dtype.kind != "c":
            r = neighbour(a.dtype, r)
        out[i] = r
    return out


def stretched(how, d):
    d = abs(d)
    if how == "BILINEAR":
        return max(0.0, 1 - d)
    if how == "CUBIC":
        return 1.5 * d**3 - 2.5 * d**2 + 1 if d < 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0
    if how == "CUBICSPLINE":
        return 2 / 3 - d**2 + d**3 / 2 if d < 1 else (2 - d) ** 3 / 6 if d < 2 else 0.0
    return float(np.sinc(d) * np.sinc(d / 3)) if d < 3 else 0.0


def axis_taps(how, f):
    """Offset -> weight, from the definition."""
    if f == 1:
        return {0: 1.0}
    c = (f - 1) / 2
    w = {}
    if how == "GAUSS":
        k = model.kernel(f)
        r = len(k) // 2
        for lower, share in ((math.floor(c), 1 - (c % 1)), (math.floor(c) + 1, c % 1)):
            for j, v in enumerate(k):
                if share:
                    w[lower + j - r] = w.get(lower + j - r, 0) + share * v
        return w
    for m in range(-4 * f, 5 * f):
        v = stretched(how, (m - c) / f)
        if abs(v) > 1e-12:
            w[m] = v
    total = sum(w.values())
    return {m: v / total for m, v in w.items()}


@functools.cache
def axis_matrix(how, f, n):
    """Dense (targets x sources) weights with the edge rule: GAUSS replicates, the others renormalise."""
    m = np.zeros((-(-n // f), n))
    for i in range(len(m)):
        for k, w in axis_taps(how, f).items():
            at = i * f + k
            if how == "GAUSS":
                at = min(max(at, 0), n - 1)
            if 0 <= at < n:
                m[i, at] += w
        m[i] /= m[i].sum()
    return m


def apply(matrices, x):
    for i, m in enumerate(matrices):
        x = np.moveaxis(np.tensordot(m, x, (1, i)), 0, i)
    return x


def nearest_valid(a, valid, i, ratio, empty):
    """The valid pixel of a window that is nearest to its centre, the first of several."""
    places = [tuple(k * f + s for k, f, s in zip(i, ratio, step)) for step in np.ndindex(*ratio)]
    near = [(sum((2 * (p - k * f) - (f - 1)) ** 2 for p, k, f in zip(place, i, ratio)), place) for place in places
            if all(p < n for p, n in zip(place, a.shape)) and valid[place]]
    return a[min(near)[1]] if near else empty


def check_kernel(a, ratio, how, nodata, mask, empty, text):
    valid = mask & (a == a)
    if nodata is not None:
        valid &= a != nodata
    ms = [axis_matrix(how, f, n) for f, n in zip(ratio, a.shape)]
    values = np.where(valid, a, 0).astype(np.float64)
    share = apply(ms, valid.astype(float))
    least = 0.0
    if how in ("CUBIC", "LANCZOS"):
        least = math.prod(max(axis_taps(how, f).values()) for f in ratio) / 64
    has_result = share > least
    x = np.where(has_result, apply(ms, values) / np.where(has_result, share, 1), 0)
    noise = apply([np.abs(m) for m in ms], np.abs(values)) / np.where(has_result, share, 1) * 3e-6 + 1e-9
    ours = reduce(a, ratio, how, nodata, mask, empty)
    sure = np.abs(share - least) > 1e-6 if least else (share > 1e-12) | (share == 0)
    for i in zip(*np.nonzero(~has_result & sure)):
        check(ours[i] == nearest_valid(a, valid, i, ratio, empty), f"{text}: no weight at {i}")
    got = ours[has_result & sure].astype(float)
    want, noise = x[has_result & sure], noise[has_result & sure]
    if a.dtype.kind in "iu":
        lo, hi = np.iinfo(a.dtype).min, np.iinfo(a.dtype).max
        low, high = np.clip(np.rint(want - noise), lo, hi), np.clip(np.rint(want + noise), lo, hi)
        if nodata is not None:
            low = np.where(low == nodata, np.minimum(low, neighbour(a.dtype, nodata)), low)
            high = np.where(high == nodata, np.maximum(high, neighbour(a.dtype, nodata)), high)
            check((got != nodata).all(), f"{text}: nodata made")
        check(((got >= low) & (got <= high)).all(), f"{text}: {((got < low) | (got > high)).sum()} of {got.size} off")
    else:
        noise += np.abs(want) * (1e-3 if a.dtype == np.float16 else 0)
        check((np.abs(got - want) <= noise).all(), f"{text}: {np.abs(got - want).max(initial=0)}")


def images(rng, shape, t):
    t = np.dtype(t)
    if t.kind in "iu":
        ii = np.iinfo(t)
        wide = rng.integers(ii.min, ii.max, shape, t, endpoint=True)
        small = rng.integers(0, 4, shape).astype(t)
        return [(wide, int(wide.flat[0])), (small, 1), (np.where(small == 0, ii.max, ii.max - 1).astype(t), ii.max)]
    a = (rng.random(shape) * 200 - 100).astype(t)
    b = a.copy()
    b[rng.random(shape) < 0.3] = np.nan
    return [(a, None), (b, None), (b, float(a.flat[-1]))]


CASES = [((9, 7), (2, 2)), ((16, 18), (2, 2)), ((20, 31), (3, 3)), ((26, 23), (5, 5)), ((11, 40), (2, 6)),
         ((4, 19, 11), (1, 3, 2)), ((5, 6, 7), (2, 2, 2)), ((1, 1), (2, 2)), ((1, 13), (4, 4)), ((13, 1), (3, 2)),
         ((8, 9), (1, 1)), ((2, 2, 3, 5, 4), (1, 2, 2, 3, 2)), ((17,), (4,))]


def check_models():
    rng = np.random.default_rng(5)
    for shape, ratio in CASES:
        for t in "u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8".split():
            for a, nodata in images(rng, shape, "<" + t if t[1] != "1" else t):
                for mask in (None, rng.random(shape) < 0.6):
                    everything = np.ones(shape, bool)
                    if mask is not None and a.ndim > 1:
                        mask[: 2 * ratio[0]] = False
                    for nd in (None, nodata):
                        empty = nd if nd is not None else 0
                        for how in "AVERAGE NEAREST MODE RMS MIN MAX".split():
                            text = f"{how} {t} {shape} {ratio} nodata {nd} mask {mask is not None}"
                            ours = reduce(a, ratio, how, nd, mask, empty)
                            want = window_model(a, ratio, how, nd, everything if mask is None else mask, empty)
                            same = (ours == want) | ((ours != ours) & (want != want))
                            if t == "f2":
                                same |= np.isclose(ours.astype(float), want.astype(float), rtol=1e-3)
                            if t == "f8" and how in ("AVERAGE", "RMS"):  # numpy's order of adding changes between versions
                                same |= np.isclose(ours, want, rtol=1e-15, atol=1e-13)
                            check(same.all(), f"{text}: {(~same).sum()} of {same.size} differ")
                        if t in ("u8", "i8") and abs(int(a.max())) > 2**50:
                            continue
                        for how in KERNELS:
                            check_kernel(a, ratio, how, nd, everything if mask is None else mask, empty,
                                         f"{how} {t} {shape} {ratio} nodata {nd} mask {mask is not None}")
    for shape, ratio in CASES:
        for t in (np.complex64, np.complex128):
            a = (rng.integers(-50, 50, shape) + 1j * rng.integers(-50, 50, shape)).astype(t)
            check(np.allclose(reduce(a, ratio, "AVERAGE"), window_model(a, ratio, "AVERAGE", None, np.ones(shape, bool), 0)),
                  f"AVERAGE {t} {shape} {ratio}")
            check((reduce(a, ratio, "NEAREST") == window_model(a, ratio, "NEAREST", None, None, 0)).all(), "NEAREST complex")
            for how in KERNELS:
                parts = reduce(a.real.copy(), ratio, how) + 1j * reduce(a.imag.copy(), ratio, how)
                check(np.allclose(reduce(a, ratio, how), parts), f"{how} {t} {shape} {ratio}")


# -- 4: tiles ----------------------------------------------------------------------------------------------------------

def random_tiles(rng, shape):
    cuts = [sorted({0, n, *rng.integers(0, n + 1, rng.integers(0, 4)).tolist()}) for n in shape]
    tiles = [([a for a, _ in t], [b - a for a, b in t]) for t in itertools.product(*[list(zip(c, c[1:])) for c in cuts])]
    return [tiles[i] for i in rng.permutation(len(tiles))]


def check_tiles():
    rng = np.random.default_rng(8)
    for turn in range(400):
        rank = int(rng.integers(2, 4))
        shape = tuple(rng.integers(1, 40 if rank == 2 else 16, rank))
        ratio = tuple(rng.choice([1, 2, 2, 3, 4, 5, 6], rank))
        t = rng.choice("u1 u2 i2 u4 i8 f2 f4 f8".split())
        a = (rng.random(shape) * 250).astype(t)
        nodata = None if turn % 3 == 0 else a.flat[0]
        if nodata is not None:
            a[rng.random(shape) < rng.choice([0.01, 0.3, 0.9])] = nodata
        mask = rng.random(shape) < 0.95 if turn % 4 == 1 else None
        for how in NAMES[1:]:
            whole = reduce(a, ratio, how, nodata, mask)
            parts = reduce(a, ratio, how, nodata, mask, tiles=random_tiles(rng, whole.shape))
            check(whole.tobytes() == parts.tobytes(), f"tiles {how} {t} {shape} {ratio} turn {turn}")


if __name__ == "__main__":
    for part in (check_golden, check_ceil_cascade, check_models, check_tiles):
        before = len(failures)
        part()
        print(part.__name__, "ok" if len(failures) == before else f"{len(failures) - before} failures")
    sys.exit(bool(failures))
