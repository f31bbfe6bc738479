/* option_table.h: the table of options and what its rows are, for those who read by it and those who print it. */
#ifndef NGFF_MODEL_OPTION_TABLE_H
#define NGFF_MODEL_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/ascii.h" /* options are compared without case */
#include "base/error.h"

typedef struct {
    const char *text;
    int value;
    int is_hidden; /* accepted, but not shown */
} word;

typedef struct row row;

typedef int32_t (*row_reader)(const row *r, const char *value, void *to, error *e);

/* The value of a field as text. */
typedef void (*row_printer)(const row *r, const void *field, char *to, size_t room);

struct row {
    const char *name;
    const char *aliases;  /* further spellings, with a blank between, or NULL */
    const word *words;    /* the words it may be */
    const char *shown;    /* what it may be, in the table for people; NULL: the words */
    const char *standard; /* the default, for people, or NULL */
    const char *help;
    row_reader read;   /* NULL: one of the words */
    row_printer print; /* NULL: as it was typed */
    size_t offset;     /* of its field in options */
    int64_t low, high;
    int is_of_run; /* says how to write, not what: no part of the store */
};

extern const row option_table[];
extern const int option_count;

/* The word that text is a spelling of, or NULL. words: ended by one without a text, or NULL. */
const word *word_find(const word *words, const char *text);
/* The first word for a value. */
const char *word_of(const word *words, int value);
/* The row with this name or alias, or NULL. */
const row *row_find(const char *name);
/* "AUTO, YES, NO", or what the row shows instead. */
const char *row_allowed(const row *r, char text[400]);
/* The word that is the default, "" where it is no single word. */
const char *row_default(const row *r);
/* "boolean", "int", "string" or "string-select". */
const char *row_gdal_type(const row *r);
/* The alias takes values that the row does not list (FORMAT=ZARR_V2): as an alias it would make GDAL warn. */
int row_alias_has_more(const row *r);

#endif
