/* image.cpp: see image.h. The order is that of the questions: what type, what axes, what do the channels mean,
 * which pixels count, where is it, and what else is known. */
#include "describe/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "describe/attributes.h"
#include "describe/dimensions.h"
#include "describe/georef.h"
#include "plugin/guard.h"
#include "describe/labels.h"
#include "describe/json_text.h"
#include "source/ngff_source.h"
#include "open/raster.h"
#include "describe/pixel_type.h"
#include "source/stack/stackdataset.h"
#include "write/plan.h"

static bool fail(const std::string &message)
{
    CPLError(CE_Failure, CPLE_NotSupported, "%s", message.c_str());
    return false;
}

/* A warning, which the report has too. */
static void warn(ImageFromSource *to, const std::string &message)
{
    CPLError(CE_Warning, CPLE_AppDefined, "%s", message.c_str());
    to->losses.push_back(message);
}

/* A loss is a warning, and with -strict an error. */
static bool lose(bool is_strict, ImageFromSource *to, const std::string &message)
{
    if (!is_strict)
        warn(to, message);
    return is_strict ? fail(message + " (refused because of -strict)") : true;
}

/* -- Type ------------------------------------------------------------------------------------------------------ */

/* GDAL before Int8; newer ones warn when asked. */
static bool is_signed_byte(GDALRasterBand *band)
{
#if OMEZARR_GDAL_AT_LEAST(3, 7)
    (void)band;
    return false;
#else
    const char *pixel_type = band->GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE");
    return band->GetRasterDataType() == GDT_Byte && pixel_type != nullptr && EQUAL(pixel_type, "SIGNEDBYTE");
#endif
}

static bool is_64_bit_integer(GDALDataType type)
{
    return type == GDT_Int64 || type == GDT_UInt64;
}

/* One array has one type: the union of the bands'. */
static bool choose_type(GDALDataset *source, bool is_strict, ImageFromSource *to)
{
    GDALRasterBand *first = source->GetRasterBand(1);
    const GDALDataType first_type = first->GetRasterDataType();
    const bool first_is_signed = is_signed_byte(first);
    bool differ = false;
    to->type = nearest_ngff_type(first_type);
    for (int i = 2; i <= source->GetRasterCount(); i++) {
        GDALRasterBand *band = source->GetRasterBand(i);
        if (is_signed_byte(band) != first_is_signed)
            return fail("Bands of PIXELTYPE=SIGNEDBYTE and others cannot be in one OME-Zarr; convert them first (-ot)");
        if (band->GetRasterDataType() != first_type)
            differ = true;
        const GDALDataType type = nearest_ngff_type(band->GetRasterDataType());
        /* GDAL 3.13's union of a half and a half is a float. */
        const GDALDataType both = to->type == type ? type : GDALDataTypeUnion(to->type, type);
        if ((is_64_bit_integer(to->type) || is_64_bit_integer(type)) && both != to->type && both != type &&
            !lose(is_strict, to,
                  CPLSPrintf("Bands of types %s and %s become %s, which rounds integers beyond 2^53",
                             GDALGetDataTypeName(to->type), GDALGetDataTypeName(type), GDALGetDataTypeName(both))))
            return false;
        to->type = nearest_ngff_type(both);
    }
    to->pixel_type = ngff_from_gdal(to->type, first_is_signed);
    if (to->pixel_type == 0)
        return fail(CPLSPrintf("Pixels of type %s cannot be written to an OME-Zarr", GDALGetDataTypeName(first_type)));
    if (differ)
        return lose(is_strict, to,
                    CPLSPrintf("The bands have different data types; all become %s", GDALGetDataTypeName(to->type)));
    return first_type == to->type || lose(is_strict, to,
                                          CPLSPrintf("Zarr has no type %s; all bands become %s",
                                                     GDALGetDataTypeName(first_type), GDALGetDataTypeName(to->type)));
}

/* -- Axes ------------------------------------------------------------------------------------------------------ */

/* The axes that the bands' own metadata say. */
static void take_grid(const BandGrid &grid, ImageFromSource *to)
{
    for (const GridAxis &axis : grid.axes) {
        to->shape[to->rank()] = axis.size;
        to->dims += axis.letter;
    }
    to->bands = grid.bands;
}

static bool is_same_grid(const BandGrid &grid, const ImageFromSource &to)
{
    bool is_same = grid.kind == BandGrid::REGULAR && grid.bands == to.bands && grid.axes.size() == to.dims.size();
    for (size_t i = 0; is_same && i < grid.axes.size(); i++)
        is_same = grid.axes[i].letter == to.dims[i] && grid.axes[i].size == to.shape[i];
    return is_same;
}

/* What the metadata say of axes and the store will not. Of a store that is there it was told when it was made. */
static void warn_of_grid(const BandGrid &grid, ImageFromSource *to)
{
    if (to->stored != nullptr)
        return;
    if (grid.kind == BandGrid::IRREGULAR)
        warn(to,
             CPLSPrintf("The places that the bands' metadata name make no axes t, c, z (%s): the bands are written as "
                        "channels; AXES says what they are",
                        grid.reason.c_str()));
    std::string uneven;
    for (const GridAxis &axis : grid.axes)
        if (!axis.is_even && axis.letter != 'c')
            uneven += (uneven.empty() ? "" : " and ") + std::string(1, axis.letter) + " (" + axis.name + ")";
    if (!uneven.empty())
        warn(to, "The bands' values on " + uneven +
                     " do not grow evenly: the scale is 1, without a unit, and each band keeps its value as metadata; "
                     "AXIS_SCALE and AXIS_UNITS say it otherwise");
}

