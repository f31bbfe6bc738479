/* stored.c: see stored.h. */
#include "model/stored.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "base/text_buffer.h"

int chunk_set_make(chunk_set *set, int64_t n)
{
    set->n = n;
    set->bits = memory_zeroed(n / 8 + 1, 1);
    return set->bits != NULL;
}

void chunk_set_release(chunk_set *set)
{
    free((void *)set->bits);
    *set = (chunk_set){0, NULL};
}

void chunk_sets_free(chunk_set *sets, int n)
{
    for (int i = 0; sets && i < n; i++)
        chunk_set_release(&sets[i]);
    free(sets);
}

void chunk_set_add(chunk_set *set, int64_t chunk)
{
    if (chunk >= 0 && chunk < set->n)
        atomic_fetch_or_explicit(&set->bits[chunk / 8], (uint8_t)(1 << chunk % 8), memory_order_relaxed);
}

void chunk_set_remove(chunk_set *set, int64_t chunk)
{
    if (chunk >= 0 && chunk < set->n)
        atomic_fetch_and_explicit(&set->bits[chunk / 8], (uint8_t) ~(1 << chunk % 8), memory_order_relaxed);
}

int chunk_set_has(const chunk_set *set, int64_t chunk)
{
    return chunk >= 0 && chunk < set->n && (set->bits[chunk / 8] >> chunk % 8 & 1);
}

int64_t chunk_set_count(const chunk_set *set)
{
    int64_t n = 0;
    for (int64_t byte = 0; byte <= set->n / 8; byte++)
        n += __builtin_popcount(set->bits[byte]);
    return n;
}

/* The next run from `at` on; 0 after the last. */
static int64_t next_run(const chunk_set *set, int64_t *at)
{
    int64_t n = 0;
    while (*at < set->n && !chunk_set_has(set, *at))
        *at += *at % 8 == 0 && set->bits[*at / 8] == 0 ? 8 : 1;
    while (*at + n < set->n && chunk_set_has(set, *at + n))
        n++;
    return n;
}

void chunk_set_pack(pack *p, chunk_set *set)
{
    for (int64_t at = 0, n = 1; n > 0 && !p->is_broken; at += n) {
        n = pack_reads(p) || !set->bits ? 0 : next_run(set, &at);
        pack_field(p, at);
        pack_count(p, &n, set->n);
        for (int64_t i = 0; pack_reads(p) && set->bits && i < n; i++)
            chunk_set_add(set, at + i);
    }
}

/* -- Text ------------------------------------------------------------------------------------------------------ */

static void put_number(text_buffer *g, int64_t number, int is_first)
{
    char text[32];
    snprintf(text, sizeof text, "%s%" PRId64, is_first ? "" : ",", number);
    text_put(g, text);
}

char *stored_counts_text(const chunk_set *sets, int n)
{
    text_buffer g = {NULL, 0, 0, 0};
    text_put(&g, "[");
    for (int i = 0; i < n; i++)
        put_number(&g, chunk_set_count(&sets[i]), i == 0);
    text_put(&g, "]");
    return g.text;
}

char *stored_empty_text(const chunk_set *sets, int n, size_t most)
{
    text_buffer g = {NULL, 0, 0, 0};
    int64_t n_empty = 0;
    text_put(&g, "[");
    for (int i = 0; i < n; i++) {
        int is_first = 1;
        text_put(&g, i ? ",[" : "[");
        for (int64_t chunk = 0, end; g.text && g.n <= most && chunk < sets[i].n; chunk = end) {
            for (end = chunk + 1; end < sets[i].n && chunk_set_has(&sets[i], end) == chunk_set_has(&sets[i], chunk);)
                end++;
            if (chunk_set_has(&sets[i], chunk))
                continue;
            put_number(&g, chunk, is_first);
            put_number(&g, end - chunk, 0);
            is_first = 0;
            n_empty++;
        }
        text_put(&g, "]");
    }
    text_put(&g, "]");
    if (n_empty == 0 || g.n > most) {
        free(g.text);
        g.text = NULL;
    }
    return g.text;
}

/* -- Reading --------------------------------------------------------------------------------------------------- */

static void skip_space(const char **p)
{
    while (**p == ' ' || **p == '\t' || **p == '\n' || **p == '\r')
        (*p)++;
}

static int take(const char **p, char expected)
{
    skip_space(p);
    if (**p != expected)
        return 0;
    (*p)++;
    return 1;
}

static int take_number(const char **p, int64_t *number)
{
    skip_space(p);
    int n = 0;
    *number = 0;
    for (; **p >= '0' && **p <= '9' && n < 18; (*p)++, n++)
        *number = *number * 10 + (**p - '0');
    return n > 0 && !(**p >= '0' && **p <= '9');
}

