/* update.cpp: a store that is there, opened for change (GA_Update). Its description is copied into the dataset that
 * Create() makes too, and its own options, which the store keeps, make its plan; from there on all is as in create.cpp,
 * but that pixels nobody has written to are read from the store, and that only what is changed is written at the end.
 */
#include "plugin/omezarr.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "cpl_json.h"

#include "describe/dimensions.h"
#include "plugin/guard.h"
#include "describe/pixel_type.h"
#include "open/sidefile.h"
#include "write/writing_dataset.h"

/* -- The description that is there ----------------------------------------------------------------------------- */

/* Statistics are the writer's own, beside the metadata; they would become the user's. */
static CPLStringList without_statistics(const CPLStringList &items)
{
    CPLStringList kept;
    for (int i = 0; i < items.size(); i++)
        if (!STARTS_WITH_CI(items[i], "STATISTICS_"))
            kept.AddString(items[i]);
    return kept;
}

static void copy_metadata(GDALMajorObject *to, const std::vector<MetadataDomain> &domains)
{
    for (const MetadataDomain &domain : domains) {
        CPLStringList items = domain.name.empty() ? without_statistics(domain.items) : domain.items;
        if (items.size() > 0)
            to->SetMetadata(items.List(), domain.name.c_str());
    }
}

void WritingBand::take_description(const BandAttributes &stored)
{
    SetDescription(stored.description.c_str());
    copy_metadata(this, stored.metadata);
    if (!stored.nbits.empty())
        SetMetadataItem("NBITS", stored.nbits.c_str(), "IMAGE_STRUCTURE");
    if (!stored.nodata.empty() && eDataType == GDT_Int64) {
        m_nodata_kind = INT64_NODATA;
        m_nodata_int64 = strtoll(stored.nodata.c_str(), nullptr, 10);
    } else if (!stored.nodata.empty() && eDataType == GDT_UInt64) {
        m_nodata_kind = UINT64_NODATA;
        m_nodata_uint64 = strtoull(stored.nodata.c_str(), nullptr, 10);
    } else if (!stored.nodata.empty()) {
        m_nodata_kind = DOUBLE_NODATA;
        m_nodata = CPLAtof(stored.nodata.c_str());
    }
    m_has_scale = stored.has_scale;
    m_scale = stored.scale;
    m_has_offset = stored.has_offset;
    m_offset = stored.offset;
    m_unit = stored.unit;
    m_color = stored.color;
    m_histogram = stored.histogram;
    m_color_table.reset(stored.color_table ? stored.color_table->Clone() : nullptr);
    m_categories = stored.categories;
    if (stored.rat)
        m_rat = std::make_unique<GDALDefaultRasterAttributeTable>(*stored.rat);
}

/* The store's own statistics are those of its pixels: said where others are set, and they stay. */
CPLErr WritingBand::SetStatistics(double min, double max, double mean, double std_dev)
{
    const char *const names[] = {"STATISTICS_MINIMUM", "STATISTICS_MAXIMUM", "STATISTICS_MEAN", "STATISTICS_STDDEV"};
    const double values[] = {min, max, mean, std_dev};
    const bool is_as_stored = m_dataset->m_stored && !m_dataset->m_is_written;
    GDALRasterBand *stored = is_as_stored ? m_dataset->m_stored->GetRasterBand(nBand) : nullptr;
    bool is_other = false;
    for (int i = 0; stored != nullptr && i < 4; i++) {
        const char *text = stored->GetMetadataItem(names[i]);
        is_other |= text != nullptr && std::abs(CPLAtof(text) - values[i]) > 1e-6 * (1 + std::abs(values[i]));
    }
    if (is_other)
        CPLError(CE_Warning, CPLE_NotSupported,
                 "%s, band %d: the statistics in an OME-Zarr are those of its pixels and are not set to others",
                 m_dataset->GetDescription(), nBand);
    return GDALRasterBand::SetStatistics(min, max, mean, std_dev);
}

