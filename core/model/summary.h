/* summary.h: what the writer has found out about a channel. */
#ifndef NGFF_MODEL_SUMMARY_H
#define NGFF_MODEL_SUMMARY_H

#include <stdint.h>

typedef struct {
    double start, end;  /* display window */
    double low, high;   /* window.min, window.max: also the type's range for 8 bit */
    int has_statistics; /* the four below are exact over the valid pixels of level 0 */
    int64_t n_valid;
    double min, max, mean, std_dev;
} channel_summary;

#endif
