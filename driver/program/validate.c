/* validate.c: `omezarr validate`: what the core finds, as lines or as JSON. */
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "ngff.h"

/* One path, and what has been said of it. */
typedef struct {
    const char *path;
    int is_strict, is_lenient, as_json, is_one_of_several;
    int n_broken, n_in_message;
} verdict;

/* As the inside of a JSON text. */
static void print_escaped(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == '"' || *p == '\\' || *p < 0x20)
            printf("\\u%04x", *p);
        else
            putchar(*p);
}

static void print_path(const verdict *v)
{
    if (v->is_one_of_several)
        printf("%s: ", v->path);
}

static void hear_finding(void *user, int32_t kind, const char *text)
{
    verdict *v = user;
    int is_tolerated = kind == NGFF_FINDING_TOLERABLE && v->is_lenient;
    int is_broken = kind == NGFF_FINDING_INVALID || (kind == NGFF_FINDING_TOLERABLE && !v->is_lenient) ||
                    (kind == NGFF_FINDING_ADVICE && v->is_strict);
    if (!v->as_json) {
        print_path(v);
        print_finding(is_tolerated ? "tolerated" : ngff_finding_word(kind), text);
    } else if (kind == NGFF_FINDING_UNREAD) {
        fprintf(stderr, "omezarr: %s\n", text);
    } else if (is_broken || is_tolerated) {
        fputs(v->n_in_message++ == 0 ? "{\"message\":\"" : "; ", stdout);
        fputs(is_tolerated ? "tolerated: " : "", stdout);
        print_escaped(text);
    }
    v->n_broken += is_broken;
}

static void print_json_end(const verdict *v, int is_valid)
{
    fputs(v->n_in_message > 0 ? "\"," : "{", stdout);
    if (v->is_one_of_several) {
        fputs("\"path\":\"", stdout);
        print_escaped(v->path);
        fputs("\",", stdout);
    }
    printf("\"valid\":%s}\n", is_valid ? "true" : "false");
}

/* Judges v->path. Returns the exit status. */
static int judge(verdict v, const char *const *options)
{
    int32_t status = ngff_validate(v.path, options, hear_finding, &v);
    int is_read = status == NGFF_OK || status == NGFF_E_CORRUPT, is_valid = is_read && v.n_broken == 0;
    if (v.as_json && (is_read || v.n_in_message > 0)) {
        print_json_end(&v, is_valid);
    } else if (!v.as_json && is_valid) {
        print_path(&v);
        puts("valid");
    }
    if (!is_read)
        return EXIT_UNREADABLE;
    return v.as_json || v.n_broken == 0 ? EXIT_FINE : EXIT_DAMAGE;
}

int run_validate(int n_arguments, char **arguments)
{
    verdict v = {0};
    const struct option known[] = {{"oo", required_argument, NULL, 'o'},
                                   {"strict", no_argument, &v.is_strict, 1},
                                   {"lenient", no_argument, &v.is_lenient, 1},
                                   {"json", no_argument, &v.as_json, 1},
                                   {NULL, 0, NULL, 0}};
    const char **options = calloc((size_t)n_arguments, sizeof *options);
    int n_options = 0, code = -1;
    if (!options)
        return fputs("omezarr: memory is out\n", stderr), EXIT_UNREADABLE;
    for (int c; code < 0 && (c = getopt_long_only(n_arguments, arguments, "", known, NULL)) != -1;) {
        if (c == 'o')
            options[n_options++] = optarg;
        else if (c != 0)
            code = usage_error("see below how validate is used"); /* getopt has said what is wrong */
    }
    if (code < 0 && optind == n_arguments)
        code = usage_error("no path is named");
    v.is_one_of_several = n_arguments - optind > 1;
    if (code < 0) {
        code = EXIT_FINE;
        for (int i = optind; i < n_arguments; i++) {
            v.path = arguments[i];
            int one = judge(v, options);
            code = one > code ? one : code;
        }
    }
    free(options);
    return code;
}
