/* options_text.c: the option table as text: GDAL's XML, and the table in docs/driver.md. */
#include "base/text_buffer.h"
#include "model/option_table.h"
#include "model/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_attribute(text_buffer *b, const char *name, const char *value)
{
    text_put(b, " ");
    text_put(b, name);
    text_put(b, "='");
    text_put_xml(b, value);
    text_put(b, "'");
}

/* GDAL knows one alias per option; further spellings are options of their own, so that GDAL does not warn. */
static void put_spelling(text_buffer *b, const char *name, size_t length, const char *of)
{
    char spelling[64] = "", description[80];
    memcpy(spelling, name, length);
    snprintf(description, sizeof description, "Same as %s", of);
    text_put(b, "  <Option");
    put_attribute(b, "name", spelling);
    put_attribute(b, "type", "string");
    put_attribute(b, "description", description);
    text_put(b, "/>\n");
}

static void put_option(text_buffer *b, const row *r)
{
    char first[64] = "", text[400], description[600];
    const char *aliases = r->aliases ? r->aliases : "";
    size_t length = strcspn(aliases, " ");
    int has_alias = length > 0 && !row_alias_has_more(r);
    memcpy(first, aliases, length);
    const char *type = row_gdal_type(r);
    text_put(b, "  <Option");
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
        text_put(b, "/>\n");
    } else {
        text_put(b, ">");
        for (const word *w = r->words; w->text; w++) {
            if (w->is_hidden)
                continue;
            text_put(b, "<Value>");
            text_put_xml(b, w->text);
            text_put(b, "</Value>");
        }
        text_put(b, "</Option>\n");
    }
    const char *p = aliases + (has_alias ? length : 0);
    for (; *p; p += strcspn(p, " ")) {
        p += *p == ' ';
        put_spelling(b, p, strcspn(p, " "), r->name);
    }
}

static void put_cell(text_buffer *b, const char *text)
{
    text_put(b, " ");
    for (; text && *text; text++) {
        char one[2] = {*text, '\0'};
        text_put(b, *text == '|' ? "\\|" : one);
    }
    text_put(b, " |");
}

char *options_text(const char *format)
{
    text_buffer b = {0};
    char text[400];
    if (strcmp(format, "gdal") == 0) {
        text_put(&b, "<CreationOptionList>\n");
        for (int i = 0; i < option_count; i++)
            put_option(&b, &option_table[i]);
        text_put(&b, "</CreationOptionList>\n");
    } else if (strcmp(format, "markdown") == 0) {
        text_put(&b, "| option | values | default | also | meaning |\n|---|---|---|---|---|\n");
        for (int i = 0; i < option_count; i++) {
            text_put(&b, "|");
            put_cell(&b, option_table[i].name);
            put_cell(&b, row_allowed(&option_table[i], text));
            put_cell(&b, option_table[i].standard);
            put_cell(&b, option_table[i].aliases);
            put_cell(&b, option_table[i].help);
            text_put(&b, "\n");
        }
    }
    return b.text;
}