/* True where all five axes are written, those that the source does not have with one place: Bio-Formats reads no others. */
static bool has_all_axes(CSLConstList options)
{
    return EQUAL(CSLFetchNameValueDef(options, "LAYOUT", ""), "BIOFORMATS2RAW");
}

/* Gives the grid the axes that its bands do not say. */
static void fill_grid(BandGrid *grid)
{
    std::vector<GridAxis> all;
    for (const char letter : {'t', 'c', 'z'}) {
        const auto said = std::find_if(grid->axes.begin(), grid->axes.end(),
                                       [letter](const GridAxis &axis) { return axis.letter == letter; });
        all.push_back(said != grid->axes.end() ? *said : GridAxis());
        all.back().letter = letter;
    }
    grid->axes = all;
}

/* AXES=t:3,c:2,z:10, slowest first: which band is which plane. NGFF's own order of axes is t, c, z. Without it the bands'
 * metadata say it; grid keeps their numbers where they fit the axes. */
static bool choose_axes(CSLConstList options, ImageFromSource *to, int n_bands, BandGrid *grid)
{
    if (has_all_axes(options) && grid->kind == BandGrid::REGULAR)
        fill_grid(grid);
    if (to->axes_of != nullptr) {
        to->dims = to->axes_of->dims.substr(0, to->axes_of->dims.size() - 2);
        std::copy_n(to->axes_of->shape, to->dims.size(), to->shape);
        to->bands = to->axes_of->bands;
        if (!is_same_grid(*grid, *to))
            grid->axes.clear();
        if (CSLFetchNameValue(options, "AXES") == nullptr)
            warn_of_grid(*grid, to);
        return true;
    }
    int64_t size[3] = {1, 1, 1}, stride[3] = {}, product = 1, typed_size[5];
    const char *const order = "tcz";
    char typed[6], message[500];
    const int n_typed = ngff_options_axes(options, typed, typed_size, message, sizeof message);
    if (n_typed < 0) {
        raise(n_typed, message);
        return false;
    }
    if (n_typed == 0 && grid->kind == BandGrid::REGULAR) {
        take_grid(*grid, to);
        warn_of_grid(*grid, to);
        return true;
    }
    if (n_typed == 0) {
        warn_of_grid(*grid, to);
        strcpy(typed, n_bands > 1 ? "c" : "");
        size[1] = n_bands;
        stride[1] = 1;
        product = n_bands;
    }
    for (int i = n_typed - 1; i >= 0 && product <= n_bands; i--) {
        const auto axis = strchr(order, typed[i]) - order;
        size[axis] = typed_size[i];
        stride[axis] = product;
        product *= typed_size[i];
    }
    if (product != n_bands) {
        std::string text;
        for (int i = 0; i < n_typed; i++)
            text += (i > 0 ? "," : "") + std::string(1, typed[i]) + ":" + std::to_string(typed_size[i]);
        return fail(
            CPLSPrintf("AXES=%s: the product of the sizes must be the number of bands, %d", text.c_str(), n_bands));
    }
    for (int i = 0; i < 3; i++)
        if (has_all_axes(options) || strchr(typed, order[i]) != nullptr) {
            to->shape[to->rank()] = size[i];
            to->dims += order[i];
        }
    for (int64_t t = 0; t < size[0]; t++)
        for (int64_t c = 0; c < size[1]; c++)
            for (int64_t z = 0; z < size[2]; z++)
                to->bands.push_back(static_cast<int>(1 + t * stride[0] + c * stride[1] + z * stride[2]));
    if (!is_same_grid(*grid, *to))
        grid->axes.clear();
    return true;
}

/* The planes of channel c, as positions in to.bands. */
static std::vector<size_t> planes_of_channel(const ImageFromSource &to, int64_t channel)
{
    if (to.dims == "cyx")
        return {static_cast<size_t>(channel)};
    int64_t n_channels = 1, below = 1;
    for (int axis = 0; axis < to.rank() - 2; axis++) {
        if (to.dims[axis] == 'c')
            n_channels = to.shape[axis];
        if (to.dims[axis] == 'z')
            below = to.shape[axis];
    }
    std::vector<size_t> planes;
    for (size_t plane = 0; plane < to.bands.size(); plane++)
        if (static_cast<int64_t>(plane) / below % n_channels == channel)
            planes.push_back(plane);
    return planes;
}

/* True if bands differ by more than their channel. */
static bool is_stack(const ImageFromSource &to)
{
    return to.dims.find_first_of("tz") != std::string::npos;
}

/* True if there is more than one plane of a channel. */
static bool has_planes(const ImageFromSource &to)
{
    for (size_t axis = 0; axis + 2 < to.dims.size(); axis++)
        if (to.dims[axis] != 'c' && to.shape[axis] > 1)
            return true;
    return false;
}

static int64_t channel_count(const ImageFromSource &to)
{
    const size_t axis = to.dims.find('c');
    return axis == std::string::npos ? 1 : to.shape[axis];
}

/* -- Channels -------------------------------------------------------------------------------------------------- */

static const char *color_of(GDALColorInterp interpretation)
{
    switch (interpretation) {
    case GCI_RedBand:
        return "FF0000";
    case GCI_GreenBand:
        return "00FF00";
    case GCI_BlueBand:
        return "0000FF";
    case GCI_CyanBand:
        return "00FFFF";
    case GCI_MagentaBand:
        return "FF00FF";
    case GCI_YellowBand:
        return "FFFF00";
    case GCI_GrayIndex:
        return "FFFFFF";
    default:
        return nullptr;
    }
}

