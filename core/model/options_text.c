/* options_text.c: the option table as text: GDAL's XML, and the table in the README. */
#include "options.h"
#include "option_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text; /* NULL after memory was out */
    size_t n, room;
} text_buffer;

static void put(text_buffer *b, const char *text)
{
    size_t n = strlen(text);
    if (b->n + n + 1 > b->room) {
        b->room = 2 * (b->n + n + 1);
        char *more = realloc(b->text, b->room);
        if (!more) {
            free(b->text);
            *b = (text_buffer){0};
            return;
        }
        b->text = more;
    }
    memcpy(b->text + b->n, text, n + 1);
    b->n += n;
}

static void put_escaped(text_buffer *b, const char *text)
{
    for (; *text; text++) {
        char one[2] = {*text, '\0'};
        put(b, *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '\'' ? "&apos;" : one);
    }
}

static void put_attribute(text_buffer *b, const char *name, const char *value)
{
    put(b, " ");
    put(b, name);
    put(b, "='");
    put_escaped(b, value);
    put(b, "'");
}

/* GDAL knows one alias per option; further spellings are options of their own, so that GDAL does not warn. */
static void put_spelling(text_buffer *b, const char *name, size_t length, const char *of)
{
    char spelling[64] = "", description[80];
    memcpy(spelling, name, length);
    snprintf(description, sizeof description, "Same as %s", of);
    put(b, "  <Option");
    put_attribute(b, "name", spelling);
    put_attribute(b, "type", "string");
    put_attribute(b, "description", description);
    put(b, "/>\n");
}

static void put_option(text_buffer *b, const row *r)
{
    char first[64] = "", text[400], description[600];
    const char *aliases = r->aliases ? r->aliases : "";
    size_t length = strcspn(aliases, " ");
    int has_alias = length > 0 && !row_alias_has_more(r);
    memcpy(first, aliases, length);
    const char *type = row_gdal_type(r);
    put(b, "  <Option");
    put_attribute(b, "name", r->name);
    if (has_alias)
        put_attribute(b, "alias", first);
    put_attribute(b, "type", type);
    if (row_default(r)[0])
        put_attribute(b, "default", row_default(r));
    snprintf(description, sizeof description, "%s%s%s%s", r->help, r->words && !r->read ? "" : " (",
             r->words && !r->read ? "" : row_allowed(r, text), r->words && !r->read ? "" : ")");
    put_attribute(b, "description", description);
    if (strcmp(type, "string-select") != 0) {
        put(b, "/>\n");
    } else {
        put(b, ">");
        for (const word *w = r->words; w->text; w++) {
            if (w->is_hidden)
                continue;
            put(b, "<Value>");
            put_escaped(b, w->text);
            put(b, "</Value>");
        }
        put(b, "</Option>\n");
    }
    const char *p = aliases + (has_alias ? length : 0);
    for (; *p; p += strcspn(p, " ")) {
        p += *p == ' ';
        put_spelling(b, p, strcspn(p, " "), r->name);
    }
}

static void put_cell(text_buffer *b, const char *text)
{
    put(b, " ");
    for (; text && *text; text++) {
        char one[2] = {*text, '\0'};
        put(b, *text == '|' ? "\\|" : one);
    }
    put(b, " |");
}

char *options_text(const char *format)
{
    text_buffer b = {0};
    char text[400];
    if (strcmp(format, "gdal") == 0) {
        put(&b, "<CreationOptionList>\n");
        for (int i = 0; i < option_count; i++)
            put_option(&b, &option_table[i]);
        put(&b, "</CreationOptionList>\n");
    } else if (strcmp(format, "markdown") == 0) {
        put(&b, "| option | values | default | also | meaning |\n|---|---|---|---|---|\n");
        for (int i = 0; i < option_count; i++) {
            put(&b, "|");
            put_cell(&b, option_table[i].name);
            put_cell(&b, row_allowed(&option_table[i], text));
            put_cell(&b, option_table[i].standard);
            put_cell(&b, option_table[i].aliases);
            put_cell(&b, option_table[i].help);
            put(&b, "\n");
        }
    }
    return b.text;
}
