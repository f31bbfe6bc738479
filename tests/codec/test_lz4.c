/* test_lz4.c: numcodecs' frame around an LZ4 block. */
#include "codec_check.h"

static const codec_spec strongest = {.compress = COMPRESS_LZ4, .level = 1, .type_size = 2};

static const uint8_t from_numcodecs[] = {0x00, 0x02, 0x00, 0x00, 0x1f, 0x00, 0x01, 0x00, 0x6c, 0x1f,
                                         0x01, 0x02, 0x00, 0x6c, 0x1f, 0x02, 0x02, 0x00, 0x6c, 0x1f,
                                         0x03, 0x02, 0x00, 0x67, 0x50, 0x00, 0x03, 0x00, 0x03, 0x00};

static void lz4_gives_back_what_it_took(void)
{
    codec_spec faster = strongest;
    faster.level = 10;
    check_round_trips(&strongest);
    check_round_trips(&faster);
}

static void lz4_refuses_damaged_data(void)
{
    check_damage(&strongest);
}

static void lz4_reads_what_numcodecs_wrote(void)
{
    check_vector(&strongest, from_numcodecs, sizeof from_numcodecs);
}

static void lz4_chunk_begins_with_its_size(void)
{
    codec_context *context = codec_context_create();
    uint8_t *bytes = sample_make(sample_ramp, 0x012345);
    size_t n;
    uint8_t *chunk = encoded_make(context, &strongest, bytes, 0x012345, &n);
    static const uint8_t size[] = {0x45, 0x23, 0x01, 0x00};
    CHECK(memcmp(chunk, size, 4) == 0);
    free(bytes);
    free(chunk);
    codec_context_free(context);
}

/* lz4.h: LZ4_MAX_INPUT_SIZE is 0x7E000000. */
static void lz4_takes_at_most_its_own_limit(void)
{
    CHECK(codec_bound(&strongest, 0x7E000000) > 0x7E000000);
    CHECK_INT(codec_bound(&strongest, 0x7E000001), 0);
}

int main(void)
{
    RUN(lz4_gives_back_what_it_took);
    RUN(lz4_refuses_damaged_data);
    RUN(lz4_reads_what_numcodecs_wrote);
    RUN(lz4_chunk_begins_with_its_size);
    RUN(lz4_takes_at_most_its_own_limit);
    CHECK_EXIT();
}
