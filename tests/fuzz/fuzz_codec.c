/* fuzz_codec.c: libFuzzer target for decoding. The first byte chooses the codec, or the shard index and its layout, the
 * second the expected size or count; the rest is what a hostile store would hold. The codec libraries are not
 * instrumented, so input and output end at an unreadable page: a step too far is a fault even there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec/codec.h"
#include "zarr/shard_index.h"

enum { room = 1 << 16 };

/* The end of room bytes that are followed by a page without access. */
static uint8_t *guarded_end(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + room, page, PROT_NONE) != 0)
        abort();
    return pages + room;
}

/* Any layout. how: bit 0 the index is first, bit 1 it has a checksum, bit 2 which is made right, so that what follows
 * it is reached. */
static void fuzz_index(uint8_t *bytes, size_t n, size_t n_chunks, int how)
{
    static shard_entry entries[256];
    shard_layout layout = {how & 1, how >> 1 & 1};
    size_t n_index = shard_layout_bytes(layout, n_chunks);
    uint64_t shard_bytes = how & 8 ? UINT64_MAX : n + 1000;
    error e = {0};
    if (layout.has_checksum && how & 4 && n == n_index) {
        uint32_t right = crc32c(bytes, 16 * n_chunks);
        for (int i = 0; i < 4; i++)
            bytes[16 * n_chunks + (size_t)i] = (uint8_t)(right >> 8 * i);
    }
    if (shard_layout_decode(layout, bytes, n, shard_bytes, entries, n_chunks, &e) != NGFF_OK)
        return;
    uint64_t low = layout.is_first ? n : 0, high = layout.is_first ? shard_bytes : shard_bytes - n;
    for (size_t i = 0; i < n_chunks; i++)
        if (!(entries[i].offset == SHARD_MISSING && entries[i].size == SHARD_MISSING) &&
            (entries[i].offset < low || entries[i].offset > high || entries[i].size > high - entries[i].offset))
            abort();
}

static void fuzz_checksum(const uint8_t *bytes, size_t n)
{
    size_t left = n;
    error e = {0};
    int32_t status = checksum_remove(bytes, &left, &e);
    if (left != (status == NGFF_OK ? n - 4 : n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *from_end, *to_end;
    static codec_context *context;
    /* The inputs that are kept were made with these numbers. */
    static const int codecs[] = {COMPRESS_AUTO, COMPRESS_NONE, COMPRESS_ZSTD, COMPRESS_BLOSC,
                                 COMPRESS_GZIP, COMPRESS_ZLIB, COMPRESS_LZ4};
    static const size_t sizes[] = {1, 2, 15, 128, 512, 4096, 8191, room};
    if (!from_end) {
        from_end = guarded_end();
        to_end = guarded_end();
        context = codec_context_create();
    }
    if (size < 2 || size - 2 > room)
        return 0;
    size_t n = size - 2;
    uint8_t *from = from_end - n;
    memcpy(from, data + 2, n);
    int choice = data[0] % 8;
    if (choice == 7) {
        fuzz_index(from, n, data[1], data[0] >> 3);
        fuzz_checksum(from, n);
        return 0;
    }
    codec_spec spec = {.compress = codecs[choice], .level = 1, .type_size = 2, .strictness = data[0] / 8 % 3};
    size_t n_expected = sizes[data[1] % 8];
    error e = {0};
    int32_t status = codec_decode(context, &spec, from, n, to_end - n_expected, n_expected, &e);
    if (status != e.status || (status != NGFF_OK && status != NGFF_E_CORRUPT && spec.compress != COMPRESS_AUTO))
        abort();
    return 0;
}
