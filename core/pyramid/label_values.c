/* label_values.c: see label_values.h. Flags only go up, so several threads may set them: whoever comes last says the same.
 */
#include "pyramid/label_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/grid.h"
#include "model/plan.h"

struct label_values {
    int32_t data_type;
    uint8_t fill[16];
    uint8_t seen[n_table_values];
};

int32_t label_values_create(const struct ngff_plan *plan, label_values **made)
{
    if (!plan->options.labels || *made)
        return NGFF_OK;
    *made = calloc(1, sizeof **made);
    if (!*made)
        return NGFF_E_MEMORY;
    (*made)->data_type = plan->image->type->data_type;
    memcpy((*made)->fill, plan->fill, sizeof plan->fill);
    return NGFF_OK;
}

void label_values_free(label_values *v)
{
    free(v);
}

static inline void see(uint8_t *flag)
{
    if (!__atomic_load_n(flag, __ATOMIC_RELAXED))
        __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
}

#define SEE_ROW(type)                                                                                                  \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        type value;                                                                                                    \
        memcpy(&value, row + i * (int64_t)sizeof value, sizeof value);                                                 \
        uint64_t at = (uint64_t)value; /* negative ones are beyond */                                                  \
        if (at < n_table_values)                                                                                       \
            see(&seen[at]);                                                                                            \
    }                                                                                                                  \
    break

static void see_row(uint8_t *seen, int32_t data_type, const uint8_t *row, int64_t n)
{
    switch (data_type) {
    case NGFF_UINT8:
        SEE_ROW(uint8_t);
    case NGFF_INT8:
        SEE_ROW(int8_t);
    case NGFF_UINT16:
        SEE_ROW(uint16_t);
    case NGFF_INT16:
        SEE_ROW(int16_t);
    case NGFF_UINT32:
        SEE_ROW(uint32_t);
    case NGFF_INT32:
        SEE_ROW(int32_t);
    case NGFF_UINT64:
        SEE_ROW(uint64_t);
    default:
        SEE_ROW(int64_t);
    }
}

void label_values_add(label_values *v, const cell *c)
{
    int rank = c->box.rank, y = rank - 2;
    int64_t at[MAX_RANK] = {0};
    if (!v || c->level != 0)
        return;
    do { /* row by row, the padding of cells at the border left out */
        int64_t offset = 0;
        for (int i = 0; i <= y; i++)
            offset += at[i] * c->strides[i];
        see_row(v->seen, v->data_type, c->pixels + offset, c->box.extent[rank - 1]);
    } while (grid_next(rank - 1, c->box.extent, at));
}

void label_values_skip(label_values *v)
{
    if (v)
        see_row(v->seen, v->data_type, v->fill, 1);
}

void label_values_pack(pack *p, label_values *v)
{
    for (int64_t i = 0; v && i < n_table_values; i++) {
        uint8_t flag = v->seen[i];
        pack_field(p, flag);
        v->seen[i] |= flag;
    }
}

uint8_t *label_values_flags(label_values *v)
{
    return v ? v->seen : NULL;
}
