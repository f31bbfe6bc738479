/* omezarrcore.cpp: the driver's face to GDAL: registration, metadata, identification. Everything here is cheap, because
 * it runs in every GDAL program on the machine, before any other driver is asked. */
#include "omezarr.h"

#include <algorithm>
#include <memory>

#include "guard.h"
#include "ngff.h"

/* -- Names ----------------------------------------------------------------------------------------------------- */

static bool is_metadata_file(const char *base_name)
{
    return EQUAL(base_name, "zarr.json") || EQUAL(base_name, ".zattrs") || EQUAL(base_name, ".zgroup") ||
           EQUAL(base_name, ".zmetadata");
}

static const char *base_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
#ifdef _WIN32
    if (const char *backslash = strrchr(slash != nullptr ? slash : path, '\\'))
        slash = backslash;
#endif
    return slash != nullptr ? slash + 1 : path;
}

std::string omezarr_root(const char *name)
{
    if (STARTS_WITH_CI(name, connection_prefix))
        name += strlen(connection_prefix);
    std::string root(name);
    if (root.size() > 2 && root.front() == '"' && root.back() == '"')
        root = root.substr(1, root.size() - 2);
    const char *base_name = base_name_of(root.c_str());
    if (is_metadata_file(base_name))
        root.resize(root.size() - strlen(base_name));
    while (root.size() > 1 && (root.back() == '/' || root.back() == '\\'))
        root.pop_back();
    return root.empty() ? "." : root;
}

bool omezarr_is_archive_name(const std::string &path)
{
    static const std::string suffix(".ozx");
    return path.size() > suffix.size() && EQUAL(path.c_str() + path.size() - suffix.size(), suffix.c_str());
}

bool omezarr_is_archive(const std::string &path)
{
    VSIStatBufL status;
    return omezarr_is_archive_name(path) &&
           VSIStatExL(path.c_str(), &status, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) == 0 &&
           !VSI_ISDIR(status.st_mode);
}

/* In braces, because GDAL finds the end of other names by suffixes such as .zip. */
std::string omezarr_place(const std::string &root)
{
    return omezarr_is_archive(root) ? "/vsizip/{" + root + "}" : root;
}

/* -- Identification -------------------------------------------------------------------------------------------- */

/* The beginning of a metadata document, "" if it is not there. Consolidated metadata can make the root large, but the
 * attributes of the root stand within the first part of it. */
static std::string read_text(const std::string &path)
{
    constexpr size_t most = 4 << 20;
    std::string text;
    VSILFILE *file = VSIFOpenL(path.c_str(), "rb");
    if (file == nullptr)
        return text;
    for (size_t step = 16 << 10; text.size() < most; step *= 4) {
        const size_t before = text.size();
        text.resize(before + step);
        const size_t got = VSIFReadL(&text[before], 1, step, file);
        text.resize(before + got);
        if (got < step)
            break;
    }
    VSIFCloseL(file);
    return text;
}

static bool has_word(const std::string &text, const char *word)
{
    return text.find(word) != std::string::npos;
}

/* Images, and the collections of core/model/parts.h. In Zarr v2 the words stand alone, so each needs a second one. */
bool omezarr_is_image(const std::string &root)
{
    static const char *const v3_words[] = {"\"multiscales\"", "\"plate\"", "\"well\"", "\"bioformats2raw.layout\"",
                                           "\"labels\""};
    static const char *const v2_words[][2] = {{"\"multiscales\"", "\"datasets\""},
                                              {"\"plate\"", "\"wells\""},
                                              {"\"well\"", "\"images\""},
                                              {"\"bioformats2raw.layout\"", "3"}};
    const std::string place = omezarr_place(root);
    const std::string v3 = read_text(place + "/zarr.json");
    if (!v3.empty())
        return has_word(v3, "\"ome\"") && std::any_of(std::begin(v3_words), std::end(v3_words),
                                                      [&v3](const char *word) { return has_word(v3, word); });
    const std::string v2 = read_text(place + "/.zattrs");
    return std::any_of(std::begin(v2_words), std::end(v2_words),
                       [&v2](const char *const *pair) { return has_word(v2, pair[0]) && has_word(v2, pair[1]); });
}

