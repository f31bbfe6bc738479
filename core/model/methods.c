/* methods.c: see methods.h. */
#include "model/methods.h"

#define METHOD_ROW(name, kind, reach, lobes, mixes, complex_too, classes, type, sentence)                              \
    [REDUCE_##name] = {#name, METHOD_##kind, reach, lobes, mixes, complex_too, classes, type, sentence},
static const method rows[] = {METHODS(METHOD_ROW)};

const method *method_get(int resampling)
{
    return &rows[resampling];
}
