/* json_mend.c: JSON out of texts that other programs have written and that are none. Python's json writes NaN, Infinity
 * and lone surrogates as a matter of course, cameras put Latin-1 into names. One pass copies the text and mends what it
 * knows; the strict scanner of json.c judges the copy afterwards, so that nothing here decides what is JSON.
 *
 *     NaN, Infinity, 1e999   null; in NGFF's own metadata the member is left out, for there null says something else;
 *                            as a fill value Zarr's word for it, "NaN"
 *     in strings             the replacement character, or a blank for a control character */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/json.h"
#include "base/number.h"
#include "base/text_buffer.h"

typedef struct {
    const char *text, *at, *end;
    text_buffer out;
    int n_null, n_left_out, n_strings; /* mended: outside NGFF's metadata, inside it, texts */
    size_t first_null, first_left_out, first_string;
    json_span left_out; /* the first one's name */
} mender;

/* -- The copy -------------------------------------------------------------------------------------------------- */

static void put_text(mender *m, const char *text)
{
    text_put(&m->out, text);
}

static void pass(mender *m, size_t n)
{
    text_put_bytes(&m->out, m->at, n);
    m->at += n;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void pass_blanks(mender *m)
{
    while (m->at < m->end && is_blank(*m->at))
        pass(m, 1);
}

static void note(const mender *m, int *n, size_t *first)
{
    if ((*n)++ == 0)
        *first = (size_t)(m->at - m->text);
}

/* -- Strings --------------------------------------------------------------------------------------------------- */

static int hex4(const char *p, const char *end)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digit = p + i < end && p[i] ? strchr("0123456789abcdefABCDEF", p[i]) : NULL;
        if (!digit)
            return -1;
        int number = (int)(digit - "0123456789abcdefABCDEF");
        value = value * 16 + (number < 16 ? number : number - 6);
    }
    return value;
}

/* At a backslash. Half a pair of surrogates and NUL become the replacement character. */
static void mend_escape(mender *m)
{
    int unit = m->at + 1 < m->end && m->at[1] == 'u' ? hex4(m->at + 2, m->end) : -1;
    int low = unit >= 0xD800 && unit <= 0xDBFF && m->at + 7 < m->end && m->at[6] == '\\' && m->at[7] == 'u'
                  ? hex4(m->at + 8, m->end)
                  : -1;
    if (low >= 0xDC00 && low <= 0xDFFF)
        pass(m, 12);
    else if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF)) {
        note(m, &m->n_strings, &m->first_string);
        put_text(m, "\\ufffd");
        m->at += 6;
    } else
        pass(m, m->at + 1 < m->end ? 2 : 1);
}

/* At a quote; up to behind the other. */
static void mend_string(mender *m)
{
    pass(m, 1);
    while (m->at < m->end && *m->at != '"') {
        unsigned char c = (unsigned char)*m->at;
        size_t length = c < 0x80 ? c >= 0x20 : utf8_length((const unsigned char *)m->at, (size_t)(m->end - m->at));
        if (c == '\\')
            mend_escape(m);
        else if (length > 0)
            pass(m, length);
        else {
            note(m, &m->n_strings, &m->first_string);
            put_text(m, c < 0x20 ? " " : "\xEF\xBF\xBD");
            m->at++;
        }
    }
    if (m->at < m->end)
        pass(m, 1);
}

/* -- Values ---------------------------------------------------------------------------------------------------- */

/* Length of what stands at the place and is no finite number; word: Zarr's for it. 0: something else. */
static size_t not_finite(const mender *m, const char **word)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    size_t left = (size_t)(m->end - m->at), n = 0;
    for (int i = 0; i < 3; i++)
        if (left >= strlen(words[i]) && strncmp(m->at, words[i], strlen(words[i])) == 0) {
            *word = words[i];
            return strlen(words[i]);
        }
    while (n < left && m->at[n] && (ascii_is_digit(m->at[n]) || strchr("+-.eE", m->at[n])))
        n++;
    const char *behind;
    double value = n > 0 ? number_parse(m->at, &behind) : 0;
    *word = words[value > 0 ? 1 : 2];
    return n > 0 && behind == m->at + n && isinf(value) ? n : 0;
}

/* The keys below which a document is NGFF's, in all its versions. */
static int begins_ngff(json_span key)
{
    static const char *const keys[] = {"ome",  "multiscales", "omero",  "plate",
                                       "well", "image-label", "labels", "series"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strlen(keys[i]) == key.n && memcmp(keys[i], key.text, key.n) == 0)
            return 1;
    return 0;
}

