/* test_crc32c.c: the vectors of RFC 3720 section B.4, and the check value of the CRC catalogue. */
#include <stdint.h>

#include "check.h"
#include "codec/codec.h"

static void crc_of_the_check_string(void)
{
    CHECK_INT(crc32c("123456789", 9), 0xE3069283);
    CHECK_INT(crc32c("", 0), 0);
}

/* The RFC prints the four bytes as they travel: aa 36 91 8a is the number 0x8a9136aa. */
static void crc_of_the_rfc_vectors(void)
{
    uint8_t bytes[32];
    memset(bytes, 0, 32);
    CHECK_INT(crc32c(bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, 32);
    CHECK_INT(crc32c(bytes, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    CHECK_INT(crc32c(bytes, 32), 0x46DD794E);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    CHECK_INT(crc32c(bytes, 32), 0x113FDB5C);
    static const uint8_t command[48] = {
        0x01, 0xC0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    CHECK_INT(crc32c(command, 48), 0xD9963A56);
}

/* The plain definition, a bit at a time. */
static uint32_t crc_by_bits(const uint8_t *p, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
    }
    return ~crc;
}

static void crc_is_the_definition_for_every_length_and_alignment(void)
{
    uint8_t bytes[80];
    for (int i = 0; i < 80; i++)
        bytes[i] = (uint8_t)(i * i * 31 + 7);
    for (size_t from = 0; from < 9; from++)
        for (size_t n = 0; from + n <= 80; n++) {
            CHECK_INT(crc32c(bytes + from, n), crc_by_bits(bytes + from, n));
            CHECK_INT(crc32c_portable(bytes + from, n), crc_by_bits(bytes + from, n));
        }
}

int main(void)
{
    RUN(crc_of_the_check_string);
    RUN(crc_of_the_rfc_vectors);
    RUN(crc_is_the_definition_for_every_length_and_alignment);
    CHECK_EXIT();
}
