/* plan.h: what CreateCopy and Create have in common: the user's options, the plan, the writer, and how their errors
 * become GDAL's. */
#ifndef OMEZARR_WRITE_PLAN_H
#define OMEZARR_WRITE_PLAN_H

#include <memory>
#include <string>

#include "describe/image.h"

struct PlanReleaser {
    void operator()(ngff_plan *plan) const
    {
        ngff_plan_free(plan);
    }
};
struct WriterReleaser {
    void operator()(ngff_writer *writer) const
    {
        ngff_writer_free(writer);
    }
};
using Plan = std::unique_ptr<ngff_plan, PlanReleaser>;
using Writer = std::unique_ptr<ngff_writer, WriterReleaser>;

/* False, with an error, for a name such as OMEZARR:"path":1, at which no store can be made. */
bool is_whole_store(const char *name);

/* The user's options without those that GDAL adds, that are for GDAL itself, or that nobody here knows. */
CPLStringList own_options(CSLConstList options);

/* Raises an error of the core. */
void raise(int32_t status, const char *message);

/* NULL, with an error, which begins with the name if there is one, if there is none. */
Plan make_plan(const ImageFromSource &image, const CPLStringList &options, const std::string &name = "");
std::vector<std::string> warnings_of(ngff_plan *plan, const ImageFromSource &image);
void raise_warnings(ngff_plan *plan, const ImageFromSource &image);
/* What did not go well beside a run that succeeded. */
void raise_warning(const ngff_writer *writer);

/* A writer, or NULL with its error raised. */
Writer checked_writer(ngff_writer *writer);

/* A side file (.aux.xml) of the store that was here before would speak of other pixels. */
void remove_side_file(const std::string &root);

#endif
