/* crc32c.c: CRC-32C (Castagnoli), as in RFC 3720 section 12.1, eight bytes at a time: table t holds what a byte does
 * t bytes later, so that eight independent look-ups replace a chain of eight (Kounavis and Berry's slicing-by-8).
 * The same code on every machine; it is run over shard indices, which are small. */
#include "codec.h"

#include <pthread.h>

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

uint32_t crc32c(const void *bytes, size_t n)
{
    pthread_once(&tables_once, tables_make);
    const uint8_t *p = bytes;
    uint32_t crc = UINT32_MAX;
    for (; n >= 8; n -= 8, p += 8)
        crc = tables[7][p[0] ^ (crc & 0xFF)] ^ tables[6][p[1] ^ (crc >> 8 & 0xFF)] ^
              tables[5][p[2] ^ (crc >> 16 & 0xFF)] ^ tables[4][p[3] ^ crc >> 24] ^ tables[3][p[4]] ^ tables[2][p[5]] ^
              tables[1][p[6]] ^ tables[0][p[7]];
    for (; n > 0; n--, p++)
        crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xFF];
    return ~crc;
}