bool band_colors(GDALDataset *source, CSLConstList options, std::vector<GDALColorInterp> *colors)
{
    const char *const name = "COLOR_INTERPRETATION";
    const char *typed = CSLFetchNameValue(options, name);
    colors->clear();
    if (typed == nullptr) {
        for (int i = 1; i <= source->GetRasterCount(); i++)
            colors->push_back(source->GetRasterBand(i)->GetColorInterpretation());
        return true;
    }
    const CPLStringList words(CSLTokenizeString2(typed, ",", CSLT_ALLOWEMPTYTOKENS));
    for (int i = 0; i < words.size(); i++) {
        const GDALColorInterp color = GDALGetColorInterpretationByName(words[i]);
        if (color == GCI_PaletteIndex || (color == GCI_Undefined && !EQUAL(words[i], "undefined")))
            return fail(CPLSPrintf("%s=%s: '%s' is none of gray, red, green, blue, alpha, undefined, cyan, magenta, "
                                   "yellow and GDAL's other names",
                                   name, typed, words[i]));
        colors->push_back(color);
    }
    return words.size() == source->GetRasterCount() ||
           fail(CPLSPrintf("%s=%s has %d names; give one for each of the %d bands", name, typed, words.size(),
                           source->GetRasterCount()));
}

/* The grey of an entry of a colour table, -1 for a colour. */
static int grey_of(const GDALColorTable *table, int i)
{
    const GDALColorEntry *entry = table->GetColorEntry(i);
    return entry->c1 == entry->c2 && entry->c2 == entry->c3 ? entry->c1 : -1;
}

/* A palette of greys, the first the brightest, as GDAL makes of a TIFF whose zero is white. */
static bool is_negative(const GDALColorTable *table)
{
    const int n = table->GetColorEntryCount();
    for (int i = 0; i < n; i++)
        if (grey_of(table, i) < 0 || (i > 0 && grey_of(table, i) > grey_of(table, i - 1)))
            return false;
    return n > 1 && grey_of(table, 0) > grey_of(table, n - 1);
}

/* A palette that goes in equal steps from black to white, or back: its indices are as good as greys, and no classes. */
static bool is_grey_scale(const GDALColorTable *table)
{
    const int n = table->GetColorEntryCount();
    if (n < 16)
        return false;
    const bool is_negative = grey_of(table, 0) > 0;
    for (int i = 0; i < n; i++) {
        const int grey = grey_of(table, is_negative ? n - 1 - i : i);
        if (grey < 0 || std::abs(grey - 255.0 * i / (n - 1)) > 1)
            return false;
    }
    return true;
}

/* True where the smallest value is white: by the palette, or as GTiff says it of the dataset. */
static bool is_min_white(GDALDataset *source, GDALRasterBand *band)
{
    if (band->GetColorTable() != nullptr)
        return is_negative(band->GetColorTable());
    const char *said = source->GetMetadataItem("MINISWHITE", "IMAGE_STRUCTURE");
    return said != nullptr && CPLTestBool(said);
}

/* Writes a whole number as a pixel of an integer type if the type can hold it. */
template <typename Integer> static bool put_integer(double value, void *pixel)
{
    /* The largest 64-bit integers round up to powers of two as doubles: only values below them are held. */
    const double high = std::ldexp(1.0, std::numeric_limits<Integer>::digits);
    if (!(value >= static_cast<double>(std::numeric_limits<Integer>::min()) && value < high) ||
        value != std::floor(value))
        return false;
    const Integer integer = static_cast<Integer>(value);
    memcpy(pixel, &integer, sizeof integer);
    return true;
}

/* The text of a nodata value as a pixel. GDAL compares floats after rounding the value to float: so do we. */
static bool nodata_pixel(const std::string &text, int32_t type, void *pixel)
{
    const double value = CPLAtof(text.c_str());
    const bool is_integer_text = text.find_first_not_of("-0123456789") == std::string::npos;
    switch (type) {
    case NGFF_UINT8:
        return put_integer<uint8_t>(value, pixel);
    case NGFF_INT8:
        return put_integer<int8_t>(value, pixel);
    case NGFF_UINT16:
        return put_integer<uint16_t>(value, pixel);
    case NGFF_INT16:
        return put_integer<int16_t>(value, pixel);
    case NGFF_UINT32:
        return put_integer<uint32_t>(value, pixel);
    case NGFF_INT32:
        return put_integer<int32_t>(value, pixel);
    case NGFF_INT64:
        if (!is_integer_text)
            return put_integer<int64_t>(value, pixel);
        *static_cast<int64_t *>(pixel) = strtoll(text.c_str(), nullptr, 10);
        return value >= -9223372036854775808.0 && value <= 9223372036854775808.0;
    case NGFF_UINT64:
        if (!is_integer_text)
            return put_integer<uint64_t>(value, pixel);
        *static_cast<uint64_t *>(pixel) = strtoull(text.c_str(), nullptr, 10);
        return value >= 0 && value <= 18446744073709551616.0;
    case NGFF_FLOAT32: {
        const float rounded = static_cast<float>(value);
        memcpy(pixel, &rounded, sizeof rounded);
        return std::isfinite(rounded) || !std::isfinite(value);
    }
    case NGFF_FLOAT64:
        memcpy(pixel, &value, sizeof value);
        return true;
#if OMEZARR_GDAL_AT_LEAST(3, 11)
    case NGFF_FLOAT16: {
        float back = 0;
        GDALCopyWords64(&value, GDT_Float64, 0, pixel, GDT_Float16, 0, 1);
        GDALCopyWords64(pixel, GDT_Float16, 0, &back, GDT_Float32, 0, 1);
        return std::isfinite(back) == std::isfinite(value);
    }
#endif
    default:
        return false; /* GDAL compares the real part only: for complex pixels the value stays metadata */
    }
}

