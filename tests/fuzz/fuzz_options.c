/* fuzz_options.c: libFuzzer target for option lists: one NAME=VALUE per line. What was accepted is accepted again in
 * its canonical spelling, with the same numbers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    char *list[17] = {NULL}, *rest = text;
    options once, twice;
    error e = {0};
    if (!text)
        abort();
    memcpy(text, data, size);
    for (int i = 0; i < 16 && *rest; i++) {
        list[i] = rest;
        rest += strcspn(rest, "\n");
        if (*rest)
            *rest++ = '\0';
    }
    if (options_read((const char *const *)list, &once, &e) == NGFF_OK) {
        if (options_read((const char *const *)once.typed, &twice, &e) != NGFF_OK || once.compress != twice.compress ||
            once.level != twice.level || once.memory_bytes != twice.memory_bytes ||
            memcmp(&once.blocksize, &twice.blocksize, sizeof once.blocksize) != 0 ||
            memcmp(&once.shard, &twice.shard, sizeof once.shard) != 0 || once.n_windows != twice.n_windows ||
            memcmp(once.scale_factors, twice.scale_factors, sizeof once.scale_factors) != 0)
            abort();
        options_release(&twice);
    }
    options_release(&once);
    free(text);
    return 0;
}
