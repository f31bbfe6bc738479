/* view.c: what viewers are told of the image, read when a host asks for it first: most hosts of pixels never do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reader/reader.h"

/* NULL where there is no image, or no memory, which is then the reader's error. */
static const stored_view *view_of(ngff_reader *reader)
{
    if (!level_is_valid(reader, 0))
        return NULL;
    if (reader->view)
        return reader->view;
    reader->view = calloc(1, sizeof *reader->view);
    if (!reader->view)
        error_set(&reader->error, NGFF_E_MEMORY, "%s: out of memory", reader->path);
    else if (metadata_view(&reader->image, reader->named_entry, reader->view, &reader->error) != NGFF_OK)
        reader_view_release(reader);
    return reader->view;
}

void reader_view_release(ngff_reader *reader)
{
    if (reader->view)
        view_release(reader->view);
    free(reader->view);
    reader->view = NULL;
}

const char *ngff_reader_name(ngff_reader *reader)
{
    const stored_view *view = view_of(reader);
    return view ? view->name : NULL;
}

int32_t ngff_reader_view(ngff_reader *reader, int64_t *t, int64_t *z, int32_t *has_colors)
{
    const stored_view *view = view_of(reader);
    if (!view)
        return reader_has_none(reader);
    if (t)
        *t = view->t;
    if (z)
        *z = view->z;
    if (has_colors)
        *has_colors = view->has_colors;
    return NGFF_OK;
}

int32_t ngff_reader_is_label(ngff_reader *reader)
{
    const stored_view *view = view_of(reader);
    return view ? view->is_label : 0;
}

int64_t ngff_reader_channel_count(ngff_reader *reader)
{
    const stored_view *view = view_of(reader);
    return view ? view->n_channels : 0;
}

int32_t ngff_reader_channel(ngff_reader *reader, int64_t channel, const char **label, const char **color,
                            double *window, int32_t *is_active, int32_t *is_inverted)
{
    const stored_view *view = view_of(reader);
    if (!view)
        return reader_has_none(reader);
    if (channel < 0 || channel >= view->n_channels)
        return NGFF_E_ARGUMENT;
    const stored_channel *c = &view->channels[channel];
    if (label)
        *label = c->label;
    if (color)
        *color = c->color[0] ? c->color : NULL;
    if (window)
        memcpy(window, c->window, sizeof c->window);
    if (is_active)
        *is_active = c->is_active;
    if (is_inverted)
        *is_inverted = c->is_inverted;
    return NGFF_OK;
}

int64_t ngff_reader_label_count(ngff_reader *reader)
{
    const stored_view *view = view_of(reader);
    return view ? view->n_colors : 0;
}

int32_t ngff_reader_label_color(ngff_reader *reader, int64_t index, int64_t *value, uint8_t *rgba)
{
    const stored_view *view = view_of(reader);
    if (!view || index < 0 || index >= view->n_colors)
        return reader_has_none(reader);
    *value = view->colors[index].value;
    memcpy(rgba, view->colors[index].rgba, sizeof view->colors->rgba);
    return NGFF_OK;
}
