/* driver.cpp: the driver's face to GDAL: registration, metadata, identification. Everything here is cheap, because
 * it runs in every GDAL program on the machine, before any other driver is asked. */
#include "plugin/omezarr.h"

#include <algorithm>
#include <memory>

#include "plugin/guard.h"
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

static bool is_web_address(const std::string &name)
{
    return STARTS_WITH_CI(name.c_str(), "http://") || STARTS_WITH_CI(name.c_str(), "https://");
}

static bool ends_with(const std::string &text, const char *suffix)
{
    const size_t n = strlen(suffix);
    return text.size() > n && EQUAL(text.c_str() + text.size() - n, suffix);
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
    if (is_web_address(root))
        root.insert(0, "/vsicurl/");
    return root.empty() ? "." : root;
}

bool omezarr_is_on_server(const std::string &root)
{
    static const char *const places[] = {"/vsicurl/", "/vsicurl?", "/vsis3/",    "/vsigs/",     "/vsiaz/",
                                         "/vsiadls/", "/vsioss/",  "/vsiswift/", "/vsiwebhdfs/"};
    return std::any_of(std::begin(places), std::end(places),
                       [&root](const char *place) { return STARTS_WITH(root.c_str(), place); });
}

bool omezarr_is_archive_name(const std::string &path)
{
    return ends_with(path, ".ozx");
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

bool omezarr_is_image(const std::string &root)
{
    return ngff_identify(root.c_str()) == 1;
}

/* By name and first bytes alone: what the zip holds is looked at when it is opened. */
static bool begins_as_archive(const GDALOpenInfo *info)
{
    return !info->bIsDirectory && omezarr_is_archive_name(info->pszFilename) && info->nHeaderBytes >= 4 &&
           memcmp(info->pabyHeader, "PK\3\4", 4) == 0;
}

/* Servers mostly do not list folders, and GDAL then takes a folder for nothing: there the name has to do. */
static bool is_store_on_server(const GDALOpenInfo *info)
{
    if (info->bIsDirectory)
        return false;
    const std::string root = omezarr_root(info->pszFilename);
    return omezarr_is_on_server(root) && ends_with(root, ".zarr");
}

#if !OMEZARR_GDAL_AT_LEAST(3, 9)
/* OMEZARR:"path":labels/cells, or of an image beside others "path":0/labels/cells, which can be written to. */
static bool is_label_name(GDALOpenInfo *info)
{
    const char *part = strstr(info->pszFilename, "\":");
    return STARTS_WITH_CI(info->pszFilename, connection_prefix) && part != nullptr &&
           (STARTS_WITH(part + 2, "labels/") || strstr(part, "/labels/") != nullptr);
}
#endif

enum class Look { other, ours, refused };

/* A server that refuses x.ome.zarr is not asked by any other driver: who opens that is told why. */
static Look look_at(GDALOpenInfo *info)
{
    if (STARTS_WITH_CI(info->pszFilename, connection_prefix))
        return Look::ours;
    const bool is_file = begins_as_archive(info), is_on_server = is_store_on_server(info);
    if (!is_file && !info->bIsDirectory && !is_metadata_file(base_name_of(info->pszFilename)) && !is_on_server)
        return Look::other;
    if (EQUAL(CPLGetConfigOption("OMEZARR_IDENTIFY", "AUTO"), "PREFIX_ONLY")) {
        CPLDebug("OMEZARR", "%s is left to other drivers: OMEZARR_IDENTIFY=PREFIX_ONLY", info->pszFilename);
        return Look::other;
    }
    if (is_file)
        return Look::ours;
    const std::string root = omezarr_root(info->pszFilename);
    const int32_t found = ngff_identify(root.c_str());
    if (found == 1)
        return Look::ours;
    CPLDebug("OMEZARR", "%s: %s", root.c_str(),
             found < 0 ? "its metadata cannot be read" : "a folder without metadata of NGFF");
    return found < 0 && is_on_server && ends_with(root, ".ome.zarr") ? Look::refused : Look::other;
}

/* GDAL asks Identify and then Open, one right after the other with the same GDALOpenInfo: the documents are looked at
 * once. The answer serves once, so that it cannot become old. */
static thread_local struct {
    const GDALOpenInfo *info;
    char name[1024]; /* no destructor may run after the driver is gone */
    Look look;
} last_look;

bool omezarr_is_opened(GDALOpenInfo *info)
{
    const bool is_known = last_look.info == info && strcmp(last_look.name, info->pszFilename) == 0;
    last_look.info = nullptr;
    return (is_known ? last_look.look : look_at(info)) != Look::other;
}

int omezarr_identify(GDALOpenInfo *info)
{
#if !OMEZARR_GDAL_AT_LEAST(3, 9)
    /* Before every Create and CreateCopy, of any driver, GDAL deletes a file at the destination that somebody
     * identifies, and the driver cannot see who asks for the deletion. But it sees who asks whose file it is: readers
     * say what they want to open, those who delete do not. */
    if (info->nOpenFlags == 0 && (begins_as_archive(info) || is_store_on_server(info) || is_label_name(info)))
        return FALSE;
#endif
    const Look look = look_at(info);
    last_look.info = strlen(info->pszFilename) < sizeof last_look.name ? info : nullptr;
    CPLStrlcpy(last_look.name, info->pszFilename, sizeof last_look.name);
    last_look.look = look;
    return look == Look::ours;
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
    if (is_quiet)
        CPLDebug("OMEZARR", "%s is not deleted quietly: OVERWRITE=YES replaces it when the new store is whole", name);
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
    driver->SetMetadataItem(GDAL_DMD_HELPTOPIC, OMEZARR_HELP);
    driver->SetMetadataItem(GDAL_DCAP_RASTER, "YES");
    driver->SetMetadataItem(GDAL_DCAP_MULTIDIM_RASTER, "YES");
    driver->SetMetadataItem(GDAL_DCAP_OPEN, "YES");
    driver->SetMetadataItem(GDAL_DCAP_CREATE, "YES");
    driver->SetMetadataItem(GDAL_DCAP_CREATECOPY, "YES");
    /* Both, because gdal mdim convert asks for the first alone. CreateCopy gets what is then written; there is no
     * CreateMultiDimensional(), since arrays that come one by one are no image. */
    driver->SetMetadataItem(GDAL_DCAP_CREATE_MULTIDIMENSIONAL, "YES");
    driver->SetMetadataItem(GDAL_DCAP_CREATECOPY_MULTIDIMENSIONAL, "YES");
#if OMEZARR_GDAL_AT_LEAST(3, 12)
    driver->SetMetadataItem(GDAL_DCAP_CREATE_ONLY_VISIBLE_AT_CLOSE_TIME, "YES");
#endif
    driver->SetMetadataItem(GDAL_DCAP_VIRTUALIO, "YES");
    driver->SetMetadataItem(GDAL_DCAP_COORDINATE_EPOCH, "YES");
#if OMEZARR_GDAL_AT_LEAST(3, 11)
    driver->SetMetadataItem(GDAL_DCAP_UPDATE, "YES");
    driver->SetMetadataItem(
        GDAL_DMD_UPDATE_ITEMS,
        "GeoTransform SRS GCPs NoData ColorInterpretation RasterValues DatasetMetadata BandMetadata");
#endif
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
