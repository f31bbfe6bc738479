/* source_overviews.cpp: see source_overviews.h. Only an overview of exactly a level's size is that level: GDAL's own halve with ceil,
 * as NGFF levels do; others (COG's floor, a factor that no level has) would shift every position. */
#include "write/source_overviews.h"

#include "open/raster.h"

/* True for a level that has fewer planes than its store: they are means of several. */
static bool has_other_planes(GDALRasterBand *overview)
{
    const auto *ours = dynamic_cast<const OmeZarrBand *>(overview);
    return ours != nullptr && !ours->has_own_plane();
}

/* The overview of this size that all bands have, with a mask if the image has one; -1 if there is none. */
static int find_overview(GDALDataset *source, const ImageFromSource &image, int64_t width, int64_t height)
{
    const int n_overviews = source->GetRasterBand(1)->GetOverviewCount();
    for (int overview = 0; overview < n_overviews; overview++) {
        bool fits = true;
        for (int i = 1; i <= source->GetRasterCount() && fits; i++) {
            GDALRasterBand *band = source->GetRasterBand(i)->GetOverview(overview);
            fits = band != nullptr && band->GetXSize() == width && band->GetYSize() == height &&
                   !has_other_planes(band) && (!image.has_mask || (band->GetMaskFlags() & GMF_PER_DATASET) != 0);
        }
        if (fits)
            return overview;
    }
    return -1;
}

static std::string sizes_of_overviews(GDALRasterBand *band)
{
    std::string text;
    for (int i = 0; i < band->GetOverviewCount(); i++)
        if (GDALRasterBand *overview = band->GetOverview(i))
            text += CPLSPrintf("%s%d x %d", text.empty() ? "" : ", ", overview->GetXSize(), overview->GetYSize());
    return text.empty() ? "none" : text;
}

static GivenLevel given_level(ngff_plan *plan, const ImageFromSource &image, int level, int overview)
{
    int64_t chunk[5];
    ngff_plan_level_chunk(plan, level, chunk);
    return {level, overview, chunk[image.rank() - 1], chunk[image.rank() - 2]};
}

bool choose_levels(ngff_plan *plan, const ImageFromSource &image, GDALDataset *source, std::vector<GivenLevel> *levels)
{
    const std::string option = ngff_plan_option(plan, "OVERVIEWS");
    const bool must_exist = EQUAL(option.c_str(), "FORCE_USE_EXISTING");
    levels->push_back(given_level(plan, image, 0, -1));
    if (!must_exist && !EQUAL(option.c_str(), "AUTO"))
        return true;
    const int y = image.rank() - 2;
    for (int level = 1; level < ngff_plan_level_count(plan); level++) {
        int64_t shape[5];
        ngff_plan_level_shape(plan, level, shape);
        const bool has_all_bands = std::equal(shape, shape + y, image.shape);
        const int overview = has_all_bands ? find_overview(source, image, shape[y + 1], shape[y]) : -1;
        if (overview < 0 && must_exist) {
            CPLError(
                CE_Failure, CPLE_IllegalArg,
                "OVERVIEWS=FORCE_USE_EXISTING: level %d needs an overview of %d x %d, width x height; the source has "
                "%s. SCALE_FACTORS and OVERVIEW_COUNT choose the levels",
                level, static_cast<int>(shape[y + 1]), static_cast<int>(shape[y]),
                sizes_of_overviews(source->GetRasterBand(1)).c_str());
            return false;
        }
        if (overview >= 0 && ngff_plan_set_given(plan, level) != NGFF_OK) {
            CPLError(CE_Failure, CPLE_AppDefined, "%s", ngff_plan_error(plan));
            return false;
        }
        if (overview >= 0)
            levels->push_back(given_level(plan, image, level, overview));
    }
    return true;
}