void WritingDataset::take_description()
{
    const DatasetAttributes &stored = m_stored->attributes();
    copy_metadata(this, stored.metadata);
    if (stored.is_min_white)
        SetMetadataItem("MINISWHITE", "YES", "IMAGE_STRUCTURE");
    m_has_geotransform = m_stored->stored_geotransform(m_geotransform);
    SetSpatialRef(stored.crs);
    SetGCPs(static_cast<int>(stored.gcps.size()), stored.gcps.data(), stored.gcp_crs);
    for (int i = 1; i <= nBands; i++) {
        auto *band = static_cast<WritingBand *>(GetRasterBand(i));
        band->take_description(stored.bands[i - 1]);
#if !OMEZARR_GDAL_AT_LEAST(3, 7)
        if (m_stored->data_type() == NGFF_INT8)
            band->SetMetadataItem("PIXELTYPE", "SIGNEDBYTE", "IMAGE_STRUCTURE");
#endif
    }
    if (m_stored->has_mask())
        m_mask = std::make_unique<WritingMaskBand>(this);
}

/* What a user has said while the store was open for reading counts more. With the first change it becomes the store's.
 */
void WritingDataset::take_side_file()
{
    copy_metadata(this, metadata_of(m_stored.get()));
    if (m_stored->has_side_geotransform(m_geotransform))
        m_has_geotransform = true;
    if (m_stored->GetSpatialRef() != nullptr)
        SetSpatialRef(m_stored->GetSpatialRef());
    SetGCPs(m_stored->GetGCPCount(), m_stored->GetGCPs(), m_stored->GetGCPSpatialRef());
    for (int i = 1; i <= nBands; i++) {
        const BandAttributes said = m_stored->band_description(i);
        if (said.nodata != m_stored->attributes().bands[i - 1].nodata)
            m_has_new_nodata = true;
        static_cast<WritingBand *>(GetRasterBand(i))->take_description(said);
    }
}

/* The options that the store was made with; its axes say how the bands lie now. */
static CPLStringList stored_options(const OmeZarrDataset &stored)
{
    CPLStringList options;
    CPLJSONDocument document;
    const char *text = stored.attribute("options");
    if (text != nullptr && document.LoadMemory(text))
        for (const CPLJSONObject &option : document.GetRoot().ToArray())
            options.AddString(option.ToString().c_str());
    const char *overviews = options.FetchNameValue("OVERVIEWS");
    if (overviews != nullptr && !EQUAL(overviews, "NONE"))
        options.SetNameValue("OVERVIEWS", nullptr); /* the source is not here any more */
    options.SetNameValue("COPY_SRC_MDD", nullptr);  /* what is here now was said of the store */
    std::string axes;
    int64_t shape[5];
    stored.shape(shape);
    for (size_t i = 0; i + 2 < stored.dims().size(); i++)
        axes += (i > 0 ? "," : "") + std::string(1, stored.dims()[i]) + ":" + std::to_string(shape[i]);
    if (!axes.empty())
        options.SetNameValue("AXES", axes.c_str());
    return options;
}

/* "a\\,b,c": the parts of a list, commas in them behind a backslash. */
static std::vector<std::string> parts_of(const char *list)
{
    std::vector<std::string> parts(list != nullptr ? 1 : 0);
    for (; list != nullptr && *list != '\0'; list++) {
        if (*list == ',') {
            parts.emplace_back();
            continue;
        }
        list += list[0] == '\\' && list[1] == ',';
        parts.back() += *list;
    }
    return parts;
}

/* Options of channels go on as long as the channels are what they say: others may have changed "omero", and the user
 * descriptions and colours. */
