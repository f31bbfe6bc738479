/* labelcopies.cpp: see labelcopies.h. Each is added to the new store as any label image is. */
#include "labelcopies.h"

#include <memory>
#include <vector>

#include "guard.h"
#include "ngffsource.h"
#include "omezarr.h"
#include "omezarrdataset.h"

/* Names of the label images beside the image that a dataset is, as subdatasets. */
static std::vector<std::string> labels_beside(GDALDataset *image)
{
    std::vector<std::string> names;
    const CPLStringList items(CSLDuplicate(const_cast<char **>(image->GetMetadata("SUBDATASETS"))));
    for (int i = 1;; i++) {
        const std::string key = "SUBDATASET_" + std::to_string(i);
        const char *name = items.FetchNameValue((key + "_NAME").c_str());
        const char *title = items.FetchNameValue((key + "_DESC").c_str());
        if (name == nullptr || title == nullptr)
            return names;
        if (STARTS_WITH(title, "label ") && strstr(name, "labels/") != nullptr)
            names.emplace_back(name);
    }
}

/* Of the options of the image, those that are as true of its labels. */
static CPLStringList options_of_label(CSLConstList options)
{
    CPLStringList own;
    for (const char *name : {"NUM_THREADS", "MEMORY", "SYNC", "VERIFY", "COMPRESS", "CHECKSUM", "COPY_SRC_MDD"})
        if (const char *value = CSLFetchNameValue(options, name))
            own.SetNameValue(name, value);
    return own;
}

/* True for what says that a label image is not one that can lie beside this image. */
static bool is_misfit(CPLErrorNum number)
{
    return number == CPLE_IllegalArg || number == CPLE_NotSupported;
}

bool copy_labels(GDALDataset *source, const std::string &root, int strict, CSLConstList options)
{
    const NgffSource store(source, false);
    GDALDataset *image = store.image();
    const std::vector<std::string> names = image != nullptr ? labels_beside(image) : std::vector<std::string>();
    const bool may_travel = image == source && !omezarr_is_archive_name(root);
    size_t n_left = may_travel ? 0 : names.size();
    std::string reason =
        image != source ? "only a copy of the whole image, without a window, another size or a VRT, takes them along"
                        : "a store in one file (.ozx) is not added to; copy to a folder";
    for (size_t i = 0; may_travel && i < names.size(); i++) {
        const char *const drivers[] = {"OMEZARR", nullptr};
        const std::string place =
            std::string(connection_prefix) + "\"" + root + "\":" + strstr(names[i].c_str(), "labels/");
        CPLStringList own = options_of_label(options);
        std::string message;
        CPLErrorNum number = CPLE_None;
        {
            const QuietErrors quiet;
            CPLErrorReset();
            const std::unique_ptr<GDALDataset> label(
                GDALDataset::Open(names[i].c_str(), GDAL_OF_RASTER, drivers, nullptr, nullptr));
            const std::unique_ptr<GDALDataset> made(
                label ? omezarr_create_copy(place.c_str(), label.get(), strict, own.List(), nullptr, nullptr)
                      : nullptr);
            if (!made) {
                message = CPLGetLastErrorMsg();
                number = CPLGetLastErrorNo();
            }
        }
        if (!message.empty() && !is_misfit(number)) {
            CPLError(CE_Failure, CPLE_AppDefined, "%s: the image is whole, but its label image could not be copied: %s",
                     place.c_str(), message.c_str());
            return false;
        }
        if (!message.empty() && n_left++ == 0)
            reason = message;
    }
    if (n_left > 0)
        CPLError(CE_Warning, CPLE_AppDefined, "%d label image%s of the source %s not copied: %s",
                 static_cast<int>(n_left), n_left > 1 ? "s" : "", n_left > 1 ? "are" : "is", reason.c_str());
    return true;
}