static bool describe_nodata(GDALDataset *source, ImageFromSource *to, int64_t channel)
{
    const std::vector<size_t> planes = planes_of_channel(*to, channel);
    const std::string text = nodata_text(source->GetRasterBand(to->bands[planes[0]]));
    for (const size_t plane : planes)
        if (nodata_text(source->GetRasterBand(to->bands[plane])) != text) {
            warn(to,
                 CPLSPrintf("Channel %d is made of bands with different nodata values; levels are made without them",
                            static_cast<int>(channel + 1)));
            return true;
        }
    uint64_t pixel[2] = {};
    if (text.empty())
        return true;
    if (nodata_pixel(text, to->pixel_type, pixel)) {
        for (const size_t plane : planes)
            memcpy(to->unwritten[plane].data(), pixel, sizeof pixel);
        return ngff_image_set_nodata(to->image.get(), channel, pixel) == NGFF_OK;
    }
    if (!GDALDataTypeIsComplex(to->type))
        warn(to, CPLSPrintf("The nodata value %s of band %d is no value of type %s; it is kept as metadata only",
                            text.c_str(), to->bands[planes[0]], GDALGetDataTypeName(to->type)));
    return true;
}

/* GDAL's ways to say that pixels are names of classes, which no mean may be taken of. Opacity of one bit is none. A table
 * may describe ranges of measured values, as of slopes: only what is said of whole numbers counts. */
static bool holds_classes(GDALRasterBand *band, GDALColorInterp color)
{
    if (color == GCI_AlphaBand || GDALDataTypeIsComplex(band->GetRasterDataType()))
        return false;
    if (band->GetColorTable() != nullptr && !is_grey_scale(band->GetColorTable()))
        return true;
    const char *layer_type = band->GetMetadataItem("LAYER_TYPE");
    if (layer_type != nullptr)
        return EQUAL(layer_type, "thematic");
    const char *nbits = band->GetMetadataItem("NBITS", "IMAGE_STRUCTURE");
    if (nbits != nullptr && EQUAL(nbits, "1"))
        return true;
    if (GDALDataTypeIsFloating(band->GetRasterDataType()))
        return false;
    if (CSLCount(band->GetCategoryNames()) > 0)
        return true;
    double first = 0, size = 1;
    const GDALRasterAttributeTable *table = band->GetDefaultRAT();
    if (table == nullptr || table->GetColumnCount() == 0 || table->GetTableType() != GRTT_THEMATIC)
        return false;
    return !table->GetLinearBinning(&first, &size) || size == 1;
}

/* One array has one way of making levels: what is class numbers in one band decides. */
static void choose_kind(GDALDataset *source, CSLConstList options, const std::vector<GDALColorInterp> &channels,
                        ImageFromSource *to)
{
    int with = 0, without = 0;
    for (int i = 1; i <= source->GetRasterCount(); i++) {
        if (holds_classes(source->GetRasterBand(i), to->colors[i - 1]))
            with = with > 0 ? with : i;
        else if (to->colors[i - 1] != GCI_AlphaBand)
            without = without > 0 ? without : i;
    }
    if (with > 0)
        to->kind = NGFF_KIND_LABEL;
    else if (channels.size() >= 3 && channels[0] == GCI_RedBand && channels[1] == GCI_GreenBand &&
             channels[2] == GCI_BlueBand)
        to->kind = NGFF_KIND_RGB;
    const bool is_chosen = CSLFetchNameValue(options, "OVERVIEW_RESAMPLING") != nullptr ||
                           CSLFetchNameValue(options, "RESAMPLING") != nullptr;
    if (with > 0 && without > 0 && !is_chosen)
        to->mixed = CPLSPrintf("Band %d holds classes and band %d does not: the levels of all bands are made by MODE; "
                               "OVERVIEW_RESAMPLING= sets another method",
                               with, without);
}

/* True for what a copy has taken along (NGFF_COLOR), in colours of the band's own that say something else. */
static bool is_other_color(GDALRasterBand *shown, GDALColorInterp color, const char *said)
{
    const char *own = color == GCI_GrayIndex ? nullptr : color_of(color);
    return shown->GetMetadataItem("COLOR", "NGFF") == nullptr && own != nullptr && said != nullptr && !EQUAL(own, said);
}

/* False for ranges of values that the pixels cannot have: what a copy has taken along was said of another type. */
static bool is_of_type(GDALDataType type, double start, double end)
{
    int is_clamped[2] = {FALSE, FALSE}, is_rounded = FALSE;
    GDALAdjustValueToDataType(type, start, &is_clamped[0], &is_rounded);
    GDALAdjustValueToDataType(type, end, &is_clamped[1], &is_rounded);
    return !is_clamped[0] && !is_clamped[1];
}

/* How a channel is shown, as an OME-Zarr says it of one of its bands. What no viewer could use is left out. */
static bool describe_display(ngff_image *image, int64_t channel, GDALRasterBand *shown, bool has_same_color,
                             bool has_same_values)
{
    const auto number = [shown](const char *name, double *value) {
        const char *text = said_to_viewers(shown, name);
        *value = text != nullptr ? CPLAtof(text) : 0;
        return text != nullptr && std::isfinite(*value);
    };
    const auto is_shown = [shown](double start, double end) {
        return shown->GetMetadataItem("WINDOW_START", "NGFF") != nullptr ||
               is_of_type(shown->GetRasterDataType(), start, end);
    };
    double start, end, min, max;
    const char *color = said_to_viewers(shown, "COLOR"), *active = said_to_viewers(shown, "ACTIVE");
    const bool is_color = has_same_color && color != nullptr &&
                          !is_other_color(shown, shown->GetColorInterpretation(), color) && strlen(color) == 6 &&
                          strspn(color, "0123456789abcdefABCDEF") == 6;
    return (!is_color || ngff_image_set_channel(image, channel, nullptr, color) == NGFF_OK) &&
           (active == nullptr || ngff_image_set_active(image, channel, CPLTestBool(active)) == NGFF_OK) &&
           (!has_same_values || !number("WINDOW_START", &start) || !number("WINDOW_END", &end) || start >= end ||
            !is_shown(start, end) || ngff_image_set_window(image, channel, start, end) == NGFF_OK) &&
           (!has_same_values || !number("WINDOW_MIN", &min) || !number("WINDOW_MAX", &max) || min >= max ||
            ngff_image_set_range(image, channel, min, max) == NGFF_OK);
}

