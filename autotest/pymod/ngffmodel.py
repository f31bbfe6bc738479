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
