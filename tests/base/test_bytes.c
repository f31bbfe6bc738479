/* test_bytes.c: numbers in files are little-endian, on any machine. */
#include "base/bytes.h"
#include "check.h"

static void lowest_byte_comes_first(void)
{
    const uint8_t expected[] = {0x04, 0x03, 0x02, 0x01, 0xEE, 0xFF, 0xC0, 0xB0, 0xA0, 0x90, 0x80, 0x70, 0x60, 0x50};
    uint8_t bytes[14];
    uint8_t *to = little_put(bytes, 0x01020304, 4);
    to = little_put(to, 0xABCDFFEE, 2); /* only the lowest two bytes */
    to = little_put(to, 0x5060708090A0B0C0, 8);
    CHECK_INT(to - bytes, 14);
    CHECK(memcmp(bytes, expected, sizeof expected) == 0);
    CHECK_INT(little_get(bytes, 4), 0x01020304);
    CHECK_INT(little_get(bytes + 4, 2), 0xFFEE);
    CHECK(little_get(bytes + 6, 8) == 0x5060708090A0B0C0);
}

static void machine_knows_its_order(void)
{
    union {
        uint32_t number;
        uint8_t bytes[4];
    } u = {.number = 0x0A0B0C0D};
    CHECK_INT(machine_is_big_endian(), u.bytes[0] == 0x0A);
}

int main(void)
{
    RUN(lowest_byte_comes_first);
    RUN(machine_knows_its_order);
    CHECK_EXIT();
}