/* A band's description; in a stack without its place, which the axes say. */
static std::string label_of(GDALRasterBand *band, const ImageFromSource &to)
{
    GDALRasterBand *placed = to.stored != nullptr ? to.stored->GetRasterBand(band->GetBand()) : band;
    return is_stack(to) ? without_place(band->GetDescription(), placed) : band->GetDescription();
}

/* Labels, colours, display ranges, nodata, and what kind of image it is. */
static bool describe_channels(GDALDataset *source, const NgffSource &store, CSLConstList options, ImageFromSource *to)
{
    const bool takes_windows = to->stored == nullptr && CSLFetchNameValue(options, "WINDOW") == nullptr;
    ngff_image *image = to->image.get();
    const int64_t n_channels = channel_count(*to);
    std::vector<GDALColorInterp> colors;
    for (int64_t channel = 0; channel < n_channels; channel++) {
        GDALRasterBand *band = source->GetRasterBand(to->bands[planes_of_channel(*to, channel)[0]]);
        GDALRasterBand *shown = store.band(band->GetBand());
        std::string label = label_of(band, *to);
        if (shown != nullptr && dynamic_cast<StackDataset *>(shown->GetDataset()) != nullptr) {
            const char *name = shown->GetMetadataItem("LABEL", "NGFF"); /* a page can have one of its own */
            label = name != nullptr ? name : "";
        }
        colors.push_back(to->colors[static_cast<size_t>(band->GetBand() - 1)]);
        const std::string utf8 = CPLIsUTF8(label.c_str(), -1) ? JsonText::as_utf8(label.c_str()) : "";
        if (ngff_image_set_channel(image, channel, utf8.empty() ? nullptr : utf8.c_str(), color_of(colors.back())) !=
                NGFF_OK ||
            !describe_nodata(source, to, channel))
            return false;
        if (colors.back() != GCI_AlphaBand && is_min_white(source, band) &&
            ngff_image_set_inverted(image, channel, 1) != NGFF_OK)
            return false;
        const char *inverted = shown != nullptr ? said_to_viewers(shown, "INVERTED") : nullptr;
        if (inverted != nullptr && to->stored == nullptr && ngff_image_set_inverted(image, channel, 1) != NGFF_OK)
            return false;
        if (shown != nullptr &&
            !describe_display(image, channel, shown, shown->GetColorInterpretation() == colors.back(),
                              takes_windows && shown->GetRasterDataType() == band->GetRasterDataType()))
            return false;
        /* what was a store and is a file of another format now: its values may be scaled */
        if (shown == nullptr && !describe_display(image, channel, band, true, false))
            return false;
    }
    choose_kind(source, options, colors, to);
    return ngff_image_set_kind(image, to->kind) == NGFF_OK;
}

/* -- Valid pixels ---------------------------------------------------------------------------------------------- */

/* Looks until the first pixel that is not valid, as a rule near the first corner; a mask that is valid everywhere is
 * not worth an array. A read error is found again, and told, when the mask is copied. */
static bool is_all_valid(GDALRasterBand *mask)
{
    int block_width = 0, block_height = 0;
    mask->GetBlockSize(&block_width, &block_height);
    const int width = mask->GetXSize(), height = mask->GetYSize();
    const int columns = std::min(width, std::max(block_width, 1024)),
              rows = std::min(height, std::max(block_height, 64));
    std::vector<GByte> part(static_cast<size_t>(columns) * rows);
    const QuietErrors quiet;
    for (int y = 0; y < height; y += rows)
        for (int x = 0; x < width; x += columns) {
            const int w = std::min(columns, width - x), h = std::min(rows, height - y);
            if (mask->RasterIO(GF_Read, x, y, w, h, part.data(), w, h, GDT_Byte, 1, w, nullptr) != CE_None ||
                std::any_of(part.begin(), part.begin() + static_cast<ptrdiff_t>(w) * h,
                            [](GByte value) { return value != 255; }))
                return false;
        }
    return true;
}

