/* label_copies.cpp: see label_copies.h. */
#include "write/label_copies.h"

#include "source/ngff_source.h"

TravellingLabels labels_beside(GDALDataset *source)
{
    TravellingLabels labels;
    const NgffSource store(source, false);
    GDALDataset *image = store.image();
    const CPLStringList items(image != nullptr ? CSLDuplicate(const_cast<char **>(image->GetMetadata("SUBDATASETS")))
                                               : nullptr);
    for (int i = 1;; i++) {
        const std::string key = "SUBDATASET_" + std::to_string(i);
        const char *name = items.FetchNameValue((key + "_NAME").c_str());
        const char *title = items.FetchNameValue((key + "_DESC").c_str());
        if (name == nullptr || title == nullptr)
            break;
        if (STARTS_WITH(title, "label ") && strstr(name, "labels/") != nullptr)
            labels.names.emplace_back(name);
    }
    if (image == source)
        return labels;
    labels.n_left = labels.names.size();
    labels.names.clear();
    labels.reason = "only a copy of the whole image, without a window, another size or a VRT, takes them along";
    return labels;
}

CPLStringList options_of_label(CSLConstList options)
{
    CPLStringList own;
    own.SetNameValue("LABELS", "YES");
    for (const char *name : {"NUM_THREADS", "MEMORY", "SYNC", "VERIFY", "COMPRESS", "CHECKSUM", "COPY_SRC_MDD"})
        if (const char *value = CSLFetchNameValue(options, name))
            own.SetNameValue(name, value);
    return own;
}
