/* warnings.h: what is told beside a result: a few lines of text, in order. Each names the place, the cause and what it
 * means for the result. */
#ifndef NGFF_BASE_WARNINGS_H
#define NGFF_BASE_WARNINGS_H

enum { most_warnings = 24 };

typedef struct {
    int n, n_told;
    char *texts[most_warnings];
} warnings;

/* Adds a line; the last that fits says that there are more. Without memory, or where w is NULL, nothing. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void
warnings_add(warnings *w, const char *format, ...);

/* Takes over the lines of another list, which is empty then, each behind a place and ": ". */
void warnings_move(warnings *to, warnings *from, const char *place);

/* The next line that was not given yet, or NULL. It stays until warnings_release. */
const char *warnings_next(warnings *w);

void warnings_release(warnings *w);

#endif