static bool describe_validity(GDALDataset *source, CSLConstList options, bool is_strict, ImageFromSource *to)
{
    for (int64_t channel = 0; channel < channel_count(*to) && to->dims != "yx"; channel++) {
        const auto is_alpha = [&](size_t plane) {
            return to->colors[static_cast<size_t>(to->bands[plane] - 1)] == GCI_AlphaBand;
        };
        const std::vector<size_t> planes = planes_of_channel(*to, channel);
        const auto first = std::find_if(planes.begin(), planes.end(), is_alpha);
        if (first == planes.end())
            continue;
        const int band = to->bands[*first];
        if (channel_count(*to) == 1 || !std::all_of(planes.begin(), planes.end(), is_alpha)) /* whose would it be? */
            return fail(
                CPLSPrintf("Band %d is alpha, which goes with axes where it is a channel, for all planes, and not with "
                           "%s: leave it out (gdal_translate -b), or say that it is none (-colorinterp_%d undefined)",
                           band, to->dims.c_str(), band));
        to->alpha = channel;
        return ngff_image_set_alpha(to->image.get(), channel) == NGFF_OK;
    }
    for (int i = 1; i <= source->GetRasterCount(); i++) {
        const int flags = source->GetRasterBand(i)->GetMaskFlags();
        if ((flags & (GMF_ALL_VALID | GMF_ALPHA)) != 0)
            continue;
        const bool is_of_all = (flags & GMF_PER_DATASET) != 0 || (flags == 0 && source->GetRasterCount() == 1);
        if (is_of_all && !to->keeps_mask && is_all_valid(source->GetRasterBand(i)->GetMaskBand()))
            return true;
        if (is_of_all) {
            to->has_mask = true;
            return ngff_image_set_mask(to->image.get(), 1) == NGFF_OK;
        }
        if ((flags & GMF_NODATA) == 0) {
            const std::string text = CPLSPrintf("The mask of band %d is not written, and pixels that it hides count in "
                                                "levels and statistics: a store has "
                                                "one mask for all bands. gdal_translate -b %d -mask mask,%d keeps it "
                                                "for one band; nodata values are kept "
                                                "for each",
                                                i, i, i);
            const bool is_compared = EQUAL(CSLFetchNameValueDef(options, "VERIFY", ""), "SOURCE");
            return is_compared ? fail(text + " (refused because of VERIFY=SOURCE, which it would not pass)")
                               : lose(is_strict, to, text);
        }
    }
    return true;
}

static bool describe_name(GDALDataset *image, ImageFromSource *to)
{
    constexpr size_t longest = 4096; /* of ngff_image_set_name */
    const char *name = said_to_viewers(image, "NAME");
    return name == nullptr || strlen(name) > longest || ngff_image_set_name(to->image.get(), name) == NGFF_OK;
}

/* The planes that a viewer shows at first, and whether in colours. */
static bool describe_view(GDALDataset *image, const BandGrid &grid, ImageFromSource *to)
{
    const auto index = [=, &grid](char axis, const char *item) -> int64_t {
        const char *text = said_to_viewers(image, item);
        const size_t at = to->dims.find(axis);
        if (text == nullptr || at == std::string::npos)
            return -1;
        const int64_t wanted = strtoll(text, nullptr, 10);
        for (const GridAxis &of_bands : grid.axes) /* bands that were picked say which they were */
            if (of_bands.letter == axis && of_bands.indexes.size() == static_cast<size_t>(to->shape[at]))
                for (size_t i = 0; i < of_bands.indexes.size(); i++)
                    if (of_bands.indexes[i] == wanted)
                        return static_cast<int64_t>(i);
        return std::clamp<int64_t>(wanted, 0, to->shape[at] - 1);
    };
    /* one channel of several is grey as any other */
    const bool is_picked = channel_count(*to) == 1 && image->GetRasterCount() != static_cast<int>(to->bands.size());
    const char *model = is_picked ? nullptr : said_to_viewers(image, "MODEL");
    const int has_colors = model == nullptr ? -1 : EQUAL(model, "color");
    return ngff_image_set_view(to->image.get(), index('t', "DEFAULT_T"), index('z', "DEFAULT_Z"), has_colors) ==
           NGFF_OK;
}

/* -- Position -------------------------------------------------------------------------------------------------- */

/* "t:3,z:2.5": the value of an axis, or NULL. */
static std::string value_of_axis(const char *list, char axis)
{
    const CPLStringList items(CSLTokenizeString2(list, ",", 0));
    for (int i = 0; i < items.size(); i++)
        if (items[i][0] == axis && items[i][1] == ':')
            return items[i] + 2;
    return "";
}

/* Sets the unit of an axis if NGFF has a name for it. */
static bool set_unit(ImageFromSource *to, int axis, const char *text)
{
    const char letter[] = {to->dims[axis], '\0'};
    const char *unit = ngff_unit_name(letter, text);
    return unit == nullptr || ngff_image_set_unit(to->image.get(), axis, unit) == NGFF_OK;
}

/* Where y and x lie as an OME-Zarr says it. */
struct StoredAxes {
    double scale[2] = {}, translation[2] = {};
    std::string unit[2]{};
};

/* True if the raster lies where its store says: nobody has moved it since. */
static bool lies_as_stored(GDALDataset *source, GDALDataset *store)
{
    double now[6] = {}, six[6] = {};
    auto *image = dynamic_cast<OmeZarrDataset *>(store);
    if (dynamic_cast<StackDataset *>(store) != nullptr)
        return true; /* it says so only where nothing else places it */
    if (image == nullptr)
        return false;
    if (source == store)
        return !image->has_side_geotransform(six);
    const OGRSpatialReference *crs = source->GetSpatialRef(), *of_store = image->attributes().crs;
    const bool has_now = GDALGetGeoTransform(GDALDataset::ToHandle(source), now) == CE_None;
    return has_now == image->stored_geotransform(six) && (!has_now || memcmp(now, six, sizeof six) == 0) &&
           (crs == nullptr) == (of_store == nullptr) && (crs == nullptr || crs->IsSame(of_store));
}

