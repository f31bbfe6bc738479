/* dimensions.cpp: see dimensions.h. First the items of all bands become one table per dimension; then the dimensions get
 * the letters t, c, z; then the bands must be at all places of the grid, each once. */
#include "describe/dimensions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "ngff.h"

std::string dimension_item(char axis, const char *what)
{
    return std::string("DIM_") + axis + "_" + what;
}

std::string ngff_item(const char *what)
{
    return std::string("NGFF_") + what;
}

const char *said_to_viewers(GDALMajorObject *object, const char *what)
{
    const char *text = object->GetMetadataItem(what, "NGFF");
    return text != nullptr ? text : object->GetMetadataItem(ngff_item(what).c_str());
}

/* -- What the bands say ---------------------------------------------------------------------------------------- */

namespace
{

/* A band on a dimension. */
struct Place {
    bool is_there = false, has_index = false, has_value = false;
    int64_t index = 0;
    double value = 0, step = 0;         /* step: 0 where it is not said */
    std::string text{}, unit{}, type{}; /* text: the value as it was written */
};

struct Dimension {
    std::string name{};
    bool is_of_netcdf = false;
    std::vector<Place> places{}; /* one per band */
    std::vector<int64_t> ordinal{};
    std::vector<size_t> first{}; /* a band at each ordinal */
    char letter = 0;
};

} // namespace

static const char index_tail[] = "_INDEX", netcdf_head[] = "NETCDF_DIM_";

static bool ends_with(const std::string &text, const char *tail)
{
    const size_t n = strlen(tail);
    return text.size() > n && text.compare(text.size() - n, n, tail) == 0;
}

static bool is_own_name(const std::string &name)
{
    return name == "t" || name == "c" || name == "z";
}

/* The dimension that an item speaks of first; "" for other items. */
static std::string dimension_of_item(const char *item, bool *is_of_netcdf)
{
    const char *equals = strchr(item, '=');
    const std::string key = equals != nullptr ? std::string(item, equals) : std::string();
    *is_of_netcdf = STARTS_WITH(key.c_str(), netcdf_head);
    if (*is_of_netcdf)
        return key.substr(strlen(netcdf_head));
    if (STARTS_WITH(key.c_str(), "DIM_") && ends_with(key, index_tail) && key.size() > 4 + strlen(index_tail))
        return key.substr(4, key.size() - 4 - strlen(index_tail));
    return "";
}

bool read_number(const char *text, double *value)
{
    char *end = nullptr;
    *value = text != nullptr ? CPLStrtod(text, &end) : 0;
    while (text != nullptr && end != text && *end == ' ')
        end++;
    return text != nullptr && end != text && *end == '\0' && std::isfinite(*value);
}

static Place read_place(CSLConstList items, const std::string &name, bool is_of_netcdf, const char *netcdf_unit)
{
    Place place;
    const std::string head = is_of_netcdf ? netcdf_head + name : "DIM_" + name;
    const auto item = [&](const char *tail) { return CSLFetchNameValue(items, (head + tail).c_str()); };
    const char *index = is_of_netcdf ? nullptr : item(index_tail), *value = item(is_of_netcdf ? "" : "_VALUE");
    const char *unit = is_of_netcdf ? netcdf_unit : item("_UNIT");
    double number = 0;
    place.has_index = read_number(index, &number) && std::fabs(number) < 1e15;
    place.index = place.has_index ? static_cast<int64_t>(number) : 0;
    place.has_value = read_number(value, &place.value);
    if (is_of_netcdf || !read_number(item("_STEP"), &place.step))
        place.step = 0;
    place.is_there = place.has_index || value != nullptr;
    place.text = value != nullptr ? value : "";
    place.unit = unit != nullptr ? unit : "";
    const char *type = is_of_netcdf ? nullptr : item("_TYPE");
    place.type = type != nullptr ? type : "";
    return place;
}

static bool has_dimension(CSLConstList items, bool counts_own)
{
    for (; items != nullptr && *items != nullptr; items++) {
        bool is_of_netcdf = false;
        const std::string name = dimension_of_item(*items, &is_of_netcdf);
        if (!name.empty() && (counts_own || is_of_netcdf || !is_own_name(name)))
            return true;
    }
    return false;
}

