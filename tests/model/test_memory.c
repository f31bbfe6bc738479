/* test_memory.c: cells, regions and memory of a plan. */
#include "plans.h"

static void cells_hold_all_channels_that_share_a_mask(void)
{
    ngff_image *image = ngff_image_create("cyx", SHAPE(4, 100, 100), NGFF_UINT8);
    ngff_image_set_alpha(image, 3);
    ngff_plan *p = ngff_plan_create(image, OPTIONS("BLOCKSIZE=32"));
    CHECK_INT(p->group, 4);
    check_sizes(p->levels[0].cell, 3, SHAPE(4, 32, 32), "cell", 0);
    check_sizes(p->levels[0].cell_grid, 3, SHAPE(1, 4, 4), "cells", 0);
    check_sizes(p->levels[0].chunk, 3, SHAPE(1, 32, 32), "chunk", 0);
    ngff_plan_free(p);
    ngff_image_free(image);
    /* interleaved sources are read at once, 16 channels at most */
    p = plan_of("cyx", SHAPE(40, 100, 100), NGFF_UINT8, OPTIONS("BLOCKSIZE=32"));
    CHECK_INT(p->group, 1);
    CHECK_INT(ngff_plan_set_source(p, SHAPE(40, 32, 32), 1), NGFF_OK);
    CHECK_INT(p->group, 16);
    check_sizes(p->levels[0].cell_grid, 3, SHAPE(3, 4, 4), "cells", 0);
    ngff_plan_free(p);
}

static void regions_cover_whole_source_blocks(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(1000, 900), NGFF_UINT8, OPTIONS("BLOCKSIZE=128"));
    static const struct {
        int64_t block[2], region[2], cells;
    } sources[] = {{{0, 0}, {128, 128}, 1},        {{1, 900}, {128, 1024}, 8},  {{16, 16}, {128, 128}, 1},
                   {{256, 384}, {256, 384}, 6},    {{100, 100}, {128, 128}, 1}, {{128, 128}, {128, 128}, 1},
                   {{1000, 900}, {1024, 1024}, 64}};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        CHECK_INT(ngff_plan_set_source(p, sources[i].block, 1), NGFF_OK);
        check_sizes(p->region, 2, sources[i].region, "region", (int)i);
        CHECK_INT(p->region_cells, sources[i].cells);
    }
    ngff_plan_free(p);
}

static void too_little_memory_is_raised_with_a_warning(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(5000, 5000), NGFF_UINT16, OPTIONS("MEMORY=1MB", "NUM_THREADS=2"));
    CHECK_INT(ngff_plan_status(p), NGFF_OK);
    CHECK_INT(ngff_plan_memory(p), p->memory_minimum);
    CHECK(ngff_plan_memory(p) > 1 << 20);
    CHECK(ngff_plan_warning(p, 0) && strstr(ngff_plan_warning(p, 0), "MEMORY=1MB: 1048576 bytes are too few"));
    CHECK_INT(ngff_plan_set_source(p, NULL, 2), NGFF_OK);
    CHECK(ngff_plan_warning(p, 1) == NULL); /* said once */
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(5000, 5000), NGFF_UINT16, OPTIONS("MEMORY=1", "NUM_THREADS=2"));
    CHECK(ngff_plan_warning(p, 0) && strstr(ngff_plan_warning(p, 0), "MEMORY=1: 1 bytes are too few"));
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(5000, 5000), NGFF_UINT16, OPTIONS("MEMORY=300MB", "NUM_THREADS=2"));
    CHECK(ngff_plan_memory(p) == 300 << 20 || ngff_plan_memory(p) == 300000000);
    CHECK(ngff_plan_warning(p, 0) == NULL);
    ngff_plan_free(p);
}

/* What a source keeps is part of MEMORY: all that it wants by default, the least where the user gave too little, and
 * between these it comes before cells that wait. */