/* False if the source is no OME-Zarr, lies elsewhere, or its axes say nothing: no size, or rows that go up. */
static bool read_stored_axes(GDALDataset *source, GDALDataset *store, StoredAxes *axes)
{
    const char *const lists[] = {store->GetMetadataItem("AXIS_SCALE", "NGFF"),
                                 store->GetMetadataItem("AXIS_TRANSLATION", "NGFF"),
                                 store->GetMetadataItem("AXIS_UNITS", "NGFF")};
    if (lists[0] == nullptr || lists[1] == nullptr || !lies_as_stored(source, store))
        return false;
    for (int i = 0; i < 2; i++) {
        axes->scale[i] = CPLAtof(value_of_axis(lists[0], "yx"[i]).c_str());
        axes->translation[i] = CPLAtof(value_of_axis(lists[1], "yx"[i]).c_str());
        axes->unit[i] = value_of_axis(lists[2] != nullptr ? lists[2] : "", "yx"[i]);
    }
    return axes->scale[0] > 0 && axes->scale[1] > 0;
}

/* Where the axes lead in a body, where they are those of an OME-Zarr that says it. */
static bool describe_orientation(GDALDataset *source, GDALDataset *store, const BandGrid &grid, ngff_image *image)
{
    const char *given = store->GetMetadataItem("AXIS_ORIENTATION", "NGFF");
    if (given == nullptr || !lies_as_stored(source, store))
        return true;
    const int n = static_cast<int>(grid.axes.size());
    for (int i = 0; i < n + 2; i++) {
        const char letter = i < n ? grid.axes[static_cast<size_t>(i)].letter : "yx"[i - n];
        const std::string word = strchr("zyx", letter) != nullptr ? value_of_axis(given, letter) : std::string();
        if (!word.empty() && ngff_image_set_orientation(image, i, word.c_str()) != NGFF_OK)
            return false;
    }
    return true;
}

/* Scale, translation and unit of all axes, and the georeference. Images that only their axes place, as in microscopy,
 * get no georeference; where they were read from an OME-Zarr, the very numbers. */
static bool describe_position(GDALDataset *source, const BandGrid &grid, ImageFromSource *to, int *what)
{
    ngff_image *image = to->image.get();
    const int y = to->rank() - 2;
    double scale[5] = {1, 1, 1, 1, 1}, translation[5] = {}, six[6], of_axes[6];
    for (size_t i = 0; i < grid.axes.size(); i++) {
        scale[i] = grid.axes[i].scale;
        translation[i] = grid.axes[i].translation;
        if (grid.axes[i].unit != nullptr && !set_unit(to, static_cast<int>(i), grid.axes[i].unit))
            return false;
    }
    GDALDataset *store = to->stored != nullptr ? to->stored : source;
    StoredAxes given;
    const bool has_given = read_stored_axes(source, store, &given);
    for (int i = 0; i < 2 && !has_given; i++) {
        const char *unit = store->GetMetadataItem(dimension_item("yx"[i], "UNIT").c_str());
        given.unit[i] = unit != nullptr ? unit : "";
    }
    const GDALDatasetH raster = GDALDataset::ToHandle(source);
    const bool has_crs = source->GetSpatialRef() != nullptr;
    const bool is_of_axes = GDALGetGeoTransform(raster, six) == CE_None && georef_is_of_axes(raster, six) != 0;
    const bool is_as_given = has_given && is_of_axes && georef_from_axes(given.scale, given.translation, 1, of_axes) &&
                             memcmp(six, of_axes, sizeof six) == 0;
    *what = GEOREF_NO_TRANSFORM;
    if (is_of_axes && !is_as_given && !given.unit[0].empty() && !given.unit[1].empty()) {
        scale[y] = six[5];
        scale[y + 1] = six[1];
        translation[y] = six[3] + 0.5 * six[5];
        translation[y + 1] = six[0] + 0.5 * six[1];
    } else if (!is_as_given && georef_describe(raster, image, to->rank(), scale, translation, what) != NGFF_OK) {
        return false;
    }
    const bool is_said = is_as_given || (has_given && !(given.scale[0] == 1 && given.scale[1] == 1));
    if (is_said) {
        std::copy_n(given.scale, 2, scale + y);
        std::copy_n(given.translation, 2, translation + y);
    }
    for (int i = 0; i < 2; i++)
        if ((is_said && ngff_image_set_unit(image, y + i, nullptr) != NGFF_OK) ||
            ((is_said || !has_crs) && !set_unit(to, y + i, given.unit[i].c_str())))
            return false;
    return ngff_image_set_scale(image, scale) == NGFF_OK && ngff_image_set_translation(image, translation) == NGFF_OK &&
           describe_orientation(source, store, grid, image);
}

/* -- Metadata -------------------------------------------------------------------------------------------------- */

/* True for an item that axis, which has been written, says again: DIM_z_INDEX ... Values and units that it cannot say
 * stay with their band. */
static bool is_said_by_axis(const GridAxis &axis, const std::string &item)
{
    const auto is = [&](const char *what) {
        return STARTS_WITH(item.c_str(), (dimension_item(axis.letter, what) + "=").c_str());
    };
    const bool has_unit = axis.unit != nullptr || axis.unit_text.empty();
    return is("INDEX") || is("STEP") || (is("VALUE") && axis.is_even) || (is("UNIT") && axis.is_even && has_unit);
}

/* True for what the channels say again, where the store is one whose reader repeats it (foreign.cpp, has_told_viewers). */
static bool is_said_by_channels(const ImageFromSource &to, CSLConstList options, const char *item)
{
    static const char *const told[] = {"CHANNEL_COLORS", "WINDOW", "NAME"};
    const bool is_told = std::any_of(std::begin(told), std::end(told), [options](const char *name) {
        return CSLFetchNameValue(options, name) != nullptr;
    });
    return (is_stack(to) || is_told) && STARTS_WITH(item, ngff_item("").c_str());
}

/* True for DIM_t_..., DIM_c_..., DIM_z_..., our own words for places. */
static bool is_own_place(const std::string &item)
{
    return item.size() > 6 && STARTS_WITH(item.c_str(), "DIM_") && strchr("tcz", item[4]) != nullptr && item[5] == '_';
}

