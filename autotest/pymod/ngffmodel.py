"""What the pyramid must hold, by NumPy alone: written from the specification (DESIGN sections 3, 5 and 6), not from the
code. Slow and exact: integers of more than 32 bits are summed as Python integers.

A window is the box of source pixels under a target pixel, cut at the image; `valid` marks the pixels that count."""

import math

import numpy as np


def ceil_shape(shape, factor):
    return tuple(-(-n // f) for n, f in zip(shape, factor))


def plain_factors(height, width, block):
    """(2, 2), (4, 4) ... (y, x) until both sides fit one block; an axis of one pixel is not divided further."""
    factors = [(1, 1)]
    while max(ceil_shape((height, width), factors[-1])) > block:
        sizes = ceil_shape((height, width), factors[-1])
        factors.append(tuple(f * (2 if n > 1 else 1) for f, n in zip(factors[-1], sizes)))
    return factors


def _windows(array, ratio, fill):
    """(ceil sizes ..., pixels of a window); what lies outside the array is fill."""
    pad = [(0, -n % r) for n, r in zip(array.shape, ratio)]
    padded = np.pad(array, pad, constant_values=fill)
    shape = [v for n, r in zip(padded.shape, ratio) for v in (n // r, r)]
    rank = array.ndim
    order = list(range(0, 2 * rank, 2)) + list(range(1, 2 * rank, 2))
    out = [n // r for n, r in zip(padded.shape, ratio)]
    return padded.reshape(shape).transpose(order).reshape(out + [math.prod(ratio)])


def is_valid(array, nodata=None):
    valid = np.ones(array.shape, bool)
    if array.dtype.kind == "f":
        valid &= ~np.isnan(array)
    if nodata is not None and not (isinstance(nodata, float) and math.isnan(nodata)):
        valid &= array != array.dtype.type(nodata)
    return valid


def _round_half_up(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


def _average(values, valid, dtype):
    n = valid.sum(-1)
    if dtype.kind == "f":
        total = np.where(valid, values, 0).astype(np.float64).sum(-1)
        return (total / np.maximum(n, 1)).astype(dtype)
    wide = object if dtype.itemsize > 4 else np.int64
    total = np.where(valid, values, 0).astype(wide).sum(-1)
    return _round_half_up(total, np.maximum(n, 1).astype(wide)).astype(dtype)


def _rms(values, valid, dtype):
    n = np.maximum(valid.sum(-1), 1)
    if dtype.kind == "f":
        return np.sqrt((np.where(valid, values, 0).astype(np.float64) ** 2).sum(-1) / n).astype(dtype)
    total = (np.where(valid, values, 0).astype(object) ** 2).sum(-1)
    return np.vectorize(lambda s, k: _sqrt_rounded(int(s), int(k)), otypes=[object])(total, n).astype(dtype)


def _sqrt_rounded(total, n):
    """floor(sqrt(total / n) + 1/2), exactly."""
    root = math.isqrt(4 * total // n)  # floor(2 sqrt)
    return (root + 1) // 2


def _mode(values, valid, dtype):
    flat_values, flat_valid = values.reshape(-1, values.shape[-1]), valid.reshape(-1, values.shape[-1])
    out = np.zeros(len(flat_values), dtype)
    for i, (row, ok) in enumerate(zip(flat_values, flat_valid)):
        if ok.any():
            found, count = np.unique(row[ok], return_counts=True)
            out[i] = found[np.argmax(count)]
    return out.reshape(values.shape[:-1])


def _extreme(values, valid, dtype, take):
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    limit = info.max if take is np.min else info.min
    return take(np.where(valid, values, dtype.type(limit)), -1).astype(dtype)


def _nearest(array, ratio):
    for axis, r in enumerate(ratio):
        n = array.shape[axis]
        index = np.minimum(r * np.arange(-(-n // r)) + (r - 1) // 2, n - 1)
        array = np.take(array, index, axis)
    return array


# -- Kernels -----------------------------------------------------------------------------------------------------------


def _bessel(n, v):
    """e^-v I_n(v), by its integral; the trapezium rule converges at once for periodic functions."""
    theta = np.arange(20000) * (2 * np.pi / 20000)
    return float(np.mean(np.exp(v * (np.cos(theta) - 1)) * np.cos(n * theta)))


def gauss_taps(ratio):
    """Offsets from ratio * i, and weights: the discrete Gaussian, sampled at ratio * i + (ratio - 1) / 2."""
    v = (ratio * ratio - 1) / (8 * math.log(2))
    half = [_bessel(0, v)]
    while half[0] + 2 * sum(half[1:]) < 0.99:
        half.append(_bessel(len(half), v))
    weights = np.array(half[:0:-1] + half)
    weights /= weights.sum()
    first = (ratio - 1) // 2
    offsets = np.arange(1 - len(half), len(half)) + first
    if ratio % 2:
        return offsets, weights
    both = np.zeros(len(weights) + 1)  # between two pixels: the mean of the two
    both[:-1] += weights / 2
    both[1:] += weights / 2
    return np.append(offsets, offsets[-1] + 1), both


def _gauss(array, ratio, valid, empty):
    values = np.where(valid, array, 0).astype(np.float64)
    share = valid.astype(np.float64)
    for axis, r in enumerate(ratio):
        if r == 1:
            continue
        offsets, weights = gauss_taps(r)
        n = array.shape[axis]
        index = np.clip(r * np.arange(-(-n // r))[:, None] + offsets, 0, n - 1)  # edges are repeated

        def apply(a):
            return np.moveaxis(np.tensordot(np.take(np.moveaxis(a, axis, -1), index, -1), weights, ([-1], [0])), -1, axis)

        values, share = apply(values), apply(share)
    result = values / np.where(share > 0, share, 1)
    if array.dtype.kind != "f":
        info = np.iinfo(array.dtype)
        result = np.clip(np.rint(result), info.min, info.max)
    result = result.astype(array.dtype)
    result[share == 0] = empty
    return result


# -- One step, and the whole ladder ------------------------------------------------------------------------------------


def reduce(array, ratio, method="AVERAGE", nodata=None, valid=None, empty=None):
    """One level from the one below. empty: the value where nothing is valid (nodata if there is one, else 0)."""
    if valid is None:
        valid = is_valid(array, nodata)
    if empty is None:
        empty = 0 if nodata is None else nodata
        if array.dtype.kind == "f" and nodata is None:
            empty = np.nan if np.isnan(array).any() else 0
    if method == "NEAREST":
        return _nearest(array, ratio)
    if method == "GAUSS":
        return _gauss(array, ratio, valid, empty)
    values, ok = _windows(array, ratio, 0), _windows(valid, ratio, False)
    dtype = array.dtype
    if method == "AVERAGE":
        out = _average(values, ok, dtype)
    elif method == "RMS":
        out = _rms(values, ok, dtype)
    elif method == "MODE":
        out = _mode(values, ok, dtype)
    else:
        out = _extreme(values, ok, dtype, {"MIN": np.min, "MAX": np.max}[method])
    out[~ok.any(-1)] = empty
    return out


def pyramid(array, factors, method="AVERAGE", **kwargs):
    """All levels of one (y, x) array or of each band of (band, y, x). A level is made from the largest earlier level
    whose factors divide its own on every axis."""
    if array.ndim == 3:
        bands = [pyramid(band, factors, method, **kwargs) for band in array]
        return [np.stack(level) for level in zip(*bands)]
    levels = [array]
    for number in range(1, len(factors)):
        source = max((j for j in range(number) if all(a % b == 0 for a, b in zip(factors[number], factors[j]))),
                     key=lambda j: math.prod(factors[j]))
        ratio = tuple(a // b for a, b in zip(factors[number], factors[source]))
        levels.append(reduce(levels[source], ratio, method, **kwargs))
    return levels


def valid_pyramid(valid, factors, method="AVERAGE"):
    """Levels of a mask: valid if any child is valid; by NEAREST, if the nearest child is."""
    levels = [valid]
    for number in range(1, len(factors)):
        source = max((j for j in range(number) if all(a % b == 0 for a, b in zip(factors[number], factors[j]))),
                     key=lambda j: math.prod(factors[j]))
        ratio = tuple(a // b for a, b in zip(factors[number], factors[source]))
        levels.append(_nearest(levels[source], ratio) if method == "NEAREST" else _windows(levels[source], ratio, False).any(-1))
    return levels


# -- One step with everything that counts (docs/details.md) --------------------------------------------------------------


def kernel_taps(method, ratio):
    """Offsets from ratio * i, and weights."""
    if method == "GAUSS":
        return gauss_taps(ratio)
    reach = {"BILINEAR": 1, "CUBIC": 2, "CUBICSPLINE": 2, "LANCZOS": 3}[method] * ratio
    centre = (ratio - 1) / 2
    offsets = np.arange(math.floor(centre - reach), math.ceil(centre + reach) + 1)
    d = np.abs(offsets - centre) / ratio
    weights = {
        "BILINEAR": np.where(d < 1, 1 - d, 0),
        "CUBIC": np.where(d < 1, 1.5 * d**3 - 2.5 * d**2 + 1, np.where(d < 2, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2, 0)),
        "CUBICSPLINE": np.where(d < 1, d**3 / 2 - d**2 + 2 / 3, np.where(d < 2, (2 - d) ** 3 / 6, 0)),
        "LANCZOS": np.where(d < 3, np.sinc(d) * np.sinc(d / 3), 0),
    }[method]
    return offsets, weights / weights.sum()


def _kernel(array, valid, ratio, method):
    """The values, which of them exist, and whether that is far from the least share that counts."""
    values, share, largest = np.where(valid, array, 0).astype(np.float64), valid.astype(np.float64), 1.0
    is_finite = np.isfinite(values).all()  # a weight of 0 is none, but NumPy multiplies with it
    for axis, r in enumerate(ratio):
        if r == 1:
            continue
        offsets, weights = kernel_taps(method, r)
        n, largest = array.shape[axis], largest * weights.max()
        matrix = np.zeros((-(-n // r), n))
        for i in range(matrix.shape[0]):
            for offset, weight in zip(offsets, weights):
                at = r * i + offset
                if method == "GAUSS":
                    at = min(max(at, 0), n - 1)
                if 0 <= at < n:
                    matrix[i, at] += weight
        values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
        share = np.moveaxis(np.tensordot(matrix, share, (1, axis)), 0, axis)
    least = largest / 64 if method in ("LANCZOS", "CUBIC") else 1e-300
    is_left = share > least
    return values / np.where(is_left, share, 1), is_left, is_finite and not (np.abs(share - least) < least / 2).any()


def _next_value(value, dtype):
    if dtype.kind == "f":
        up = np.nextafter(dtype.type(value), dtype.type(np.inf))
        return up if np.isfinite(up) else np.nextafter(dtype.type(value), dtype.type(-np.inf))
    return dtype.type(int(value) + 1 if int(value) < np.iinfo(dtype).max else int(value) - 1)


def _nearest_in_window(array, valid, ratio):
    """The valid pixel of each window that is nearest to its centre, the first of several; 0 where there is none."""
    places = np.stack(np.meshgrid(*[np.arange(r) for r in ratio], indexing="ij"), -1).reshape(-1, len(ratio))
    distance = ((places - (np.array(ratio) - 1) / 2) ** 2).sum(1)
    ok = _windows(valid, ratio, False)
    best = np.argmin(np.where(ok, np.round(distance, 9), np.inf), -1)
    return np.take_along_axis(_windows(np.where(valid, array, 0), ratio, 0), best[..., None], -1)[..., 0]


def step(array, valid, ratio, method, nodata=None):
    """One level from the one below: its pixels, which windows have a valid pixel, and whether all pixels are sure."""
    dtype, is_sure = array.dtype, True
    ok = _windows(valid, ratio, False)
    if method == "NEAREST":
        return _nearest(array, ratio), _nearest(valid, ratio), True
    if dtype.kind == "c":
        parts = [step(np.ascontiguousarray(part), valid, ratio, method)[0] for part in (array.real, array.imag)]
        return (parts[0] + 1j * parts[1]).astype(dtype), ok.any(-1), True
    exists = ok.any(-1)
    if method in ("AVERAGE", "RMS", "MODE", "MIN", "MAX"):
        values = _windows(np.where(valid, array, 0), ratio, 0)
        with np.errstate(all="ignore"):
            out = {"AVERAGE": _average, "RMS": _rms, "MODE": _mode}[method](values, ok, dtype) if method not in ("MIN", "MAX") else \
                _extreme(values, ok, dtype, np.min if method == "MIN" else np.max)
    else:
        found, exists, is_sure = _kernel(array, valid, ratio, method)
        near = _nearest_in_window(array, valid, ratio)
        if dtype.kind != "f":
            info = np.iinfo(dtype)
            found = np.clip(np.rint(found), float(info.min), float(np.nextafter(float(info.max) + 1, 0)))
        out = np.where(exists, found, near).astype(dtype)
        exists = exists | ok.any(-1)
    if nodata is not None and method not in ("MODE", "MIN", "MAX"):
        out = np.where(exists & (out == dtype.type(nodata)), _next_value(nodata, dtype), out).astype(dtype)
    empty = nodata if nodata is not None else np.nan if dtype.kind == "f" and np.isnan(array).any() else 0
    out[~exists] = empty
    return out, ok.any(-1), is_sure
