/* label.h: "image-label": what the values of a label image mean. */
#ifndef NGFF_METADATA_LABEL_H
#define NGFF_METADATA_LABEL_H

#include "model/plan.h"

/* The JSON text of "image-label" (malloc'ed). seen: a flag per value of a table that occurs among the pixels; NULL: all
 * may. before: an earlier one, whose source goes on, or NULL. NULL in *text for a plan of no label image.
 * NGFF_E_MEMORY. */
int32_t label_text(const struct ngff_plan *plan, const uint8_t *seen, const char *before, char **text, error *e);
/* Sets the flags of the values that have a colour in an "image-label" (JSON text). */
void label_seen_before(const char *label, uint8_t *seen);

#endif