static int is_fill(json_span key)
{
    return (key.n == 10 && memcmp(key.text, "fill_value", 10) == 0) ||
           (key.n == 10 && memcmp(key.text, "_FillValue", 10) == 0);
}

static int mend_value(mender *m, int depth, int is_ngff, json_span key);

/* Up to behind the closing bracket. Members whose value is left out take their comma with them. */
static void mend_list(mender *m, int depth, int is_ngff, char close)
{
    int n_kept = 0;
    pass(m, 1);
    for (;;) {
        size_t before = m->out.n;
        json_span key = {NULL, 0};
        pass_blanks(m);
        if (m->at >= m->end || *m->at == close)
            break;
        if (n_kept > 0)
            put_text(m, ",");
        if (close == '}' && *m->at == '"') {
            key.text = m->at + 1;
            mend_string(m);
            key.n = (size_t)(m->at - 1 - key.text);
            pass_blanks(m);
            if (m->at < m->end && *m->at == ':')
                pass(m, 1);
        }
        const char *from = m->at;
        int is_kept = mend_value(m, depth + 1, is_ngff || (key.text && begins_ngff(key)), key);
        pass_blanks(m);
        int has_comma = m->at < m->end && *m->at == ',';
        if (!is_kept)
            m->out.n = before;
        n_kept += is_kept;
        m->at += has_comma;
        if (!has_comma && m->at == from) /* nothing that is known: the scanner will say what */
            return;
        if (!has_comma && (m->at >= m->end || *m->at != close))
            return;
        if (has_comma && m->at < m->end) {
            const char *p = m->at;
            while (p < m->end && is_blank(*p))
                p++;
            if (p < m->end && *p == close && is_kept) { /* a comma too many is no JSON: it stays */
                put_text(m, ",");
                break;
            }
        }
    }
    pass_blanks(m);
    if (m->at < m->end && *m->at == close)
        pass(m, 1);
}

/* Returns 0 for a member that is to be left out. */
static int mend_value(mender *m, int depth, int is_ngff, json_span key)
{
    const char *word = NULL;
    pass_blanks(m);
    if (m->at >= m->end || depth > json_max_depth)
        return 1;
    if (*m->at == '{' || *m->at == '[') {
        mend_list(m, depth, is_ngff, *m->at == '{' ? '}' : ']');
        return 1;
    }
    if (*m->at == '"') {
        mend_string(m);
        return 1;
    }
    size_t n = not_finite(m, &word);
    if (n == 0) {
        while (m->at < m->end && !strchr(",]}", *m->at) && !is_blank(*m->at))
            pass(m, 1);
        return 1;
    }
    if (is_ngff && key.text) {
        if (m->n_left_out == 0)
            m->left_out = key;
        note(m, &m->n_left_out, &m->first_left_out);
        m->at += n;
        return 0;
    }
    note(m, &m->n_null, &m->first_null);
    if (key.text && is_fill(key)) {
        put_text(m, "\"");
        put_text(m, word);
        put_text(m, "\"");
    } else
        put_text(m, "null");
    m->at += n;
    return 1;
}

/* -- All of it ------------------------------------------------------------------------------------------------- */

static void tell(const mender *m, const char *where, warnings *told)
{
    char more[40] = "";
    if (m->n_left_out > 1)
        snprintf(more, sizeof more, ", and %d more", m->n_left_out - 1);
    if (m->n_left_out > 0)
        warnings_add(told, "%s: \"%.*s\"%s is NaN or infinite, which JSON has not (byte %zu): it is left out", where,
                     m->left_out.n < 60 ? (int)m->left_out.n : 60, m->left_out.text, more, m->first_left_out);
    if (m->n_null > 0)
        warnings_add(told, "%s: %d number%s NaN or infinite, which JSON has not (byte %zu): read as null", where,
                     m->n_null, m->n_null > 1 ? "s are" : " is", m->first_null);
    if (m->n_strings > 0)
        warnings_add(told, "%s: text at byte %zu has characters that JSON does not allow: they are replaced", where,
                     m->first_string);
}

char *json_mend(const char *text, size_t n, size_t *n_mended, const char *where, warnings *told)
{
    mender m = {.text = text, .at = text, .end = text + n};
    mend_value(&m, 1, 0, (json_span){NULL, 0});
    text_put_bytes(&m.out, m.at, (size_t)(m.end - m.at)); /* what follows is not known */
    if (m.out.is_out || m.n_null + m.n_left_out + m.n_strings == 0) {
        free(m.out.text);
        return NULL;
    }
    *n_mended = m.out.n;
    tell(&m, where, told);
    return m.out.text;
}
