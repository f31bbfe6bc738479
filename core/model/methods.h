/* methods.h: how levels are made from levels. */
#ifndef NGFF_MODEL_METHODS_H
#define NGFF_MODEL_METHODS_H

#include <stdint.h>

/* The reducers, a row each: OVERVIEW_RESAMPLING=NAME; kind; how many target pixels its kernel reaches; has_lobes: weights
 * below zero; mixes: it computes new values (opacity then gets the mean, else it is taken like the colours); for complex
 * pixels; keeps classes: the result is a value of the window; NGFF's "type", and a sentence. The code of a WINDOW is a row of
 * pyramid/window_type.h, that of a KERNEL its weight in pyramid/kernel.c. */
/* clang-format off */
#define METHODS(ROW)                                                                                                   \
    /*  name         kind    reach lobes mixes complex classes */                                                      \
    ROW(AVERAGE,     WINDOW, 0, 0, 1, 1, 0, "mean", "Exact mean of the valid pixels of each window, rounded half up.") \
    ROW(NEAREST,     PICK,   0, 0, 0, 1, 1, "nearest", "The pixel nearest to the centre of each window.")              \
    ROW(MODE,        WINDOW, 0, 0, 0, 0, 1, "mode", "The most frequent value of each window, the smallest on a tie.")  \
    ROW(RMS,         WINDOW, 0, 0, 1, 0, 0, "rms", "Root mean square of the valid pixels of each window.")             \
    ROW(MIN,         WINDOW, 0, 0, 1, 0, 1, "min", "Smallest valid pixel of each window.")                             \
    ROW(MAX,         WINDOW, 0, 0, 1, 0, 1, "max", "Largest valid pixel of each window.")                              \
    ROW(GAUSS,       KERNEL, 1, 0, 1, 0, 0, "gaussian",                                                                \
        "Discrete Gaussian of variance (f^2-1)/(8 ln 2), sampled at the window's centre.")                             \
    ROW(BILINEAR,    KERNEL, 1, 0, 1, 0, 0, "bilinear", "Triangle kernel of the window's size.")                       \
    ROW(CUBIC,       KERNEL, 2, 1, 1, 0, 0, "cubic", "Cubic convolution kernel of the window's size.")                 \
    ROW(CUBICSPLINE, KERNEL, 2, 0, 1, 0, 0, "cubicspline", "Cubic B-spline kernel of the window's size.")              \
    ROW(LANCZOS,     KERNEL, 3, 1, 1, 0, 0, "lanczos", "Lanczos kernel of three lobes of the window's size.")
/* clang-format on */

#define METHOD_NUMBER(name, ...) REDUCE_##name,
enum { REDUCE_AUTO, METHODS(METHOD_NUMBER) n_methods };

typedef enum { METHOD_WINDOW, METHOD_PICK, METHOD_KERNEL } method_kind;

typedef struct {
    const char *word;
    method_kind kind;
    int64_t reach;
    int has_lobes, mixes, is_for_complex, keeps_classes;
    const char *type, *sentence;
} method;

/* The row of REDUCE_*, which is not AUTO. */
const method *method_get(int resampling);

#endif
