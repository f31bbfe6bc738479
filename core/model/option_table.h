/* option_table.h: what a row of the option table is, for options.c, which has the table, and options_text.c, which
 * prints it. */
#ifndef NGFF_MODEL_OPTION_TABLE_H
#define NGFF_MODEL_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

typedef struct {
    const char *text;
    int value;
    int is_hidden; /* accepted, but not shown */
} word;

typedef struct row row;

typedef int32_t (*row_reader)(const row *r, const char *value, void *to, error *e);

struct row {
    const char *name;
    const char *aliases;  /* further spellings, with a blank between, or NULL */
    const word *words;    /* the words it may be */
    const char *shown;    /* what it may be, in the table for people; NULL: the words */
    const char *standard; /* the default, for people, or NULL */
    const char *help;
    row_reader read; /* NULL: one of the words */
    size_t offset;   /* of its field in options */
    int64_t low, high;
    int is_of_run; /* says how to write, not what: no part of the store */
};

extern const row option_table[];
extern const int option_count;

/* "AUTO, YES, NO", or what the row shows instead. */
const char *row_allowed(const row *r, char text[400]);
/* The word that is the default, "" where it is no single word. */
const char *row_default(const row *r);
/* "boolean", "int", "string" or "string-select". */
const char *row_gdal_type(const row *r);
/* The alias takes values that the row does not list (FORMAT=ZARR_V2): as an alias it would make GDAL warn. */
int row_alias_has_more(const row *r);

#endif
