/* manage.cpp: delete, rename and copy a store. A store is a folder, or an archive, that may hold a user's other
 * files too, so first all of it is listed and every file is judged: metadata documents by their name, chunks by their
 * key below a folder that has array metadata. One foreign file or symbolic link, and nothing is touched. The root's
 * metadata goes first when deleting and comes last when copying: what is half done does not open. */
#include "plugin/omezarr.h"

#include <algorithm>
#include <ctime>
#include <mutex>
#include <set>
#include <vector>

#include "ngff.h"
#include "open/subdatasets.h"
#ifndef _WIN32
#include <sys/stat.h>
#endif

struct StoreTree {
    std::vector<std::string> folders{}; /* below the root, parents first */
    std::vector<std::string> files{};   /* below the root */
};

static std::string base_of(const std::string &path)
{
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

static std::string parent_of(const std::string &path)
{
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

static bool is_document(const std::string &path)
{
    static const char *const names[] = {"zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata", ".omezarr-dirty"};
    const std::string base = base_of(path);
    return std::any_of(std::begin(names), std::end(names), [&base](const char *name) { return base == name; }) ||
           path == "OME/METADATA.ome.xml";
}

/* "0", "12", "3.0.1" and the "c" of Zarr v3. */
static bool is_key_part(const std::string &part)
{
    return part == "c" || (!part.empty() && part.find_first_not_of("0123456789.") == std::string::npos &&
                           part.front() != '.' && part.back() != '.');
}

static bool is_chunk(const std::string &path, const std::set<std::string> &described_folders)
{
    std::string folder = path;
    while (is_key_part(base_of(folder))) {
        folder = parent_of(folder);
        if (described_folders.count(folder) != 0)
            return true;
        if (folder.empty())
            break;
    }
    return false;
}

static bool is_symbolic_link(const std::string &path)
{
#ifndef _WIN32
    struct stat status;
    return !STARTS_WITH(path.c_str(), "/vsi") && lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
#else
    (void)path;
    return false;
#endif
}

/* Lists a store; false, with an error, if it is none or if something in it does not belong to it. */
static bool list_store(const std::string &root, StoreTree *tree)
{
    if (!omezarr_is_image(root)) {
        CPLError(CE_Failure, CPLE_AppDefined, "%s is not an OME-Zarr image", root.c_str());
        return false;
    }
    std::vector<std::string> links;
    std::set<std::string> described;
    if (is_symbolic_link(root))
        links.push_back(root);
    const std::string place = omezarr_place(root);
    VSIDIR *dir = VSIOpenDir(place.c_str(), -1, nullptr);
    if (dir == nullptr) {
        CPLError(CE_Failure, CPLE_FileIO, "%s cannot be listed", root.c_str());
        return false;
    }
    while (const VSIDIREntry *entry = VSIGetNextDirEntry(dir)) {
        std::string path(entry->pszName);
        std::replace(path.begin(), path.end(), '\\', '/');
        while (!path.empty() && path.back() == '/')
            path.pop_back();
        if (is_symbolic_link(place + "/" + path))
            links.push_back(path);
        (VSI_ISDIR(entry->nMode) ? tree->folders : tree->files).push_back(path);
        if (is_document(path))
            described.insert(parent_of(path));
    }
    VSICloseDir(dir);
    std::sort(tree->folders.begin(), tree->folders.end());

    auto is_foreign = [&described](const std::string &path) {
        return !is_document(path) && !is_chunk(path, described);
    };
    const auto foreign = std::find_if(tree->files.begin(), tree->files.end(), is_foreign);
    if (links.empty() && foreign == tree->files.end())
        return true;
    CPLError(CE_Failure, CPLE_NotSupported,
             "%s holds something that is no part of an OME-Zarr, %s: nothing was touched", root.c_str(),
             links.empty() ? foreign->c_str() : links.front().c_str());
    return false;
}

static bool is_root_document(const std::string &path)
{
    return path.find('/') == std::string::npos && is_document(path);
}

static bool exists(const std::string &path)
{
    VSIStatBufL status;
    return VSIStatExL(path.c_str(), &status, VSI_STAT_EXISTS_FLAG) == 0;
}

#if OMEZARR_GDAL_AT_LEAST(3, 9) || defined(_WIN32)
void omezarr_note_published(const std::string &)
{
}
static bool has_just_come(const std::string &)
{
    return false;
}
#else
/* Before CreateCopy and Create GDAL looks whether something is there, takes nothing for something to be replaced
 * quietly, and then deletes what it finds: a store that another program has published in between. From 3.9 on the
 * driver sees who asks; before, such a store is known by its age. */
static std::mutex published_lock;
static std::set<std::string> published; /* by this process, which may delete them at once */

void omezarr_note_published(const std::string &root)
{
    const std::lock_guard<std::mutex> hold(published_lock);
    published.insert(root);
}

static bool has_just_come(const std::string &root)
{
    constexpr double shortest = 0.01; /* seconds; no program starts and deletes in less */
    struct stat folder;
    struct timespec now;
    const std::lock_guard<std::mutex> hold(published_lock);
    if (published.count(root) > 0 || stat(root.c_str(), &folder) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
        return false;
    const double age = static_cast<double>(now.tv_sec - folder.st_ctim.tv_sec) +
                       1e-9 * static_cast<double>(now.tv_nsec - folder.st_ctim.tv_nsec);
    return age >= 0 && age < shortest;
}
#endif

static CPLErr delete_file(const std::string &path)
{
    if (VSIUnlink(path.c_str()) == 0)
        return CE_None;
    CPLError(CE_Failure, CPLE_FileIO, "%s cannot be deleted: %s", path.c_str(), VSIStrerror(errno));
    return CE_Failure;
}

static CPLErr delete_folder(const std::string &root, StoreTree *tree)
{
    std::stable_partition(tree->files.begin(), tree->files.end(), is_root_document);
    for (const std::string &file : tree->files)
        if (delete_file(root + "/" + file) != CE_None)
            return CE_Failure;
    for (auto below = tree->folders.rbegin(); below != tree->folders.rend(); ++below)
        VSIRmdir((root + "/" + *below).c_str());
    VSIRmdir(root.c_str());
    return CE_None;
}

CPLErr omezarr_delete(const char *name)
{
    const std::string root = omezarr_root(name);
    StoreTree tree;
    std::string folder(name);
    while (folder.size() > 1 && folder.back() == '/')
        folder.pop_back();
    if (folder != root) {
        /* GDAL deletes quietly what has another name than its folder, and before 3.9 that cannot be told apart: where
         * nothing is, nothing is said. */
        const std::string whole = StoreName(name).root;
        if (exists(whole))
            CPLError(CE_Failure, CPLE_NotSupported, "To delete an OME-Zarr give the path of its folder, %s",
                     whole.c_str());
        return CE_Failure;
    }
    const bool is_new = has_just_come(root); /* now: the list of a large store takes a while */
    if (!list_store(root, &tree))
        return CE_Failure;
    if (is_new) {
        CPLError(CE_Failure, CPLE_NotSupported,
                 "%s was made by another program just now, and is not deleted; delete it again if you mean it",
                 root.c_str());
        return CE_Failure;
    }
    if ((omezarr_is_archive(root) ? delete_file(root) : delete_folder(root, &tree)) != CE_None)
        return CE_Failure;
    const std::string side_file = root + ".aux.xml"; /* of the next store with this name it would be untrue */
    return exists(side_file) ? delete_file(side_file) : CE_None;
}

/* Source and target of a rename or copy: a store and a name that is free. */
static bool check_names(const std::string &new_root, const std::string &old_root, StoreTree *tree)
{
    if (!list_store(old_root, tree))
        return false;
    if (omezarr_is_archive(old_root) != omezarr_is_archive_name(new_root)) {
        CPLError(
            CE_Failure, CPLE_NotSupported,
            "One of %s and %s is a file .ozx and the other is not: gdal_translate -of OMEZARR makes one of the other",
            old_root.c_str(), new_root.c_str());
        return false;
    }
    if (!exists(new_root))
        return true;
    CPLError(CE_Failure, CPLE_AppDefined, "%s exists already", new_root.c_str());
    return false;
}

/* What a user said about the store goes where the store goes. */
static CPLErr take_side_file(const std::string &new_root, const std::string &old_root, bool is_copy)
{
    const std::string from = old_root + ".aux.xml", to = new_root + ".aux.xml";
    if (!exists(from) || (is_copy ? CPLCopyFile(to.c_str(), from.c_str()) : VSIRename(from.c_str(), to.c_str())) == 0)
        return CE_None;
    CPLError(CE_Failure, CPLE_FileIO, "%s is %s, but its side file %s is not: %s. Put it beside the store by hand",
             new_root.c_str(), is_copy ? "copied" : "renamed", from.c_str(), VSIStrerror(errno));
    return CE_Failure;
}

CPLErr omezarr_rename(const char *new_name, const char *old_name)
{
    const std::string new_root = omezarr_root(new_name), old_root = omezarr_root(old_name);
    StoreTree tree;
    if (!check_names(new_root, old_root, &tree))
        return CE_Failure;
    omezarr_note_published(new_root);
    if (VSIRename(old_root.c_str(), new_root.c_str()) != 0) {
        CPLError(CE_Failure, CPLE_FileIO, "%s cannot be renamed to %s: %s", old_root.c_str(), new_root.c_str(),
                 VSIStrerror(errno));
        return CE_Failure;
    }
    return take_side_file(new_root, old_root, false);
}

CPLErr omezarr_copy_files(const char *new_name, const char *old_name)
{
    const std::string new_root = omezarr_root(new_name), old_root = omezarr_root(old_name);
    StoreTree tree;
    if (!check_names(new_root, old_root, &tree))
        return CE_Failure;
    omezarr_note_published(new_root);
    if (omezarr_is_archive(old_root)) {
        if (CPLCopyFile(new_root.c_str(), old_root.c_str()) == 0)
            return take_side_file(new_root, old_root, true);
        VSIUnlink(new_root.c_str());
        CPLError(CE_Failure, CPLE_FileIO, "%s cannot be written", new_root.c_str());
        return CE_Failure;
    }
    /* Object stores have no folders; making one there would leave an empty object. */
    if (VSISupportsRandomWrite(new_root.c_str(), FALSE)) {
        bool made = VSIMkdir(new_root.c_str(), 0755) == 0;
        for (const std::string &folder : tree.folders)
            made = made && VSIMkdir((new_root + "/" + folder).c_str(), 0755) == 0;
        if (!made) {
            CPLError(CE_Failure, CPLE_FileIO, "A folder below %s cannot be made: %s", new_root.c_str(),
                     VSIStrerror(errno));
            return CE_Failure;
        }
    }
    std::stable_partition(tree.files.begin(), tree.files.end(),
                          [](const std::string &file) { return !is_root_document(file); });
    for (const std::string &file : tree.files)
        if (CPLCopyFile((new_root + "/" + file).c_str(), (old_root + "/" + file).c_str()) != 0) {
            CPLError(CE_Failure, CPLE_FileIO, "%s/%s cannot be written", new_root.c_str(), file.c_str());
            return CE_Failure;
        }
    return take_side_file(new_root, old_root, true);
}
