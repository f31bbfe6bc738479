/* subdatasets.cpp: see subdatasets.h. Core knows which images a store holds; here they get GDAL's names. */
#include "open/subdatasets.h"

#include <algorithm>
#include <cerrno>

#include "plugin/guard.h"
#include "plugin/omezarr.h"

static const char plane_letters[] = "TZC";
constexpr int most_portions = 10000; /* of the planes of one image */

/* The axis that a letter of these means; npos where the image has none such. */
static size_t axis_of(const std::string &dims, int letter)
{
    return dims.find(static_cast<char>(plane_letters[letter] - 'A' + 'a'));
}

/* -- Names ----------------------------------------------------------------------------------------------------- */

/* 0 to 2 for a text that begins with "T=", "Z=" or "C="; -1 for others. */
static int plane_of(const std::string &text)
{
    const char *letter = text.size() > 2 && text[1] == '='
                             ? strchr(plane_letters, toupper(static_cast<unsigned char>(text[0])))
                             : nullptr;
    return letter != nullptr && *letter != '\0' ? static_cast<int>(letter - plane_letters) : -1;
}

StoreName::StoreName(const char *name)
{
    const std::string quoted(STARTS_WITH_CI(name, connection_prefix) ? name + strlen(connection_prefix) : "");
    const size_t quote = quoted.size() > 2 && quoted.front() == '"' ? quoted.find('"', 1) : std::string::npos;
    if (quote == std::string::npos || quote + 1 == quoted.size() || quoted[quote + 1] != ':') {
        root = omezarr_root(name);
        return;
    }
    root = omezarr_root(quoted.substr(1, quote - 1).c_str());
    std::string rest = quoted.substr(quote + 2);
    for (bool is_first = true; !rest.empty(); is_first = false) {
        const size_t colon = rest.find(':');
        const std::string text = rest.substr(0, colon);
        rest = colon == std::string::npos ? std::string() : rest.substr(colon + 1);
        const int plane = plane_of(text);
        if (plane >= 0)
            planes[plane] = text.substr(2);
        else
            part += (is_first ? "" : ":") + text; /* core refuses what is no path */
    }
    while (!part.empty() && part.front() == '/') /* as the Zarr driver has it */
        part.erase(0, 1);
    while (!part.empty() && part.back() == '/')
        part.pop_back();
}

void StoreName::apply_options(CSLConstList options)
{
    for (int i = 0; i < 3; i++) {
        const char letter[2] = {plane_letters[i], '\0'};
        planes[i] = CSLFetchNameValueDef(options, letter, planes[i].c_str());
    }
}

bool StoreName::has_planes() const
{
    return std::any_of(std::begin(planes), std::end(planes), [](const std::string &text) { return !text.empty(); });
}

std::string StoreName::text() const
{
    std::string name = std::string(connection_prefix) + "\"" + root + "\":" + part;
    for (int i = 0; i < 3; i++)
        if (!planes[i].empty())
            name += std::string(name.back() == ':' ? "" : ":") + plane_letters[i] + "=" + planes[i];
    return name;
}

/* -- Planes ---------------------------------------------------------------------------------------------------- */

int64_t PlaneSelection::n_planes() const
{
    int64_t n = 1; /* beyond any number of bands it need not be exact */
    for (int axis = 0; axis < n_axes; axis++)
        n = count[axis] > INT64_MAX / n ? INT64_MAX : n * count[axis];
    return n;
}

void PlaneSelection::plane(int64_t number, int64_t *index) const
{
    for (int axis = n_axes - 1; axis >= 0; axis--) {
        index[axis] = first[axis] + number % count[axis];
        number /= count[axis];
    }
}

