/* series.cpp: see series.h. */
#include "write/series.h"

#include <memory>

#include "plugin/guard.h"
#include "open/raster.h"
#include "source/stack/stackdataset.h"

static std::vector<std::string> images_of_file(const StackFiles &files, int own)
{
    std::vector<std::string> names;
    for (int i = 0; i < static_cast<int>(files.description.images.size()); i++)
        if (i != own)
            names.emplace_back(CPLSPrintf("OMEZARR:\"%s\":#%d", files.description.files[0].c_str(), i));
    return names;
}

static std::vector<std::string> images_of_store(const OmeZarrDataset &image)
{
    std::vector<std::string> names;
    const std::unique_ptr<ngff_reader, void (*)(ngff_reader *)> list(
        ngff_reader_open_part(image.root().c_str(), nullptr, nullptr), ngff_reader_free);
    const bool is_list = list && ngff_reader_status(list.get()) == NGFF_OK && ngff_reader_level_count(list.get()) == 0;
    for (int i = 0; is_list && i < ngff_reader_part_count(list.get()); i++) {
        StoreName name;
        name.root = image.root();
        name.part = ngff_reader_part_path(list.get(), i);
        if (name.part != image.group())
            names.push_back(name.text());
    }
    return names;
}

std::vector<std::string> further_images(GDALDataset *image)
{
    if (const auto *stack = dynamic_cast<StackDataset *>(image))
        return images_of_file(*stack->stack().files, stack->stack().image);
    if (const auto *stored = dynamic_cast<OmeZarrDataset *>(image))
        return stored->series() < 0 ? std::vector<std::string>() : images_of_store(*stored);
    GDALDriver *driver = image->GetDriver();
    if (driver == nullptr || !EQUAL(driver->GetDescription(), "GTiff") ||
        STARTS_WITH_CI(image->GetDescription(), "GTIFF_"))
        return {};
    const QuietErrors quiet; /* one page, of which no stack was worth making */
    const auto files = read_stack(image->GetDescription());
    return files ? images_of_file(*files, 0) : std::vector<std::string>();
}