int stored_counts_read(const char *text, int64_t *counts, int n)
{
    int n_read = 0;
    if (!take(&text, '['))
        return -1;
    while (n_read < n && take_number(&text, &counts[n_read])) {
        n_read++;
        if (!take(&text, ','))
            break;
    }
    return take(&text, ']') ? n_read : -1;
}

/* -- Runs ------------------------------------------------------------------------------------------------------ */

void stored_runs_release(stored_runs *runs)
{
    free(runs->runs);
    *runs = (stored_runs){0};
}

static int add_run(stored_runs *runs, int64_t *room, int64_t first, int64_t length)
{
    if (runs->n_runs == *room) {
        *room = *room ? 2 * *room : 16;
        int64_t *more = realloc(runs->runs, (size_t)*room * 2 * sizeof *more);
        if (!more)
            return 0;
        runs->runs = more;
    }
    runs->runs[2 * runs->n_runs] = first;
    runs->runs[2 * runs->n_runs++ + 1] = length;
    return 1;
}

/* Reads "[3,2,9,1]". Returns 1, 0 if the text is no list of runs of so many chunks of which n_stored are stored, -1
 * when memory is out. */
static int read_runs(const char **text, int64_t n_chunks, int64_t n_stored, stored_runs *runs)
{
    int64_t first, length, end = -1, room = 0;
    if (!take(text, '['))
        return 0;
    while (take_number(text, &first)) {
        if (!take(text, ',') || !take_number(text, &length) || first <= end || length < 1 || first >= n_chunks ||
            length > n_chunks - first)
            return 0;
        if (!add_run(runs, &room, first, length))
            return -1;
        end = first + length;
        n_stored += length;
        if (!take(text, ','))
            break;
    }
    runs->is_known = n_stored == n_chunks;
    return take(text, ']') && runs->is_known;
}

/* Passes "[3,2,9,1]" of an array of which nothing is asked. */
static int pass_runs(const char **text)
{
    if (!take(text, '['))
        return 0;
    *text += strspn(*text, "0123456789, \t\n\r");
    return take(text, ']');
}

int stored_runs_read(const char *counts, const char *empty, const int64_t *n_chunks, int n, stored_runs *runs)
{
    int64_t *n_stored = malloc((size_t)n * sizeof *n_stored + 1);
    int status = !n_stored ? -1 : stored_counts_read(counts, n_stored, n) == n;
    int64_t room = 0;
    for (int i = 0; status == 1 && i < n; i++)
        status = n_chunks[i] < 0 || n_stored[i] <= n_chunks[i];
    if (status == 1 && empty && !take(&empty, '['))
        status = 0;
    for (int i = 0; status == 1 && i < n; i++) {
        if (empty) {
            status = i > 0 && !take(&empty, ',') ? 0
                     : n_chunks[i] < 0           ? pass_runs(&empty)
                                                 : read_runs(&empty, n_chunks[i], n_stored[i], &runs[i]);
            continue;
        }
        if (n_chunks[i] < 0)
            continue;
        /* A list that would be too long is left out: then only all and none are known. */
        room = 0;
        runs[i].is_known = n_stored[i] == 0 || n_stored[i] == n_chunks[i];
        if (n_stored[i] == 0 && n_chunks[i] > 0 && !add_run(&runs[i], &room, 0, n_chunks[i]))
            status = -1;
    }
    if (status == 1 && empty && !take(&empty, ']'))
        status = 0;
    for (int i = 0; status != 1 && i < n; i++)
        stored_runs_release(&runs[i]);
    free(n_stored);
    return status;
}

/* Sets the chunks from first to end, whole bytes at once. */
static void set_range(chunk_set *set, int64_t first, int64_t end)
{
    for (; first < end && first % 8 != 0; first++)
        chunk_set_add(set, first);
    for (; end > first && end % 8 != 0; end--)
        chunk_set_add(set, end - 1);
    if (end > first)
        memset((void *)(set->bits + first / 8), 0xFF, (size_t)((end - first) / 8));
}

void chunk_set_fill(chunk_set *set, const stored_runs *runs)
{
    int64_t first = 0;
    for (int64_t i = 0; i < runs->n_runs; i++) {
        set_range(set, first, runs->runs[2 * i]);
        first = runs->runs[2 * i] + runs->runs[2 * i + 1];
    }
    set_range(set, first, set->n);
}

int stored_runs_has(const stored_runs *runs, int64_t chunk)
{
    int64_t low = 0, high = runs->n_runs; /* the run that begins last at or before the chunk */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (runs->runs[2 * middle] <= chunk)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && chunk - runs->runs[2 * low - 2] < runs->runs[2 * low - 1];
}