static CopiedMetadata copied_metadata(GDALDataset *source, const NgffSource &store, const BandGrid &grid,
                                      CSLConstList options, const ImageFromSource &to)
{
    CopiedMetadata copied;
    const char *wanted = CSLFetchNameValueDef(options, "COPY_SRC_MDD", "AUTO");
    const char *statistics = CSLFetchNameValueDef(options, "STATISTICS", "AUTO");
    const bool has_statistics_of_band = !has_planes(to) && (EQUAL(statistics, "AUTO") || CPLTestBool(statistics));
    const bool has_units = source->GetSpatialRef() == nullptr;
    const bool is_other_axes = CSLFetchNameValue(options, "AXES") != nullptr && grid.axes.empty();
    copied.is_wanted = EQUAL(wanted, "AUTO") || CPLTestBool(wanted);
    copied.is_said_by_ngff = [=, &grid, &store, &to](int band, const char *item) {
        if (is_said_by_channels(to, options, item))
            return true;
        if (band == 0) {
            for (const char axis : {'y', 'x'})
                if (STARTS_WITH(item, (dimension_item(axis, "UNIT") + "=").c_str()))
                    return has_units && ngff_unit_name("x", strchr(item, '=') + 1) != nullptr;
            return false;
        }
        if (STARTS_WITH_CI(item, "STATISTICS_"))
            return has_statistics_of_band || has_statistics_of_pixels(store.band(band));
        return (is_other_axes && is_own_place(item)) ||
               std::any_of(grid.axes.begin(), grid.axes.end(),
                           [item](const GridAxis &axis) { return is_said_by_axis(axis, item); });
    };
    copied.description = [source, &to](int number) -> std::string {
        GDALRasterBand *band = source->GetRasterBand(number);
        const std::string text = band->GetDescription();
        const auto *stored = dynamic_cast<OmeZarrDataset *>(to.stored);
        if (stored != nullptr && stored->attributes().is_ours &&
            text == to.stored->GetRasterBand(number)->GetDescription())
            return stored->attributes().bands[static_cast<size_t>(number - 1)].own_description;
        return label_of(band, to) == text ? text : "";
    };
    return copied;
}

/* -- All of it ------------------------------------------------------------------------------------------------- */

bool image_from_source(GDALDataset *source, CSLConstList options, bool is_strict, ImageFromSource *to)
{
    const int n_bands = source->GetRasterCount();
    if (n_bands < 1)
        return fail("The source has no raster band: nothing to write (its subdatasets may have some)");
    if (source->GetRasterXSize() < 1 || source->GetRasterYSize() < 1)
        return fail("The source has no pixels");
    BandGrid grid = grid_of_bands(to->stored != nullptr ? to->stored : source);
    if (!choose_type(source, is_strict, to) || !choose_axes(options, to, n_bands, &grid) ||
        !band_colors(source, options, &to->colors))
        return false;
    for (const GridAxis &axis : grid.axes)
        if (axis.letter == 'c')
            to->channel_indexes = axis.indexes;
    to->unwritten.resize(to->bands.size());
    to->shape[to->rank()] = source->GetRasterYSize();
    to->shape[to->rank() + 1] = source->GetRasterXSize();
    to->dims += "yx";

    to->image.reset(ngff_image_create(to->dims.c_str(), to->shape, to->pixel_type));
    ngff_image *image = to->image.get();
    if (image == nullptr) {
        CPLError(CE_Failure, CPLE_OutOfMemory, "Out of memory");
        return false;
    }
    int what = GEOREF_NO_TRANSFORM;
    const NgffSource store(to->stored != nullptr ? to->stored : source, to->stored != nullptr);
    GDALDataset *image_said = store.image() != nullptr ? store.image() : source;
    const bool is_type_kept = source->GetRasterBand(1)->GetRasterDataType() == to->type;
    const bool is_described =
        ngff_image_status(image) == NGFF_OK && describe_name(image_said, to) && describe_view(image_said, grid, to) &&
        describe_channels(source, store, options, to) && describe_labels(source, store, options, to) &&
        describe_validity(source, options, is_strict, to) && describe_position(source, grid, to, &what) &&
        attributes_to_image(source, to->bands, to->colors, image, copied_metadata(source, store, grid, options, *to),
                            is_type_kept, what == GEOREF_DEGENERATE, &to->losses) == NGFF_OK;
    if (ngff_image_status(image) != NGFF_OK)
        return fail(ngff_image_error(image));
    if (is_described && what == GEOREF_DEGENERATE)
        warn(to, "The geotransform is not finite or maps the image to a line; it is kept as metadata only");
    return is_described;
}

bool image_with_nodata(GDALDataset *source, const ImageFromSource &like, ImageFromSource *to)
{
    to->dims = like.dims;
    std::copy(std::begin(like.shape), std::end(like.shape), to->shape);
    to->bands = like.bands;
    to->unwritten.resize(to->bands.size());
    to->type = like.type;
    to->pixel_type = like.pixel_type;
    to->image.reset(ngff_image_create(to->dims.c_str(), to->shape, to->pixel_type));
    if (!to->image || ngff_image_set_kind(to->image.get(), like.kind) != NGFF_OK ||
        (like.alpha >= 0 && ngff_image_set_alpha(to->image.get(), like.alpha) != NGFF_OK) ||
        (like.has_mask && ngff_image_set_mask(to->image.get(), 1) != NGFF_OK))
        return false;
    const QuietErrors quiet;
    bool is_described = true;
    for (int64_t channel = 0; is_described && channel < channel_count(*to); channel++)
        is_described = describe_nodata(source, to, channel);
    return is_described;
}
