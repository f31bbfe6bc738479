/* plan.cpp: see plan.h. */
#include "write/plan.h"

#include <algorithm>

#include "describe/json_text.h"
#include "open/subdatasets.h"
#include "plugin/threads.h"

CPLStringList own_options(CSLConstList options)
{
    static const char *const of_gdal[] = {"QUIET_DELETE_ON_CREATE_COPY", "APPEND_SUBDATASET"};
    const bool interleave_is_gdals = CSLFetchNameValue(options, "@INTERLEAVE_ADDED_AUTOMATICALLY") != nullptr;
    CPLStringList own;
    for (int i = 0; options != nullptr && options[i] != nullptr; i++) {
        const char *option = options[i];
        const char *equals = strchr(option, '=');
        const std::string name = equals != nullptr ? std::string(option, equals) : std::string(option);
        const bool is_gdals = *option == '@' || *option == '_' ||
                              (interleave_is_gdals && EQUAL(name.c_str(), "INTERLEAVE")) ||
                              std::any_of(std::begin(of_gdal), std::end(of_gdal),
                                          [&name](const char *gdals) { return EQUAL(name.c_str(), gdals); });
        /* GDAL has warned of what its list of our options does not have; of a slip core says what is meant. */
        if (!is_gdals && (equals == nullptr || ngff_options_know(name.c_str())))
            own.AddString(option);
    }
    if (own.FetchNameValue("NUM_THREADS") == nullptr)
        own.SetNameValue("NUM_THREADS", configured_threads());
    return own;
}

bool is_whole_store(const char *name)
{
    const StoreName store(name);
    if (store.part.empty() && !store.has_planes())
        return true;
    CPLError(CE_Failure, CPLE_IllegalArg,
             "%s names a part of a store; only whole stores can be created: give the path %s", name,
             store.root.c_str());
    return false;
}

void raise(int32_t status, const char *message)
{
    const CPLErrorNum number = status == NGFF_E_MEMORY                                  ? CPLE_OutOfMemory
                               : status == NGFF_E_OPTION || status == NGFF_E_ARGUMENT   ? CPLE_IllegalArg
                               : status == NGFF_E_UNSUPPORTED                           ? CPLE_NotSupported
                               : status == NGFF_E_STORAGE || status == NGFF_E_NOT_FOUND ? CPLE_FileIO
                                                                                        : CPLE_AppDefined;
    CPLError(CE_Failure, number, "%s", message);
}

Plan make_plan(const ImageFromSource &image, const CPLStringList &options, const std::string &name)
{
    Plan plan(ngff_plan_create(image.image.get(), options.List()));
    for (size_t i = 0; plan && i < image.losses.size(); i++)
        ngff_plan_add_loss(plan.get(), JsonText::as_utf8(image.losses[i].c_str()).c_str());
    if (!plan || ngff_plan_status(plan.get()) != NGFF_OK) {
        const std::string problem = plan ? ngff_plan_error(plan.get()) : "Out of memory";
        raise(plan ? ngff_plan_status(plan.get()) : NGFF_E_MEMORY,
              (name.empty() ? problem : name + ": " + problem).c_str());
        return nullptr;
    }
    CPLDebug("OMEZARR", "%s: %d levels, %d threads, up to %.1f MiB of memory", name.c_str(),
             ngff_plan_level_count(plan.get()), ngff_plan_thread_count(plan.get()),
             static_cast<double>(ngff_plan_memory(plan.get())) / (1 << 20));
    return plan;
}

std::vector<std::string> warnings_of(ngff_plan *plan, const ImageFromSource &image)
{
    std::vector<std::string> warnings;
    for (int i = 0; ngff_plan_warning(plan, i) != nullptr; i++)
        warnings.emplace_back(ngff_plan_warning(plan, i));
    if (!image.mixed.empty() && ngff_plan_level_count(plan) > 1)
        warnings.push_back(image.mixed);
    return warnings;
}

void raise_warnings(ngff_plan *plan, const ImageFromSource &image)
{
    for (const std::string &warning : warnings_of(plan, image))
        CPLError(CE_Warning, CPLE_AppDefined, "%s", warning.c_str());
}

void raise_warning(const ngff_writer *writer)
{
    if (ngff_writer_warning(writer) != nullptr)
        CPLError(CE_Warning, CPLE_FileIO, "%s", ngff_writer_warning(writer));
}

Writer checked_writer(ngff_writer *made)
{
    Writer writer(made);
    if (writer && ngff_writer_status(writer.get()) == NGFF_OK)
        return writer;
    const std::string message = writer ? ngff_writer_error(writer.get()) : "Out of memory";
    const int32_t status = writer ? ngff_writer_status(writer.get()) : NGFF_E_MEMORY;
    writer.reset();
    raise(status, message.c_str());
    return nullptr;
}

void remove_side_file(const std::string &root)
{
    const std::string side_file = root + ".aux.xml";
    VSIStatBufL status;
    if (VSIStatExL(side_file.c_str(), &status, VSI_STAT_EXISTS_FLAG) == 0)
        VSIUnlink(side_file.c_str());
}