bool has_place(CSLConstList items)
{
    return has_dimension(items, true);
}

bool has_other_dimensions(CSLConstList items)
{
    return has_dimension(items, false);
}

enum { OWN, OF_GDAL, OF_NETCDF, n_ways }; /* the ways in which bands say their places */

/* The dimensions of all bands, of each way. */
static void read_dimensions(GDALDataset *source, std::vector<Dimension> *found)
{
    const int n_bands = source->GetRasterCount();
    const CPLStringList of_dataset(CSLDuplicate(source->GetMetadata()));
    for (int i = 0; i < n_bands; i++) {
        CSLConstList items = source->GetRasterBand(i + 1)->GetMetadata();
        for (CSLConstList item = items; item != nullptr && *item != nullptr; item++) {
            bool is_of_netcdf = false;
            const std::string name = dimension_of_item(*item, &is_of_netcdf);
            if (name.empty())
                continue;
            auto &way = found[is_of_netcdf ? OF_NETCDF : is_own_name(name) ? OWN : OF_GDAL];
            auto at = std::find_if(way.begin(), way.end(), [&name](const Dimension &d) { return d.name == name; });
            if (at == way.end()) {
                at = way.insert(way.end(), Dimension());
                at->name = name;
                at->is_of_netcdf = is_of_netcdf;
                at->places.resize(static_cast<size_t>(n_bands));
            }
            at->places[static_cast<size_t>(i)] =
                read_place(items, name, is_of_netcdf, of_dataset.FetchNameValue((name + "#units").c_str()));
        }
    }
}

/* Numbers the places of a dimension in the order in which the bands come to them. */
static void number_places(Dimension *dimension)
{
    std::map<std::pair<int64_t, std::string>, int64_t> known;
    for (size_t i = 0; i < dimension->places.size(); i++) {
        const Place &place = dimension->places[i];
        const auto key = std::make_pair(place.has_index ? place.index : 0, place.has_index ? "" : place.text);
        const auto [at, is_new] = known.try_emplace(key, static_cast<int64_t>(known.size()));
        if (is_new)
            dimension->first.push_back(i);
        dimension->ordinal.push_back(at->second);
    }
}

/* -- Letters --------------------------------------------------------------------------------------------------- */

/* The unit of "hours since 1970-01-01" and of plain "hours". */
static const char *unit_of(char letter, const std::string &text)
{
    const char axis[] = {letter, '\0'};
    const size_t since = text.find(" since ");
    return letter == 'c' ? nullptr : ngff_unit_name(axis, text.substr(0, since).c_str());
}

static bool is_one_of(const std::string &name, const char *words)
{
    const CPLStringList list(CSLTokenizeString2(words, " ", 0));
    return list.FindString(name.c_str()) >= 0; /* without case */
}

char dimension_meaning(const std::string &name, const std::string &type, const std::string &unit)
{
    if (type == GDAL_DIM_TYPE_TEMPORAL)
        return 't';
    if (type == GDAL_DIM_TYPE_VERTICAL)
        return 'z';
    if (is_one_of(name, "t time times date datetime valid_time forecast_time timestep frame") ||
        unit.find(" since ") != std::string::npos || unit_of('t', unit) != nullptr)
        return 't';
    if (is_one_of(name, "c ch channel channels band bands wavelength"))
        return 'c';
    if (is_one_of(name, "z zc depth height level levels lev plev altitude elevation pressure isobaric"))
        return 'z';
    return '?';
}

/* Gives each dimension a letter of its own; false if there are more of them than letters. Channels are what says
 * nothing about an order. */
static bool give_letters(std::vector<Dimension> *dimensions)
{
    std::string used;
    const auto take = [&used](Dimension *dimension, char letter) {
        if (used.find(letter) == std::string::npos && dimension->letter == 0) {
            dimension->letter = letter;
            used += letter;
        }
    };
    for (Dimension &dimension : *dimensions) {
        const Place &place = dimension.places[dimension.first[0]];
        if (const char letter = dimension_meaning(dimension.name, place.type, place.unit); letter != '?')
            take(&dimension, letter);
    }
    for (Dimension &dimension : *dimensions)
        for (const char letter : {'c', 'z', 't'})
            take(&dimension, letter);
    return std::all_of(dimensions->begin(), dimensions->end(), [](const Dimension &d) { return d.letter != 0; });
}