static void the_source_has_its_part_of_the_memory(void)
{
    const int64_t least = 1 << 20, wanted = 8 << 20;
    ngff_plan *p = plan_of("yx", SHAPE(5000, 5000), NGFF_UINT16, OPTIONS("BLOCKSIZE=64", "NUM_THREADS=2"));
    int64_t memory = ngff_plan_memory(p), minimum = p->memory_minimum, pixels = p->pixel_memory;
    CHECK_INT(ngff_plan_source_memory(p), 0);
    CHECK_INT(ngff_plan_set_source_memory(p, least, wanted), NGFF_OK);
    CHECK_INT(ngff_plan_memory(p), memory + wanted);
    CHECK_INT(ngff_plan_source_memory(p), wanted);
    CHECK_INT(p->pixel_memory, pixels);
    ngff_plan_free(p);
    for (int64_t more = 0; more <= 2; more += 2) {
        char option[40];
        snprintf(option, sizeof option, "MEMORY=%lld", (long long)(minimum + (more ? least + (more << 20) : 0)));
        p = plan_of("yx", SHAPE(5000, 5000), NGFF_UINT16, OPTIONS("BLOCKSIZE=64", "NUM_THREADS=2", option));
        CHECK(ngff_plan_warning(p, 0) == NULL);
        CHECK_INT(ngff_plan_set_source_memory(p, least, wanted), NGFF_OK);
        CHECK_INT(ngff_plan_memory(p), minimum + least + (more << 20));
        CHECK_INT(ngff_plan_source_memory(p), least + (more << 20));
        CHECK_INT(p->pixel_memory, p->pixel_least);
        CHECK((ngff_plan_warning(p, 0) != NULL) == (more == 0)); /* raised: now it is too little */
        CHECK_INT(ngff_plan_set_source_memory(p, 2, 1), NGFF_E_ARGUMENT);
        ngff_plan_free(p);
    }
    p = plan_of("yx", SHAPE(50, 50), NGFF_UINT8, OPTIONS("NUM_THREADS=1"));
    CHECK_INT(ngff_plan_set_source_memory(p, -1, 1), NGFF_E_ARGUMENT);
    ngff_plan_free(p);
}

static void memory_does_not_grow_with_the_image(void)
{
    ngff_plan *small = plan_of("yx", SHAPE(20000, 20000), NGFF_UINT16, OPTIONS("NUM_THREADS=2"));
    ngff_plan *large = plan_of("yx", SHAPE(160000, 160000), NGFF_UINT16, OPTIONS("NUM_THREADS=2", "SHARD=NONE"));
    /* three more levels and the chunks' statistics */
    CHECK(ngff_plan_memory(small) < 128 << 20);
    CHECK(ngff_plan_memory(large) < ngff_plan_memory(small) + (3 * 6 * 512 * 1024) + 24 * 100000);
    CHECK_INT(ngff_plan_thread_count(small), 2);
    ngff_plan_free(small);
    ngff_plan_free(large);
}

