/* test_pack.c: what is kept is read again, and what is damaged is not taken for whole. */
#include "base/pack.h"

#include <stdlib.h>

#include "check.h"

typedef struct {
    int number;
    char *name, *nothing, *empty;
    int64_t n;
} record;

static void pack_record(pack *p, record *r)
{
    pack_field(p, r->number);
    pack_text(p, &r->name);
    pack_text(p, &r->nothing);
    pack_text(p, &r->empty);
    pack_count(p, &r->n, 10);
}

static pack keep(void)
{
    record r = {42, "name", NULL, "", 7};
    pack p = {0};
    pack_record(&p, &r);
    CHECK(pack_seal(&p));
    return p;
}

static void free_record(record *r)
{
    free(r->name);
    free(r->nothing);
    free(r->empty);
}

static void what_is_kept_is_read_again(void)
{
    pack kept = keep(), p;
    record r = {0};
    CHECK(pack_open(&p, kept.out.text, kept.out.n));
    pack_record(&p, &r);
    CHECK(!p.is_broken && p.from == p.end);
    CHECK_INT(r.number, 42);
    CHECK_TEXT(r.name, "name");
    CHECK(r.nothing == NULL);
    CHECK_TEXT(r.empty, "");
    CHECK_INT(r.n, 7);
    free_record(&r);
    free(kept.out.text);
}

static void every_cut_and_every_flipped_byte_is_seen(void)
{
    pack kept = keep(), p;
    for (size_t n = 0; n < kept.out.n; n++) {
        CHECK(!pack_open(&p, kept.out.text, n));
        kept.out.text[n] ^= 4;
        CHECK(!pack_open(&p, kept.out.text, kept.out.n));
        kept.out.text[n] ^= 4;
    }
    free(kept.out.text);
}

static void beyond_the_end_is_zero_and_broken(void)
{
    pack kept = keep();
    for (size_t n = 0; n + 32 < kept.out.n; n++) {
        pack p = {.from = (const uint8_t *)kept.out.text, .end = (const uint8_t *)kept.out.text + n};
        record r = {0};
        pack_record(&p, &r);
        CHECK(p.is_broken);
        CHECK_INT(r.n, 0);
        free_record(&r);
    }
    free(kept.out.text);
}

static void count_beyond_its_limit_is_broken(void)
{
    pack kept = {0}, p;
    int64_t n = 11, negative = -1;
    pack_field(&kept, n);
    pack_field(&kept, negative);
    CHECK(pack_seal(&kept));
    for (int i = 0; i < 2; i++) {
        CHECK(pack_open(&p, kept.out.text, kept.out.n));
        p.from += 8 * i;
        n = 5;
        pack_count(&p, &n, 10);
        CHECK(p.is_broken);
        CHECK_INT(n, 0);
    }
    free(kept.out.text);
}

int main(void)
{
    RUN(what_is_kept_is_read_again);
    RUN(every_cut_and_every_flipped_byte_is_seen);
    RUN(beyond_the_end_is_zero_and_broken);
    RUN(count_beyond_its_limit_is_broken);
    CHECK_EXIT();
}
