/* ome_xml.c: see ome_xml.h. An Image holds one Pixels: sizes, type, what a pixel measures where the axis has a unit (a size
 * without one would be micrometres), channels with the names and colours that somebody has given, and where the first plane
 * lies. Each channel is one sample, whatever it was in the source. */
#include "metadata/ome_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text_buffer.h"
#include "base/unit.h"

static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\" "
                           "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
                           "xsi:schemaLocation=\"http://www.openmicroscopy.org/Schemas/OME/2016-06 "
                           "http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd\" Creator=\"libngff ";

static void put_number(text_buffer *b, const char *name, double value)
{
    char number[32];
    number_print(value, number);
    text_put(b, " ");
    text_put(b, name);
    text_put(b, "=\"");
    text_put(b, number);
    text_put(b, "\"");
}

static void put_text(text_buffer *b, const char *name, const char *value)
{
    text_put(b, " ");
    text_put(b, name);
    text_put(b, "=\"");
    text_put_xml(b, value);
    text_put(b, "\"");
}

static void put_id(text_buffer *b, const char *kind, int image, int64_t channel)
{
    char id[64];
    snprintf(id, sizeof id, channel < 0 ? " ID=\"%s:%d\"" : " ID=\"%s:%d:%lld\"", kind, image, (long long)channel);
    text_put(b, id);
}

/* name="value" nameUnit="unit", where the axis has a unit. */
static void put_length(text_buffer *b, const struct ngff_image *image, char dim, const char *name, const double *values)
{
    int axis = image_axis(image, dim);
    char unit[8], unit_name_of[40];
    if (axis < 0 || !image->unit[axis])
        return;
    unit_symbol(dim, image->unit[axis], unit);
    snprintf(unit_name_of, sizeof unit_name_of, "%sUnit", name);
    put_number(b, name, values[axis]);
    put_text(b, unit_name_of, unit);
}

static int has_position(const struct ngff_image *image)
{
    for (int i = 0; i < image->rank; i++)
        if (strchr("zyx", image->dims[i]) && image->unit[i] && image->translation[i] != 0)
            return 1;
    return 0;
}

static void put_channels(text_buffer *b, const struct ngff_image *image, int number)
{
    for (int64_t i = 0; i < image->n_channels; i++) {
        const channel *c = &image->channels[i];
        text_put(b, "      <Channel");
        put_id(b, "Channel", number, i);
        text_put(b, " SamplesPerPixel=\"1\"");
        if (c->label && c->label[0])
            put_text(b, "Name", c->label);
        if (c->color[0]) /* RGBA, of a signed type */
            put_number(b, "Color", (int32_t)((uint32_t)strtoul(c->color, NULL, 16) << 8 | 0xFF));
        text_put(b, "/>\n");
    }
}

static void put_image(text_buffer *b, const struct ngff_image *image, int number)
{
    static const char letters[] = "XYZCT", dims[] = "xyzct";
    text_put(b, "  <Image");
    put_id(b, "Image", number, -1);
    put_text(b, "Name", image->name);
    text_put(b, ">\n    <Pixels");
    put_id(b, "Pixels", number, -1);
    put_text(b, "DimensionOrder", letters);
    put_text(b, "Type", image->type->ome);
    for (int i = 0; dims[i]; i++) {
        const char name[] = {'S', 'i', 'z', 'e', letters[i], '\0'};
        int axis = image_axis(image, dims[i]);
        put_number(b, name, axis < 0 ? 1 : (double)image->shape[axis]);
    }
    put_length(b, image, 'x', "PhysicalSizeX", image->scale);
    put_length(b, image, 'y', "PhysicalSizeY", image->scale);
    put_length(b, image, 'z', "PhysicalSizeZ", image->scale);
    put_length(b, image, 't', "TimeIncrement", image->scale);
    text_put(b, ">\n");
    put_channels(b, image, number);
    text_put(b, "      <MetadataOnly/>\n");
    if (has_position(image)) {
        text_put(b, "      <Plane TheZ=\"0\" TheT=\"0\" TheC=\"0\"");
        put_length(b, image, 'x', "PositionX", image->translation);
        put_length(b, image, 'y', "PositionY", image->translation);
        put_length(b, image, 'z', "PositionZ", image->translation);
        text_put(b, "/>\n");
    }
    text_put(b, "    </Pixels>\n  </Image>\n");
}

char *ome_xml_make(const struct ngff_plan *const *plans, int n)
{
    text_buffer b = {0};
    text_put(&b, head);
    text_put(&b, ngff_version());
    text_put(&b, "\">\n");
    for (int i = 0; i < n; i++)
        put_image(&b, plans[i]->image, i);
    text_put(&b, "</OME>\n");
    return b.text;
}

char *ngff_plan_ome_xml(const ngff_plan *p)
{
    if (p->ome_xml)
        return strdup(p->ome_xml);
    return p->prefix[0] && !plan_ome_refusal(p) ? ome_xml_make(&p, 1) : NULL;
}