/* By name and first bytes alone: what the zip holds is looked at when it is opened. */
static bool begins_as_archive(const GDALOpenInfo *info)
{
    return !info->bIsDirectory && omezarr_is_archive_name(info->pszFilename) && info->nHeaderBytes >= 4 &&
           memcmp(info->pabyHeader, "PK\3\4", 4) == 0;
}

bool omezarr_is_ours(GDALOpenInfo *info)
{
    if (STARTS_WITH_CI(info->pszFilename, connection_prefix))
        return true;
    const bool is_file = begins_as_archive(info);
    if (!is_file && !info->bIsDirectory && !is_metadata_file(base_name_of(info->pszFilename)))
        return false;
    if (EQUAL(CPLGetConfigOption("OMEZARR_IDENTIFY", "AUTO"), "PREFIX_ONLY"))
        return false;
    return is_file || omezarr_is_image(omezarr_root(info->pszFilename));
}

int omezarr_identify(GDALOpenInfo *info)
{
#if !OMEZARR_GDAL_AT_LEAST(3, 9)
    /* Before every Create and CreateCopy, of any driver, GDAL deletes a file at the destination that somebody
     * identifies, and the driver cannot see who asks for the deletion. But it sees who asks whose file it is: readers
     * say what they want to open, those who delete do not. */
    if (info->nOpenFlags == 0 && begins_as_archive(info))
        return FALSE;
#endif
    return omezarr_is_ours(info);
}

/* -- Driver ---------------------------------------------------------------------------------------------------- */

/* How often GDAL has asked this thread for the delete callback since it was last called. */
static thread_local int times_asked = 0;

/* GDAL deletes what it finds at a destination before every Create and CreateCopy of any driver (files always, folders
 * from 3.11 on), and ignores the result. That would destroy the old store before a single option is checked, so this
 * quiet deletion must do nothing, while GDALDeleteDataset() must delete. The two differ in one way that holds from 3.9
 * to 3.13.3: GDALDriver::Delete() asks GetDeleteCallback() once and calls the result at once; QuietDelete() asks for it
 * itself first, so that the callback is called after two questions. The quiet deletion is answered with a failure that
 * nobody hears; replacing an old store is OVERWRITE=YES's business, inside CreateCopy. Before 3.11, folders are never
 * deleted quietly. */
static CPLErr delete_if_asked_once(const char *name)
{
    const bool is_quiet = times_asked > 1;
    times_asked = 0;
    return is_quiet ? CE_Failure : guarded(name, CE_Failure, [name] { return omezarr_delete(name); });
}

class OmeZarrDriver final : public GDALDriver
{
  public:
#if OMEZARR_GDAL_AT_LEAST(3, 9)
    DeleteCallback GetDeleteCallback() override
    {
        times_asked++;
        return delete_if_asked_once;
    }
#endif
};

/* What GDAL calls: the driver's functions, out of which no exception may come. */
static int identify_guarded(GDALOpenInfo *info)
{
    return guarded(info->pszFilename, 0, [info] { return omezarr_identify(info); });
}

static GDALDataset *open_guarded(GDALOpenInfo *info)
{
    return guarded<GDALDataset *>(info->pszFilename, nullptr, [info] { return omezarr_open(info); });
}

static GDALDataset *create_guarded(const char *name, int width, int height, int n_bands, GDALDataType type,
                                   StringListIn options)
{
    return guarded<GDALDataset *>(name, nullptr,
                                  [=] { return omezarr_create(name, width, height, n_bands, type, options); });
}

static GDALDataset *create_copy_guarded(const char *name, GDALDataset *source, int strict, StringListIn options,
                                        GDALProgressFunc progress, void *progress_data)
{
    return guarded<GDALDataset *>(
        name, nullptr, [=] { return omezarr_create_copy(name, source, strict, options, progress, progress_data); });
}

static CPLErr rename_guarded(const char *new_name, const char *old_name)
{
    return guarded(old_name, CE_Failure, [=] { return omezarr_rename(new_name, old_name); });
}

static CPLErr copy_files_guarded(const char *new_name, const char *old_name)
{
    return guarded(old_name, CE_Failure, [=] { return omezarr_copy_files(new_name, old_name); });
}