void WritingDataset::drop_untrue_options(CPLStringList *options)
{
    const std::string &dims = m_stored->dims();
    const auto c = static_cast<int>(dims.find('c')), n_axes = static_cast<int>(dims.size()) - 2;
    const bool is_stack = dims.find_first_of("tz") != std::string::npos;
    int64_t shape[5], below = 1;
    m_stored->shape(shape);
    for (int axis = c + 1; c >= 0 && axis < n_axes; axis++)
        below *= shape[axis];
    for (const char *name : {"CHANNEL_NAMES", "CHANNEL_COLORS"}) {
        const bool is_names = EQUAL(name, "CHANNEL_NAMES");
        const std::vector<std::string> parts = parts_of(options->FetchNameValue(name));
        bool is_true = true;
        for (size_t i = 0; i < parts.size() && is_true; i++) {
            const int64_t number = 1 + static_cast<int64_t>(i) * below;
            if (number > nBands)
                break;
            GDALRasterBand *band = GetRasterBand(static_cast<int>(number));
            GDALRasterBand *stored = m_stored->GetRasterBand(static_cast<int>(number));
            const char *color = stored->GetMetadataItem("COLOR", "NGFF");
            const std::string text = band->GetDescription();
            is_true = is_names ? parts[i] == (is_stack ? without_place(text, stored) : text)
                               : color != nullptr && EQUAL(color, parts[i].c_str()) &&
                                     band->GetColorInterpretation() == stored->GetColorInterpretation();
        }
        if (!is_true)
            options->SetNameValue(name, nullptr);
    }
}

/* -- Opening --------------------------------------------------------------------------------------------------- */

bool WritingDataset::open_update(std::unique_ptr<OmeZarrDataset> stored, CSLConstList open_options)
{
    m_stored = std::move(stored);
    m_open_options = CPLStringList(open_options);
    take_description();
    m_options = own_options(stored_options(*m_stored).List());
    m_axes = ImageFromSource();
    m_stored_plan = plan_of_now(m_options, &m_axes);
    if (!m_stored_plan)
        return false;
    for (const std::string &warning : warnings_of(m_stored_plan.get(), m_axes)) /* were raised when it was made */
        m_raised.insert(warning);
    m_writer = checked_writer(ngff_writer_open_update(m_stored_plan.get(), m_root.c_str()));
    if (!m_writer)
        return false;
    if (EQUAL(m_open_options.FetchNameValueDef("MISSING_CHUNKS", ""), "FILL"))
        ngff_writer_take_missing(m_writer.get());
    if (!m_stored->side_file().empty())
        take_side_file();
    m_is_described = false;
    SetMOFlags(GetMOFlags() & ~GMO_MD_DIRTY);
    for (int i = 1; i <= nBands; i++)
        GetRasterBand(i)->SetMOFlags(GetRasterBand(i)->GetMOFlags() & ~GMO_MD_DIRTY);
    int block_width = 0, block_height = 0;
    m_stored->GetRasterBand(1)->GetBlockSize(&block_width, &block_height);
    for (int i = 1; i <= nBands; i++)
        static_cast<WritingBand *>(GetRasterBand(i))->set_block(block_width, block_height);
    m_mask.reset(m_mask ? new WritingMaskBand(this) : nullptr); /* with these blocks */
    return true;
}

/* A handler of errors, whose user's data are these. */
using Messages = std::vector<std::tuple<CPLErr, CPLErrorNum, std::string>>;
static void CPL_STDCALL keep_message(CPLErr type, CPLErrorNum number, const char *text)
{
    guarded("An error's message", 0, [=] {
        if (type != CE_Debug)
            static_cast<Messages *>(CPLGetErrorHandlerUserData())->emplace_back(type, number, text);
        return 0;
    });
}

