/* imagefrom.cpp: see imagefrom.h. The order is that of the questions: what type, what axes, what do the channels mean,
 * which pixels count, where is it, and what else is known. */
#include "imagefrom.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attributes.h"
#include "georef.h"
#include "guard.h"
#include "pixeltype.h"
#include "writing.h"

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

/* AXES=t:3,c:2,z:10, slowest first: which band is which plane. NGFF's own order of axes is t, c, z. */
static bool choose_axes(CSLConstList options, ImageFromSource *to, int n_bands)
{
    int64_t size[3] = {1, 1, 1}, stride[3] = {}, product = 1, typed_size[5];
    const char *const order = "tcz";
    char typed[6], message[500];
    const int n_typed = ngff_options_axes(options, typed, typed_size, message, sizeof message);
    if (n_typed < 0) {
        raise(n_typed, message);
        return false;
    }
    if (n_typed == 0) {
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
        if (strchr(typed, order[i]) != nullptr) {
            to->shape[to->rank()] = size[i];
            to->dims += order[i];
        }
    for (int64_t t = 0; t < size[0]; t++)
        for (int64_t c = 0; c < size[1]; c++)
            for (int64_t z = 0; z < size[2]; z++)
                to->bands.push_back(static_cast<int>(1 + t * stride[0] + c * stride[1] + z * stride[2]));
    to->unwritten.resize(to->bands.size());
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

/* Labels, colours, nodata, and what kind of image it is. */
static bool describe_channels(GDALDataset *source, CSLConstList options, ImageFromSource *to)
{
    ngff_image *image = to->image.get();
    const int64_t n_channels = channel_count(*to);
    std::vector<GDALColorInterp> colors;
    for (int64_t channel = 0; channel < n_channels; channel++) {
        GDALRasterBand *band = source->GetRasterBand(to->bands[planes_of_channel(*to, channel)[0]]);
        const char *label = *band->GetDescription() != '\0' ? band->GetDescription() : nullptr;
        colors.push_back(to->colors[band->GetBand() - 1]);
        const std::string utf8 = label != nullptr && !CPLIsUTF8(label, -1) ? std::string() : label ? label : "";
        if (ngff_image_set_channel(image, channel, utf8.empty() ? nullptr : utf8.c_str(), color_of(colors.back())) !=
                NGFF_OK ||
            !describe_nodata(source, to, channel))
            return false;
        if (colors.back() != GCI_AlphaBand && is_min_white(source, band) &&
            ngff_image_set_inverted(image, channel, 1) != NGFF_OK)
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
    for (int i = 1; i <= source->GetRasterCount() && to->dims != "yx"; i++)
        if (to->colors[i - 1] == GCI_AlphaBand) {
            if (to->dims != "cyx") /* whose planes would it be? */
                return fail(
                    CPLSPrintf("Band %d is alpha, which goes with the axes c, y, x only, not with %s: leave it out "
                               "(gdal_translate -b), or say that it is none (-colorinterp_%d undefined)",
                               i, to->dims.c_str(), i));
            to->alpha = i - 1;
            return ngff_image_set_alpha(to->image.get(), to->alpha) == NGFF_OK;
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

/* -- All of it ------------------------------------------------------------------------------------------------- */

bool image_from_source(GDALDataset *source, CSLConstList options, bool is_strict, ImageFromSource *to)
{
    const int n_bands = source->GetRasterCount();
    if (n_bands < 1)
        return fail("The source has no raster band: nothing to write (its subdatasets may have some)");
    if (source->GetRasterXSize() < 1 || source->GetRasterYSize() < 1)
        return fail("The source has no pixels");
    if (!choose_type(source, is_strict, to) || !choose_axes(options, to, n_bands) ||
        !band_colors(source, options, &to->colors))
        return false;
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
    const char *copy_metadata = CSLFetchNameValueDef(options, "COPY_SRC_MDD", "AUTO");
    const bool is_type_kept = source->GetRasterBand(1)->GetRasterDataType() == to->type;
    const bool is_described = ngff_image_status(image) == NGFF_OK && describe_channels(source, options, to) &&
                              describe_validity(source, options, is_strict, to) &&
                              georef_describe(GDALDataset::ToHandle(source), image, to->rank(), &what) == NGFF_OK &&
                              attributes_to_image(source, to->bands, to->colors, image,
                                                  EQUAL(copy_metadata, "AUTO") || CPLTestBool(copy_metadata),
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
