/* algorithm.cpp: `gdal driver omezarr verify STORE [SOURCE]`, and the same from programs (gdal.Run() in Python).
 * GDAL makes an algorithm when it is asked for; until then it only knows the name. Before GDAL 3.11 there is nothing.
 */
#include "plugin/omezarr.h"

#if OMEZARR_GDAL_AT_LEAST(3, 11)

#include <cstdio>
#include <memory>

#include "cpl_json.h"
#include "gdalalgorithm.h"

#include "plugin/guard.h"
#include "verify/verify.h"

namespace
{

/* The findings as lines of text or as JSON, and what GDAL's progress function is. */
struct Report {
    std::string lines;
    CPLJSONArray list;
    std::string first; /* that is no note */
    bool is_kept = true;
    GDALProgressFunc progress = nullptr;
    void *progress_data = nullptr;
};

void keep_finding(void *user, const char *kind, const char *text)
{
    auto *report = static_cast<Report *>(user);
    report->is_kept =
        report->is_kept && guarded("verify", false, [=] { /* the caller is C */
                                                          const std::string line = std::string(kind) + ": " + text;
                                                          report->lines += line + "\n";
                                                          CPLJSONObject finding;
                                                          finding.Add("kind", kind);
                                                          finding.Add("text", text);
                                                          report->list.Add(finding);
                                                          if (report->first.empty() && !EQUAL(kind, "note"))
                                                              report->first = line;
                                                          return true;
        });
}

int32_t tell_progress(void *user, double share)
{
    const auto *report = static_cast<Report *>(user);
    return report->progress == nullptr || report->progress(share, "", report->progress_data);
}

class VerifyAlgorithm final : public GDALAlgorithm
{
  public:
    static constexpr const char *NAME = "verify";

    VerifyAlgorithm()
        : GDALAlgorithm(NAME, "Tell what is missing, damaged or does not belong to an OME-Zarr store.",
                        "https://ngff.openmicroscopy.org/")
    {
        AddProgressArg();
        AddArg("store", 0, "Store to read, all of it", &m_store).SetPositional().SetRequired();
        AddArg("source", 0, "Raster whose pixels the full size and the mask must have", &m_source, GDAL_OF_RASTER)
            .SetPositional();
        AddArg("output-format", 'f', "Output format", &m_format)
            .AddAlias("of")
            .AddAlias("format")
            .SetChoices("text", "json")
            .SetDefault("text");
        AddOutputStringArg(&m_output);
        /* The program `gdal` sets it, and prints no output string of a run that failed. */
        AddArg("stdout", 0, "Print on stdout; the output string is empty then", &m_stdout).SetHiddenForCLI();
    }

  private:
    bool RunImpl(GDALProgressFunc progress, void *progress_data) override;
    bool run(GDALProgressFunc progress, void *progress_data);
    void give_output(const Report &report, const verification &all, bool is_whole);

    std::string m_store{}, m_format{"text"}, m_output{};
    GDALArgDatasetValue m_source{};
    bool m_stdout = false;
};

void VerifyAlgorithm::give_output(const Report &report, const verification &all, bool is_whole)
{
    std::string text = report.lines;
    if (m_format == "json") {
        CPLJSONObject document;
        document.Add("store", verify_path(m_store.c_str()));
        document.Add("whole", is_whole);
        document.Add("findings", report.list);
        text = document.Format(CPLJSONObject::PrettyFormat::Pretty) + "\n";
    } else if (is_whole) {
        text += std::string(verify_path(m_store.c_str())) + ": " + verify_praise(&all) + "\n";
    }
    if (m_stdout) {
        fputs(text.c_str(), stdout);
        fflush(stdout);
    } else {
        m_output = text;
    }
}

bool VerifyAlgorithm::RunImpl(GDALProgressFunc progress, void *progress_data)
{
    return guarded(m_store.c_str(), false, [=] { return run(progress, progress_data); });
}

bool VerifyAlgorithm::run(GDALProgressFunc progress, void *progress_data)
{
    Report report;
    char message[1200];
    if (!(m_stdout && m_format == "json")) { /* a bar on stdout is no JSON */
        report.progress = progress;
        report.progress_data = progress_data;
    }
    verification all = {m_store.c_str(),
                        GDALDataset::ToHandle(m_source.GetDatasetRef()),
                        nullptr,
                        keep_finding,
                        tell_progress,
                        &report,
                        0,
                        0};
    const int result = verify_store(&all, message, sizeof message);
    if (result == VERIFY_CANCELLED) {
        ReportError(CE_Failure, CPLE_UserInterrupt, "cancelled");
        return false;
    }
    tell_progress(&report, 1); /* ends the line of the bar, also where the pixels were not looked at to the end */
    give_output(report, all, result == VERIFY_WHOLE);
    if (result == VERIFY_UNREADABLE)
        ReportError(CE_Failure, CPLE_OpenFailed, "%s", message[0] ? message : report.first.c_str());
    else if (result == VERIFY_DAMAGED)
        ReportError(CE_Failure, CPLE_AppDefined, "%s is not whole%s%s", verify_path(m_store.c_str()),
                    m_stdout ? "" : ": ", m_stdout ? "" : report.first.c_str());
    return result == VERIFY_WHOLE && report.is_kept;
}

GDALAlgorithm *make_algorithm(const std::vector<std::string> &path)
{
    return guarded<GDALAlgorithm *>("verify", nullptr, [&path]() -> GDALAlgorithm * {
        return path.size() == 1 && path[0] == VerifyAlgorithm::NAME ? new VerifyAlgorithm() : nullptr;
    });
}

} // namespace

void omezarr_declare_algorithms(GDALDriver *driver)
{
    driver->DeclareAlgorithm({VerifyAlgorithm::NAME});
    driver->pfnInstantiateAlgorithm = make_algorithm;
}

#else

void omezarr_declare_algorithms(GDALDriver *)
{
}

#endif
