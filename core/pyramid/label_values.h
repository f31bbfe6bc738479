/* label_values.h: which values occur among the pixels of a label image, for the colours that are worth writing. */
#ifndef NGFF_PYRAMID_LABEL_VALUES_H
#define NGFF_PYRAMID_LABEL_VALUES_H

#include "base/pack.h"
#include "pyramid/cascade.h"

typedef struct label_values label_values;

/* *made stays NULL where the plan is of no label image, and as it is where it is there already. NGFF_E_MEMORY. */
int32_t label_values_create(const struct ngff_plan *plan, label_values **made);
void label_values_free(label_values *v);
/* All below take NULL. The pixels of a cell of level 0; of other cells nothing. Thread-safe. */
void label_values_add(label_values *v, const cell *c);
/* Nothing will come of a cell: it reads as fill. Thread-safe. */
void label_values_skip(label_values *v);
/* Keeps what has occurred; what is read has occurred, too. */
void label_values_pack(pack *p, label_values *v);
/* A flag per value from 0 to 65535, or NULL. */
uint8_t *label_values_flags(label_values *v);

#endif