/* One option a line. */
static const char open_options[] =
    "<OpenOptionList>"
    "<Option name='NUM_THREADS' type='string' default='ALL_CPUS' description='Threads that decode chunks, the caller "
    "included: a number, or ALL_CPUS. Without it GDAL_NUM_THREADS counts'/>"
    "<Option name='T' type='string' description='Index, or range a-b, of the planes on axis t'/>"
    "<Option name='Z' type='string' description='Index, or range a-b, of the planes on axis z'/>"
    "<Option name='C' type='string' description='Index, or range a-b, of the planes on the channel axis'/>"
    "<Option name='MAX_METADATA' type='string' default='16MB' description='Largest metadata document to read'/>"
    "<Option name='MAX_CHUNK' type='string' default='256MB' description='Largest decoded chunk to read'/>"
    "<Option name='MISSING_CHUNKS' type='string-select' default='AUTO' description='What a chunk that is not there "
    "means. AUTO: an error if the store records it as stored, else fill; ERROR: fill only if the store records it as "
    "empty; FILL: always fill'>"
    "<Value>AUTO</Value><Value>ERROR</Value><Value>FILL</Value></Option>"
    "</OpenOptionList>";

static void describe_driver(GDALDriver *driver)
{
    driver->SetDescription("OMEZARR");
    driver->SetMetadataItem(GDAL_DMD_LONGNAME, "OME-Zarr (NGFF)");
    driver->SetMetadataItem(GDAL_DMD_EXTENSION, "ozx");
    driver->SetMetadataItem(GDAL_DMD_EXTENSIONS, "ozx ome.zarr");
    driver->SetMetadataItem(GDAL_DMD_CONNECTION_PREFIX, connection_prefix);
    driver->SetMetadataItem(GDAL_DMD_HELPTOPIC, "https://ngff.openmicroscopy.org/");
    driver->SetMetadataItem(GDAL_DCAP_RASTER, "YES");
    driver->SetMetadataItem(GDAL_DCAP_OPEN, "YES");
    driver->SetMetadataItem(GDAL_DCAP_CREATE, "YES");
    driver->SetMetadataItem(GDAL_DCAP_CREATECOPY, "YES");
#if OMEZARR_GDAL_AT_LEAST(3, 12)
    driver->SetMetadataItem(GDAL_DCAP_CREATE_ONLY_VISIBLE_AT_CLOSE_TIME, "YES");
#endif
    driver->SetMetadataItem(GDAL_DCAP_VIRTUALIO, "YES");
    driver->SetMetadataItem(GDAL_DMD_CREATIONDATATYPES, "Byte"
#if OMEZARR_GDAL_AT_LEAST(3, 7)
                                                        " Int8"
#endif
                                                        " UInt16 Int16 UInt32 Int32 UInt64 Int64"
#if OMEZARR_GDAL_AT_LEAST(3, 11)
                                                        " Float16"
#endif
                                                        " Float32 Float64 CFloat32 CFloat64");
    if (char *options = ngff_options_text("gdal")) {
        driver->SetMetadataItem(GDAL_DMD_CREATIONOPTIONLIST, options);
        ngff_string_free(options);
    }
    driver->SetMetadataItem(GDAL_DMD_OPENOPTIONLIST, open_options);
    driver->SetMetadataItem(GDAL_DMD_SUBDATASETS, "YES");
    driver->pfnIdentify = identify_guarded;
    driver->pfnOpen = open_guarded;
    driver->pfnCreate = create_guarded;
    driver->pfnCreateCopy = create_copy_guarded;
    driver->pfnDelete = delete_if_asked_once;
    driver->pfnRename = rename_guarded;
    driver->pfnCopyFiles = copy_files_guarded;
    omezarr_declare_algorithms(driver);
}

/* GDAL looks this name up in gdal_OMEZARR.so. */
#ifdef __GNUC__ // CPL_DLL is empty where GDAL itself was built with all its symbols visible, and ours are hidden
#define ENTRY_POINT __attribute__((visibility("default")))
#else
#define ENTRY_POINT CPL_DLL
#endif
extern "C" ENTRY_POINT void GDALRegister_OMEZARR(void);

void GDALRegister_OMEZARR(void)
{
    if (!GDAL_CHECK_VERSION("OMEZARR") || GDALGetDriverByName("OMEZARR") != nullptr)
        return;
    guarded("OMEZARR", 0, [] {
        auto driver = std::make_unique<OmeZarrDriver>();
        describe_driver(driver.get());
        return GetGDALDriverManager()->RegisterDriver(driver.release());
    });
}