static void fused_levels_have_one_parent_per_cell_and_no_margin(void)
{
    static const struct {
        const char *block, *factors, *resampling;
        int is_fused;
    } cases[] = {{"BLOCKSIZE=16", "SCALE_FACTORS=2", NULL, 1},
                 {"BLOCKSIZE=16", "SCALE_FACTORS=4", NULL, 1},
                 {"BLOCKSIZE=16", "SCALE_FACTORS=3", NULL, 0},
                 {"BLOCKSIZE=15", "SCALE_FACTORS=3", NULL, 1},
                 {"BLOCKSIZE=15", "SCALE_FACTORS=2", NULL, 0},
                 {"BLOCKSIZE=128", "SCALE_FACTORS=3", NULL, 1}, /* one cell only */
                 {"BLOCKSIZE=16", "SCALE_FACTORS=2", "OVERVIEW_RESAMPLING=MODE", 1},
                 {"BLOCKSIZE=16", "SCALE_FACTORS=2", "OVERVIEW_RESAMPLING=GAUSS", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ngff_plan *p =
            plan_of("yx", SHAPE(100, 100), NGFF_UINT8, OPTIONS(cases[i].block, cases[i].factors, cases[i].resampling));
        CHECK_INT(plan_is_fused(p, 1), cases[i].is_fused);
        CHECK_INT(plan_is_fused(p, 0), 0);
        ngff_plan_free(p);
    }
}

/* 100 chunks of level 0 and 25, 9, 4, 1 above; 160 bytes per object and 32 per chunk, whatever else. */
static void report_takes_memory_per_chunk_and_object(void)
{
    const char *const *plain = OPTIONS("BLOCKSIZE=100", "NUM_THREADS=2", "SCALE_FACTORS=2,4,8,16");
    const char *const *asked = OPTIONS("BLOCKSIZE=100", "NUM_THREADS=2", "SCALE_FACTORS=2,4,8,16", "REPORT=a");
    ngff_plan *without = plan_of("yx", SHAPE(1000, 1000), NGFF_UINT8, plain);
    ngff_plan *with = plan_of("yx", SHAPE(1000, 1000), NGFF_UINT8, asked);
    CHECK_INT(with->memory_minimum - without->memory_minimum, (100 + 25 + 9 + 4 + 1) * (160 + 32));
    CHECK_INT(with->pixel_memory, without->pixel_memory);
    ngff_plan_free(with);
    ngff_plan_free(without);
}

/* A reader that finds the queue full encodes itself: it has a buffer as a worker has, here for a chunk of 100 x 100 bytes,
 * 1/64 more and 4096. */
static void each_reader_has_a_buffer_to_encode(void)
{
    ngff_plan *p = plan_of("yx", SHAPE(1000, 1000), NGFF_UINT8,
                           OPTIONS("BLOCKSIZE=100", "NUM_THREADS=4", "OVERVIEWS=NONE", "MEMORY=1000"));
    int64_t rest[2];
    for (int i = 0; i < 2; i++) {
        CHECK_INT(ngff_plan_set_source(p, SHAPE(100, 100), i == 0 ? 1 : 3), NGFF_OK);
        rest[i] = p->memory - p->pixel_memory - p->source_memory;
    }
    CHECK_INT(rest[1] - rest[0], 2 * (10000 + 10000 / 64 + 4096));
    ngff_plan_free(p);
}

/* 2^20 chunks of 1 x 1 pixel on level 0, a quarter on each further one: 4 bits each, beside what one more pixel adds. */
static void tables_are_in_the_memory(void)
{
    ngff_plan *p =
        plan_of("yx", SHAPE(1024, 1024), NGFF_FLOAT64, OPTIONS("BLOCKSIZE=1", "NUM_THREADS=1", "SHARD=NONE"));
    int64_t chunks = 0, rest = p->memory - p->pixel_memory;
    for (int l = 0; l < p->n_levels; l++)
        chunks += p->levels[l].grid[0] * p->levels[l].grid[1];
    CHECK_INT(chunks, 1398101); /* (4^11 - 1) / 3 */
    CHECK(rest >= 32 * 1048576 + chunks / 2 + (4 << 20));
    CHECK(rest <= 32 * 1048576 + chunks / 2 + (4 << 20) + 100000);
    ngff_plan_free(p);
}

/* Images that nobody can hold still have a plan, whose numbers do not wrap around. */
static void numbers_end_where_they_do_not_fit(void)
{
    const int64_t side = (int64_t)1 << 31;
    ngff_plan *p = plan_of("yx", SHAPE(side, side), NGFF_UINT8, OPTIONS("BLOCKSIZE=1", "SHARD=NONE", "REPORT=a.json"));
    CHECK_INT(ngff_plan_status(p), NGFF_OK);
    CHECK_INT(ngff_plan_memory(p), INT64_MAX);
    CHECK(ngff_plan_raw_size(p) > (int64_t)1 << 62 && ngff_plan_object_count(p) > (int64_t)1 << 62);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(side, 2 * side - 1), NGFF_UINT8, OPTIONS("BLOCKSIZE=1", "SHARD=NONE"));
    CHECK_INT(ngff_plan_raw_size(p), INT64_MAX);
    ngff_plan_free(p);
}

static void a_shard_holds_no_more_chunks_than_a_reader_takes(void)
{
    const int64_t side = (int64_t)1 << 31;
    ngff_plan *p = plan_of("yx", SHAPE(side, side), NGFF_UINT8, OPTIONS("SHARD=2147483136"));
    CHECK_INT(ngff_plan_status(p), NGFF_E_OPTION);
    CHECK(strstr(ngff_plan_error(p), "SHARD=2147483136") && strstr(ngff_plan_error(p), "4000000"));
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(side, side), NGFF_UINT8, OPTIONS("SHARD=y:512,x:2147483136"));
    CHECK_INT(ngff_plan_status(p), NGFF_E_OPTION);
    ngff_plan_free(p);
    p = plan_of("yx", SHAPE(side, side), NGFF_UINT8, OPTIONS("SHARD=y:512,x:1073741824"));
    CHECK_INT(ngff_plan_status(p), NGFF_OK);
    CHECK(p->levels[0].is_sharded && p->memory_minimum > (int64_t)1 << 40);
    ngff_plan_free(p);
}

int main(void)
{
    RUN(cells_hold_all_channels_that_share_a_mask);
    RUN(regions_cover_whole_source_blocks);
    RUN(too_little_memory_is_raised_with_a_warning);
    RUN(the_source_has_its_part_of_the_memory);
    RUN(memory_does_not_grow_with_the_image);
    RUN(fused_levels_have_one_parent_per_cell_and_no_margin);
    RUN(report_takes_memory_per_chunk_and_object);
    RUN(each_reader_has_a_buffer_to_encode);
    RUN(tables_are_in_the_memory);
    RUN(numbers_end_where_they_do_not_fit);
    RUN(a_shard_holds_no_more_chunks_than_a_reader_takes);
    CHECK_EXIT();
}
