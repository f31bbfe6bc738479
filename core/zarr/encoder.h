/* encoder.h: the pixels of a chunk -> its stored bytes; chunk.h is the way back. */
#ifndef NGFF_ZARR_ENCODER_H
#define NGFF_ZARR_ENCODER_H

#include <pthread.h>

#include "codec/codec.h"
#include "zarr/array.h"

/* What one thread needs to encode. */
typedef struct encoder encoder;

/* Those that no thread uses now: the last that was given back comes first, so that it is warm. */
typedef struct {
    pthread_mutex_t lock;
    encoder *idle;
    size_t n_encoded; /* bytes since the heap was trimmed: blosc takes and gives back memory for each chunk */
} encoders;

void encoders_begin(encoders *all);
void encoders_end(encoders *all);

/* largest: no array whose chunks it encodes has larger ones, or another codec. NULL when memory is out. */
encoder *encoder_take(encoders *all, const stored_array *largest);
void encoder_give(encoders *all, encoder *one);

/* Encodes one dense chunk of the array, in native byte order. bytes: in the encoder, until its next call or, without a
 * codec, perhaps the pixels themselves. */
int32_t encoder_encode(encoder *one, const stored_array *array, const uint8_t *pixels, const uint8_t **bytes, size_t *n,
                       error *e);

#endif