/* -- Numbers --------------------------------------------------------------------------------------------------- */

/* True if every value is first + step * i, to the last bit or nearly so. */
static bool is_line(const std::vector<double> &values, double step, double tolerance)
{
    for (size_t i = 0; i < values.size(); i++)
        if (!(std::fabs(values[0] + step * static_cast<double>(i) - values[i]) <= tolerance * std::fabs(step)))
            return false;
    return true;
}

/* The one with the fewest digits that gives them to the last bit, so that 0.1 stays 0.1; where none does, because they
 * were rounded (to single precision, say), their mean step. */
double even_step(const std::vector<double> &values)
{
    constexpr double of_rounding = 1e-3;
    const double mean = (values.back() - values[0]) / static_cast<double>(values.size() - 1);
    if (!(mean > 0) || !std::isfinite(mean) || !is_line(values, mean, of_rounding))
        return 0;
    for (int digits = 1; digits <= 17; digits++) {
        const double step = CPLAtof(CPLSPrintf("%.*g", digits, mean));
        if (step > 0 && is_line(values, step, 0))
            return step;
    }
    return mean;
}

/* Scale and translation of an axis from the values at its places. */
static void measure(const Dimension &dimension, GridAxis *axis)
{
    std::vector<double> values;
    const Place &first = dimension.places[dimension.first[0]];
    bool has_all = true, has_any = false;
    for (const size_t band : dimension.first) {
        const Place &place = dimension.places[band];
        has_all = has_all && place.has_value && place.unit == first.unit;
        has_any = has_any || !place.text.empty();
        values.push_back(place.value);
    }
    axis->unit_text = first.unit;
    if (!has_any) /* indexes alone */
        return;
    axis->is_even = has_all;
    if (has_all && values.size() == 1) {
        axis->scale = first.step > 0 ? first.step : 1;
        axis->translation = values[0];
    } else if (has_all) {
        const Place &second = dimension.places[dimension.first[1]];
        const double said = first.step * static_cast<double>(second.index - first.index);
        axis->scale = said > 0 && is_line(values, said, 1e-9) ? said : even_step(values);
        axis->translation = values[0];
        axis->is_even = axis->scale > 0;
    }
    if (axis->is_even)
        axis->unit = unit_of(axis->letter, axis->unit_text);
    else
        axis->scale = 1, axis->translation = 0;
}

/* -- The grid -------------------------------------------------------------------------------------------------- */

static BandGrid irregular(const std::string &reason)
{
    BandGrid grid;
    grid.kind = BandGrid::IRREGULAR;
    grid.reason = reason;
    return grid;
}

/* Puts each band at its place; false, with the reason in grid, unless each place has one. */
static bool place_bands(const std::vector<const Dimension *> &order, size_t n_bands, BandGrid *grid)
{
    double n_places = 1;
    for (const Dimension *dimension : order)
        n_places *= static_cast<double>(dimension->first.size());
    grid->bands.assign(n_bands, 0);
    for (size_t i = 0; i < n_bands && n_places == static_cast<double>(n_bands); i++) {
        int64_t at = 0;
        for (const Dimension *dimension : order)
            at = at * static_cast<int64_t>(dimension->first.size()) + dimension->ordinal[i];
        int &band = grid->bands[static_cast<size_t>(at)];
        if (band != 0) {
            *grid = irregular(CPLSPrintf("bands %d and %d have the same place", band, static_cast<int>(i + 1)));
            return false;
        }
        band = static_cast<int>(i + 1);
    }
    if (n_places == static_cast<double>(n_bands))
        return true;
    std::string sizes;
    for (const Dimension *dimension : order)
        sizes += (sizes.empty() ? "" : " x ") + std::to_string(dimension->first.size()) + " of " + dimension->name;
    *grid =
        irregular(CPLSPrintf("%d bands are not all places of a grid of %s", static_cast<int>(n_bands), sizes.c_str()));
    return false;
}

