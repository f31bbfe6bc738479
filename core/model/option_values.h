/* option_values.h: values of options as users type them. Each reader takes one form (a word, "256MB", "y:2,x:2", ...)
 * into the field of options that the row names; on failure e names the option, the value and what is allowed. */
#ifndef NGFF_MODEL_OPTION_VALUES_H
#define NGFF_MODEL_OPTION_VALUES_H

#include "model/option_table.h"

int32_t row_read_word(const row *r, const char *value, void *to, error *e);
int32_t row_read_integer(const row *r, const char *value, void *to, error *e);
int32_t row_read_threads(const row *r, const char *value, void *to, error *e);
int32_t row_read_memory(const row *r, const char *value, void *to, error *e);
int32_t row_read_sizes(const row *r, const char *value, void *to, error *e);
int32_t row_read_block_side(const row *r, const char *value, void *to, error *e);
int32_t row_read_shard(const row *r, const char *value, void *to, error *e);
int32_t row_read_factors(const row *r, const char *value, void *to, error *e);
int32_t row_read_numbers(const row *r, const char *value, void *to, error *e);
int32_t row_read_text(const row *r, const char *value, void *to, error *e);
int32_t row_read_path(const row *r, const char *value, void *to, error *e);
int32_t row_read_part(const row *r, const char *value, void *to, error *e);
int32_t row_read_axes(const row *r, const char *value, void *to, error *e);
int32_t row_read_units(const row *r, const char *value, void *to, error *e);
int32_t row_read_orientations(const row *r, const char *value, void *to, error *e);
int32_t row_read_list(const row *r, const char *value, void *to, error *e);
int32_t row_read_colors(const row *r, const char *value, void *to, error *e);
int32_t row_read_window(const row *r, const char *value, void *to, error *e);

#endif
