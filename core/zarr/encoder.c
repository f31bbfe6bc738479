/* encoder.c: see encoder.h. */
#include "zarr/encoder.h"

#include <stdlib.h>

#include "base/box.h"
#include "base/machine.h"

enum { trim_after = 256 << 20 };

struct encoder {
    encoder *next;
    codec_context *codec;
    uint8_t *bytes; /* room for any encoded chunk; NULL: pixels are stored as they are */
    size_t capacity;
    uint8_t *in_order; /* a chunk in the byte order of the store; NULL: that of the machine is the same */
};

void encoders_begin(encoders *all)
{
    pthread_mutex_init(&all->lock, NULL);
    all->idle = NULL;
    all->n_encoded = 0;
}

static void encoder_free(encoder *one)
{
    codec_context_free(one->codec);
    free(one->bytes);
    free(one->in_order);
    free(one);
}

void encoders_end(encoders *all)
{
    while (all->idle) {
        encoder *one = all->idle;
        all->idle = one->next;
        encoder_free(one);
    }
    pthread_mutex_destroy(&all->lock);
}

static int is_stored_plain(const stored_array *array)
{
    return array->codec.compress == COMPRESS_NONE && !array->codec.has_crc32c;
}

static size_t bytes_of_chunk(const stored_array *array)
{
    return (size_t)(product_checked(array->chunk, array->rank) * array->type->size);
}

encoder *encoder_take(encoders *all, const stored_array *largest)
{
    pthread_mutex_lock(&all->lock);
    encoder *one = all->idle;
    if (one)
        all->idle = one->next;
    pthread_mutex_unlock(&all->lock);
    if (one)
        return one;
    size_t n = bytes_of_chunk(largest);
    int is_plain = is_stored_plain(largest), is_other_order = numbers_differ_in_files(largest->type->item_size);
    one = calloc(1, sizeof *one);
    if (!one)
        return NULL;
    one->capacity = codec_bound(&largest->codec, n);
    one->codec = codec_context_create();
    one->bytes = is_plain ? NULL : malloc(one->capacity);
    one->in_order = is_other_order ? malloc(n) : NULL;
    if (one->codec && (one->bytes || is_plain) && (one->in_order || !is_other_order))
        return one;
    encoder_free(one);
    return NULL;
}

void encoder_give(encoders *all, encoder *one)
{
    pthread_mutex_lock(&all->lock);
    one->next = all->idle;
    all->idle = one;
    all->n_encoded += one->capacity;
    int is_due = all->n_encoded >= trim_after;
    if (is_due)
        all->n_encoded = 0;
    pthread_mutex_unlock(&all->lock);
    if (is_due)
        heap_trim();
}

int32_t encoder_encode(encoder *one, const stored_array *array, const uint8_t *pixels, const uint8_t **bytes, size_t *n,
                       error *e)
{
    size_t n_pixels = bytes_of_chunk(array);
    *bytes = pixels = bytes_to_store(pixels, n_pixels, array->type->item_size, one->in_order);
    *n = n_pixels;
    if (is_stored_plain(array))
        return NGFF_OK;
    *bytes = one->bytes;
    return codec_encode(one->codec, &array->codec, pixels, n_pixels, one->bytes, one->capacity, n, e);
}