static BandGrid grid_of(GDALDataset *source, std::vector<Dimension> dimensions)
{
    for (Dimension &dimension : dimensions) {
        for (size_t i = 0; i < dimension.places.size(); i++)
            if (!dimension.places[i].is_there)
                return irregular(CPLSPrintf("band %d does not say where it lies on %s", static_cast<int>(i + 1),
                                            dimension.name.c_str()));
        number_places(&dimension);
    }
    if (!give_letters(&dimensions))
        return irregular(
            CPLSPrintf("there are %d dimensions, and only t, c and z for them", static_cast<int>(dimensions.size())));
    BandGrid grid;
    std::vector<const Dimension *> order;
    grid.kind = BandGrid::REGULAR;
    for (const char letter : {'t', 'c', 'z'})
        for (const Dimension &dimension : dimensions)
            if (dimension.letter == letter) {
                GridAxis axis;
                axis.letter = letter;
                axis.name = dimension.name;
                axis.size = static_cast<int64_t>(dimension.first.size());
                for (const size_t band : dimension.first)
                    axis.indexes.push_back(dimension.places[band].index);
                measure(dimension, &axis);
                grid.axes.push_back(axis);
                order.push_back(&dimension);
            }
    place_bands(order, static_cast<size_t>(source->GetRasterCount()), &grid);
    return grid;
}

/* Ours, where there are any, since others are then only kept; else GDAL's, else netCDF's. An array of any file may have
 * dimensions named t and lev: then only both are a grid. */
BandGrid grid_of_bands(GDALDataset *source)
{
    std::vector<Dimension> found[n_ways];
    read_dimensions(source, found);
    for (const auto &way : found) {
        if (way.empty())
            continue;
        const BandGrid grid = grid_of(source, way);
        if (&way != &found[OWN] || grid.kind == BandGrid::REGULAR || found[OF_GDAL].empty())
            return grid;
        std::vector<Dimension> both = way;
        both.insert(both.end(), found[OF_GDAL].begin(), found[OF_GDAL].end());
        const BandGrid of_both = grid_of(source, both);
        return of_both.kind == BandGrid::REGULAR ? of_both : grid;
    }
    return {};
}

int *dimension_bands(GDALDatasetH source, const char *dims, const int64_t *sizes)
{
    const BandGrid grid = grid_of_bands(GDALDataset::FromHandle(source));
    bool is_same = grid.kind == BandGrid::REGULAR && strlen(dims) == grid.axes.size(), is_sorted = true;
    for (size_t i = 0; is_same && i < grid.axes.size(); i++)
        is_same = dims[i] == grid.axes[i].letter && sizes[i] == grid.axes[i].size;
    for (size_t i = 0; is_same && i < grid.bands.size(); i++)
        is_sorted = is_sorted && grid.bands[i] == static_cast<int>(i + 1);
    if (!is_same || is_sorted)
        return nullptr;
    auto *bands = static_cast<int *>(CPLMalloc(grid.bands.size() * sizeof(int)));
    std::copy(grid.bands.begin(), grid.bands.end(), bands);
    return bands;
}

/* -- Descriptions ---------------------------------------------------------------------------------------------- */

std::string text_with_place(const std::string &label, const std::string &axes, const int64_t *index)
{
    std::string text = label;
    const bool is_stack = axes.find_first_of("tz") != std::string::npos;
    for (size_t axis = 0; axis < axes.size() && is_stack; axis++)
        if (axes[axis] != 'c' || label.empty())
            text += (text.empty() ? "" : " ") +
                    std::string(1, static_cast<char>(toupper(static_cast<unsigned char>(axes[axis])))) + "=" +
                    std::to_string(index[axis]);
    return text;
}

std::string without_place(const std::string &description, GDALRasterBand *band)
{
    std::string text = description;
    for (;;) {
        const size_t blank = text.rfind(' '), start = blank == std::string::npos ? 0 : blank + 1;
        const std::string word = text.substr(start);
        if (word.size() < 3 || word[1] != '=' || strchr("TCZ", word[0]) == nullptr)
            return text;
        const char letter = static_cast<char>(word[0] - 'A' + 'a');
        const char *index = band->GetMetadataItem(dimension_item(letter, "INDEX").c_str());
        if (index == nullptr || word.substr(2) != index)
            return text;
        text.erase(blank == std::string::npos ? 0 : blank);
        if (text.empty())
            return text;
    }
}
