/* crc32c.c: CRC-32C (Castagnoli), as in RFC 3720 section 12.1, of shard indices and of chunks with Zarr's codec crc32c.
 * Eight bytes at a time: by the instruction for it where the machine has one, else by tables: table t holds what a byte
 * does t bytes later, so that eight independent look-ups replace a chain of eight (Kounavis and Berry's slicing-by-8).
 */
#include "base/cpu.h"
#include "codec/codec_table.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_make(void)
{
    const uint32_t polynomial = 0x82F63B78; /* 0x1EDC6F41 with its bits reversed */
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
        tables[0][byte] = crc;
    }
    for (int t = 1; t < 8; t++)
        for (int byte = 0; byte < 256; byte++)
            tables[t][byte] = tables[t - 1][byte] >> 8 ^ tables[0][tables[t - 1][byte] & 0xFF];
}

static uint32_t crc_by_tables(uint32_t crc, const uint8_t *p, size_t n)
{
    pthread_once(&tables_once, tables_make);
    for (; n >= 8; n -= 8, p += 8)
        crc = tables[7][p[0] ^ (crc & 0xFF)] ^ tables[6][p[1] ^ (crc >> 8 & 0xFF)] ^
              tables[5][p[2] ^ (crc >> 16 & 0xFF)] ^ tables[4][p[3] ^ crc >> 24] ^ tables[3][p[4]] ^ tables[2][p[5]] ^
              tables[1][p[6]] ^ tables[0][p[7]];
    for (; n > 0; n--, p++)
        crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xFF];
    return crc;
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2,crc32"))) static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t wide = crc, eight;
    for (; n >= sizeof eight; n -= sizeof eight, p += sizeof eight) {
        memcpy(&eight, p, sizeof eight);
        wide = _mm_crc32_u64(wide, eight);
    }
    crc = (uint32_t)wide;
    for (; n > 0; n--, p++)
        crc = _mm_crc32_u8(crc, *p);
    return crc;
}

uint32_t crc32c(const void *bytes, size_t n)
{
    return ~(cpu_has(CPU_CRC32) ? crc_by_instruction : crc_by_tables)(UINT32_MAX, bytes, n);
}
#else
uint32_t crc32c(const void *bytes, size_t n)
{
    return ~crc_by_tables(UINT32_MAX, bytes, n);
}
#endif

uint32_t crc32c_portable(const void *bytes, size_t n)
{
    return ~crc_by_tables(UINT32_MAX, bytes, n);
}

void checksum_append(uint8_t *bytes, size_t n)
{
    little_put(bytes + n, crc32c(bytes, n), 4);
}

int32_t checksum_remove(const void *bytes, size_t *n, error *e)
{
    if (*n < 4)
        return error_set(e, NGFF_E_CORRUPT, "%zu bytes cannot end with a crc32c checksum", *n);
    uint32_t stored = (uint32_t)little_get((const uint8_t *)bytes + *n - 4, 4);
    uint32_t computed = crc32c(bytes, *n - 4);
    if (stored != computed)
        return error_set(e, NGFF_E_CORRUPT,
                         "the checksum of the chunk is %08" PRIx32 ", not %08" PRIx32 ": it is damaged or cut off",
                         computed, stored);
    *n -= 4;
    return NGFF_OK;
}
