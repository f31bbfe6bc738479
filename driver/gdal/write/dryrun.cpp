/* dryrun.cpp: see dryrun.h. GDAL's MEM driver would allocate the pixels, and a VRT would be saved at the destination.
 */
#include "write/dryrun.h"

#include <cstring>

class EmptyBand final : public GDALRasterBand
{
  public:
    EmptyBand(GDALDataset *dataset, int number, GDALDataType type, bool is_part) : m_is_part(is_part)
    {
        poDS = dataset;
        nBand = number;
        eDataType = type;
        nBlockXSize = std::min(512, dataset->GetRasterXSize());
        nBlockYSize = std::min(512, dataset->GetRasterYSize());
    }

    CPLErr IReadBlock(int, int, void *pixels) override
    {
        if (m_is_part) {
            CPLError(CE_Failure, CPLE_NotSupported,
                     "The image can be read when all its parts are there and `omezarr finish` has put them together");
            return CE_Failure;
        }
        memset(pixels, 0, static_cast<size_t>(nBlockXSize) * nBlockYSize * GDALGetDataTypeSizeBytes(eDataType));
        return CE_None;
    }

  private:
    const bool m_is_part;
};

class EmptyDataset final : public GDALDataset
{
  public:
    EmptyDataset(GDALDataset *like, bool is_part)
    {
        nRasterXSize = like->GetRasterXSize();
        nRasterYSize = like->GetRasterYSize();
        for (int i = 1; i <= like->GetRasterCount(); i++)
            SetBand(i, new EmptyBand(this, i, like->GetRasterBand(i)->GetRasterDataType(), is_part));
    }
};

GDALDataset *plan_dataset(ngff_plan *plan, GDALDataset *source)
{
    auto *dataset = new EmptyDataset(source, false);
    CPLStringList items;
    items.SetNameValue("LEVELS", CPLSPrintf("%d", ngff_plan_level_count(plan)));
    items.SetNameValue("OBJECTS", CPLSPrintf(CPL_FRMT_GIB, static_cast<GIntBig>(ngff_plan_object_count(plan))));
    items.SetNameValue("RAW_BYTES", CPLSPrintf(CPL_FRMT_GIB, static_cast<GIntBig>(ngff_plan_raw_size(plan))));
    items.SetNameValue("MEMORY", CPLSPrintf(CPL_FRMT_GIB, static_cast<GIntBig>(ngff_plan_memory(plan))));
    items.SetNameValue("THREADS", CPLSPrintf("%d", ngff_plan_thread_count(plan)));
    items.SetNameValue("TEXT", ngff_plan_text(plan));
    dataset->GDALMajorObject::SetMetadata(items.List(), "PLAN");
    return dataset;
}

GDALDataset *part_dataset(ngff_plan *plan, GDALDataset *source)
{
    auto *dataset = new EmptyDataset(source, true);
    CPLStringList items;
    items.SetNameValue("PART", ngff_plan_option(plan, "PART"));
    dataset->GDALMajorObject::SetMetadata(items.List(), "PLAN");
    return dataset;
}