/* "3" or "0-4"; false if it is neither. */
static bool read_range(const std::string &text, int64_t *first, int64_t *last)
{
    char *end = nullptr;
    errno = 0;
    if (text.empty() || text[0] < '0' || text[0] > '9')
        return false;
    *first = *last = strtoll(text.c_str(), &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        *last = strtoll(end + 1, &end, 10);
    return *end == '\0' && errno == 0 && *first <= *last;
}

bool select_planes(const StoreName &name, const std::string &dims, const int64_t *shape, PlaneSelection *selection)
{
    selection->n_axes = static_cast<int>(dims.size()) - 2;
    for (int axis = 0; axis < selection->n_axes; axis++) {
        selection->first[axis] = 0;
        selection->count[axis] = shape[axis];
    }
    for (int i = 0; i < 3; i++) {
        const size_t axis = axis_of(dims, i);
        int64_t first = 0, last = 0;
        if (name.planes[i].empty())
            continue;
        if (axis == std::string::npos) {
            CPLError(CE_Failure, CPLE_IllegalArg, "%c=%s: the image in %s has no axis %c; its axes are %s",
                     plane_letters[i], name.planes[i].c_str(), name.root.c_str(), tolower(plane_letters[i]),
                     dims.c_str());
            return false;
        }
        if (!read_range(name.planes[i], &first, &last) || last >= shape[axis]) {
            CPLError(CE_Failure, CPLE_IllegalArg,
                     "%c=%s is no index and no range a-b on axis %c of %s: indexes go from 0 to " CPL_FRMT_GIB,
                     plane_letters[i], name.planes[i].c_str(), dims[axis], name.root.c_str(),
                     static_cast<GIntBig>(shape[axis] - 1));
            return false;
        }
        selection->first[axis] = first;
        selection->count[axis] = last - first + 1;
    }
    return true;
}

/* -- Lists ----------------------------------------------------------------------------------------------------- */

Subdatasets subdatasets_of_parts(const StoreName &name, const ngff_reader *reader)
{
    Subdatasets list;
    const int n = ngff_reader_part_count(reader);
    StoreName one;
    one.root = name.root;
    for (int i = 0; i < n; i++) {
        one.part = ngff_reader_part_path(reader, i);
        list.emplace_back(one.text(), ngff_reader_part_title(reader, i));
    }
    return list;
}

static std::string range_text(int64_t first, int64_t count)
{
    std::string text = std::to_string(first);
    return count == 1 ? text : text + "-" + std::to_string(first + count - 1);
}

/* How many indexes of t, z and c a portion takes: the axes are cut in this order, each into single indexes (c into runs
 * as long as there may be), until a portion has few enough planes. Runs of t or z only where the list would be one that
 * nobody can use. */
static void choose_runs(const std::string &dims, const PlaneSelection &selection, int64_t most_bands, int64_t *run)
{
    PlaneSelection portion = selection;
    for (int i = 0; i < 3; i++) {
        const size_t axis = axis_of(dims, i);
        run[i] = axis == std::string::npos ? 1 : selection.count[axis];
        if (axis == std::string::npos || portion.n_planes() <= most_bands)
            continue;
        portion.count[axis] = 1;
        const int64_t others = portion.n_planes();
        const bool may_run = i == 2 || (others <= most_bands && run[i] > most_portions);
        run[i] = may_run ? std::clamp<int64_t>(most_bands / others, 1, run[i]) : 1;
        portion.count[axis] = run[i];
    }
}

Subdatasets subdatasets_of_planes(const StoreName &name, const std::string &dims, const PlaneSelection &selection,
                                  int64_t most_bands)
{
    Subdatasets list;
    int64_t run[3], start[3] = {0, 0, 0}, total[3] = {1, 1, 1}, at[3];
    choose_runs(dims, selection, most_bands, run);
    for (int i = 0; i < 3; i++) {
        const size_t axis = axis_of(dims, i);
        start[i] = axis == std::string::npos ? 0 : selection.first[axis];
        total[i] = axis == std::string::npos ? 1 : selection.count[axis];
    }
    for (at[0] = 0; at[0] < total[0]; at[0] += run[0])
        for (at[1] = 0; at[1] < total[1]; at[1] += run[1])
            for (at[2] = 0; at[2] < total[2]; at[2] += run[2]) {
                if (list.size() == most_portions) {
                    CPLError(CE_Warning, CPLE_AppDefined,
                             "%s has more portions of planes than the %d that are listed: choose with T=, Z= and C=",
                             name.root.c_str(), most_portions);
                    return list;
                }
                StoreName one = name;
                std::string title = "planes";
                for (int i = 0; i < 3; i++) {
                    if (run[i] == total[i])
                        continue;
                    one.planes[i] = range_text(start[i] + at[i], std::min(run[i], total[i] - at[i]));
                    title += std::string(" ") + plane_letters[i] + "=" + one.planes[i];
                }
                list.emplace_back(one.text(), title);
            }
    return list;
}

void set_subdatasets(GDALDataset *dataset, const Subdatasets &list)
{
    CPLStringList items;
    int i = 0;
    for (const auto &[name, title] : list) {
        i++;
        const std::string key = "SUBDATASET_" + std::to_string(i);
        items.AddString((key + "_NAME=" + name).c_str());
        items.AddString((key + "_DESC=" + title).c_str());
    }
    if (i > 0)
        dataset->GDALMajorObject::SetMetadata(items.List(), "SUBDATASETS");
}

/* -- Collections ----------------------------------------------------------------------------------------------- */

class OmeZarrCollection final : public GDALPamDataset
{
    std::string m_root;

  public:
    explicit OmeZarrCollection(const std::string &root) : m_root(root)
    {
        eAccess = GA_ReadOnly;
        nPamFlags |= GPF_DISABLED | GPF_NOSAVE;
    }

    char **GetFileList() override
    {
        return guarded<char **>(GetDescription(), nullptr, [this] { return root_documents(m_root); });
    }
};

std::unique_ptr<GDALDataset> make_collection(const StoreName &name, const char *description, const Subdatasets &list)
{
    auto collection = std::make_unique<OmeZarrCollection>(name.root);
    collection->SetDescription(description);
    set_subdatasets(collection.get(), list);
    return collection;
}

char **root_documents(const std::string &root)
{
    CPLStringList files;
    std::string unknown; /* on disks; why servers refuse, nobody can tell */
    const bool is_on_server = omezarr_is_on_server(root);
    const char *const candidates[] = {"/zarr.json", "/.zgroup", "/.zattrs", "/.zmetadata", ".aux.xml"};
    const bool is_file = omezarr_is_archive(root);
    if (is_file)
        files.AddString(root.c_str());
    for (const char *candidate : candidates) {
        const std::string path = root + candidate;
        VSIStatBufL status;
        const CPLErrorHandlerPusher quiet(CPLQuietErrorHandler); /* servers refuse what is not there */
        if (is_file && *candidate == '/')
            continue;
        if (VSIStatExL(path.c_str(), &status, VSI_STAT_EXISTS_FLAG) == 0)
            files.AddString(path.c_str());
        else if (!STARTS_WITH(path.c_str(), "/vsi") && errno != ENOENT && errno != ENOTDIR)
            unknown = path + ": " + VSIStrerror(errno);
        if (is_on_server && !files.empty()) /* each is a request */
            break;
    }
    if (files.empty() && unknown.empty() && !STARTS_WITH(root.c_str(), "/vsi"))
        unknown = root; /* which has been read */
    if (!unknown.empty())
        CPLError(CE_Failure, CPLE_FileIO, "cannot look for %s; it is not in the list of files", unknown.c_str());
    return files.StealList();
}
