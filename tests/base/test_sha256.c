/* test_sha256.c: the examples of FIPS 180-4 (NIST's "SHA256.pdf") and lengths around the ends of blocks, whose digests
 * are those of coreutils' sha256sum. Both ways of taking blocks. */
#include "base/sha256.h"

#include <stdlib.h>

#include "check.h"

static sha256_blocks way; /* NULL: as chosen */

static const char *digest_of(const void *bytes, size_t n, size_t step)
{
    static char text[2 * sha256_size + 1];
    uint8_t digest[sha256_size];
    sha256 s;
    sha256_begin(&s);
    s.blocks = way ? way : s.blocks;
    for (size_t at = 0; at < n; at += step)
        sha256_add(&s, (const uint8_t *)bytes + at, step < n - at ? step : n - at);
    sha256_end(&s, digest);
    sha256_text(digest, text);
    return text;
}

static void check_examples(void)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK_TEXT(digest_of("", 0, 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_TEXT(digest_of("abc", 3, 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_TEXT(digest_of(two_blocks, 56, 56), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *many = malloc(1000000);
    memset(many, 'a', 1000000);
    static const char of_many[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    CHECK_TEXT(digest_of(many, 1000000, 1000000), of_many);
    CHECK_TEXT(digest_of(many, 1000000, 63), of_many);
    CHECK_TEXT(digest_of(many, 1000000, 65), of_many);
    free(many);
}

/* python3 -c 'import hashlib; print(hashlib.sha256(bytes(range(N))).hexdigest())' */
static void check_ends_of_blocks(void)
{
    static const struct {
        size_t n;
        const char *digest;
    } cases[] = {
        {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {54, "675f28acc0b90a72d1c3a570fe83ac565555db358cf01826dc8eefb2bf7ca0f3"},
        {55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59"},
        {56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562"},
        {57, "2fe741af801cc238602ac0ec6a7b0c3a8a87c7fc7d7f02a3fe03d1c12eac4d8f"},
        {63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488"},
        {64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"},
        {65, "4bfd2c8b6f1eec7a2afeb48b934ee4b2694182027e6d0fc075074f2fabb31781"},
        {119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6"},
        {120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c"},
        {127, "92ca0fa6651ee2f97b884b7246a562fa71250fedefe5ebf270d31c546bfea976"},
        {128, "471fb943aa23c511f6f72f8d1652d9c880cfa392ad80503120547703e56a2be5"},
        {129, "5099c6a56203f9687f7d33f4bfdf576d31dc91f6b695ecea38b2770c87631135"},
        {256, "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880"},
    };
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 80; step += 13)
            CHECK_TEXT(digest_of(bytes, cases[i].n, step), cases[i].digest);
}

static void digests_are_those_of_the_standard(void)
{
    check_examples();
    check_ends_of_blocks();
}

static void plain_digests_are_those_of_the_standard(void)
{
    way = sha256_plain;
    digests_are_those_of_the_standard();
    way = NULL;
}

static void all_at_once_is_the_same(void)
{
    uint8_t digest[sha256_size];
    char text[2 * sha256_size + 1];
    sha256_of("abc", 3, digest);
    sha256_text(digest, text);
    CHECK_TEXT(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    RUN(digests_are_those_of_the_standard);
    RUN(plain_digests_are_those_of_the_standard);
    RUN(all_at_once_is_the_same);
    CHECK_EXIT();
}