GDALDataset *omezarr_open_update(const StoreName &name, const char *description, CSLConstList options)
{
    if (omezarr_is_archive(name.root)) {
        CPLError(
            CE_Failure, CPLE_NotSupported,
            "%s is one file, in which nothing is changed: copy it with gdal_translate -of OMEZARR to a folder, change "
            "that, and copy it back",
            description);
        return nullptr;
    }
    /* Warnings of who reads are no news to who changes. The error is told as it was: who opens again, to hear it aloud,
     * may find it gone, and hold a dataset that takes changes and stores none. */
    std::unique_ptr<GDALDataset> opened;
    Messages messages;
    {
        const CPLErrorStateBackuper state;
        const CPLErrorHandlerPusher kept(keep_message, &messages);
        opened = OmeZarrDataset::open(name, description, options);
    }
    if (!opened) {
        for (const auto &[type, number, text] : messages)
            CPLError(type, number, "%s", text.c_str());
        return nullptr;
    }
    auto *image = dynamic_cast<OmeZarrDataset *>(opened.get());
    if (image == nullptr || !name.part.empty() || name.has_planes() || !image->attributes().is_ours) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "%s is not one image, or not the whole image, or was not written by the OMEZARR driver, and cannot be "
                 "changed in place: copy it with gdal_translate -of OMEZARR and change the copy",
                 description);
        return nullptr;
    }
    opened.release();
    std::unique_ptr<OmeZarrDataset> stored(image);
    const std::string root = name.root;
    auto dataset =
        std::make_unique<WritingDataset>(root, stored->GetRasterXSize(), stored->GetRasterYSize(),
                                         stored->GetRasterCount(), stored->GetRasterBand(1)->GetRasterDataType());
    dataset->SetDescription(description);
    return dataset->open_update(std::move(stored), options) ? dataset.release() : nullptr;
}

/* Stores what has changed, and goes on from there. */
CPLErr WritingDataset::store_and_open()
{
    if (flush(false) != CE_None || store() != CE_None)
        return CE_Failure;
    std::unique_ptr<GDALDataset> opened =
        OmeZarrDataset::open(StoreName(m_root.c_str()), GetDescription(), m_open_options);
    auto *image = dynamic_cast<OmeZarrDataset *>(opened.get());
    if (image == nullptr)
        return CE_Failure;
    opened.release();
    m_earlier.push_back(std::move(m_stored));
    m_is_written = m_has_other_nodata = m_has_new_nodata = false;
    return open_update(std::unique_ptr<OmeZarrDataset>(image), m_open_options) ? CE_None : CE_Failure;
}

/* True if the store will say something else than it does. */
bool WritingDataset::is_changed()
{
    bool is_changed = m_is_written || m_is_described || (GetMOFlags() & GMO_MD_DIRTY) != 0;
    for (int i = 1; i <= nBands && !is_changed; i++)
        is_changed = (GetRasterBand(i)->GetMOFlags() & GMO_MD_DIRTY) != 0;
    return is_changed;
}

/* -- Overviews that are there ---------------------------------------------------------------------------------- */

/* They are shown until a pixel or nodata changes: then they are true again only when they are made again, at the end.
 */
bool WritingDataset::has_overviews() const
{
    return m_stored && !m_is_written && !m_has_other_nodata;
}

/* A view is read as from a dataset that is open for reading, whose levels lie where they lie (rasterio.cpp). */
bool WritingDataset::is_view(GDALRWFlag flag, int width, int height, int buffer_width, int buffer_height) const
{
    return flag == GF_Read && (buffer_width < width || buffer_height < height) && has_overviews();
}

int WritingBand::GetOverviewCount()
{
    return m_dataset->has_overviews() ? m_dataset->m_stored->GetRasterBand(nBand)->GetOverviewCount()
                                      : GDALRasterBand::GetOverviewCount();
}

GDALRasterBand *WritingBand::GetOverview(int index)
{
    return m_dataset->has_overviews() ? m_dataset->m_stored->GetRasterBand(nBand)->GetOverview(index)
                                      : GDALRasterBand::GetOverview(index);
}

/* The factors of the stored levels, along x and in words. */
std::vector<std::pair<int, std::string>> WritingDataset::stored_factors() const
{
    return m_stored ? m_stored->overview_factors() : std::vector<std::pair<int, std::string>>();
}
