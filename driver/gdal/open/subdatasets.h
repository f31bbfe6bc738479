/* subdatasets.h: what of a store is meant, and what else there is. A name is
 *
 *     OMEZARR:"path":part:T=a-b:Z=a-b:C=a-b
 *
 * part: an image ("A/1/0", "labels/cells", "#1") or a level ("1", "scale1/image") as ngff.h has it; T, Z, C: planes of
 * an axis, also as open options. */
#ifndef OMEZARR_OPEN_SUBDATASETS_H
#define OMEZARR_OPEN_SUBDATASETS_H

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugin/gdal_compat.h"
#include "ngff.h"

struct StoreName {
    std::string root{}, part{};
    std::string planes[3]{}; /* of t, z, c: "3" or "0-4"; "" = all */

    StoreName() = default;
    /* From a dataset's name: with or without prefix, quotes, part, metadata file. */
    explicit StoreName(const char *name);
    /* Open options T, Z and C win over the name's. */
    void apply_options(CSLConstList options);
    bool has_planes() const;
    /* The name that opens it. */
    std::string text() const;
};

/* Name and title of each subdataset. */
using Subdatasets = std::vector<std::pair<std::string, std::string>>;

/* Which indexes on each axis but y and x are bands. */
struct PlaneSelection {
    int64_t first[5] = {}, count[5] = {};
    int n_axes = 0;

    int64_t n_planes() const;
    /* Index on each axis of plane number (in C order, from 0). */
    void plane(int64_t number, int64_t *index) const;
};

/* All planes of shape, or those that the name asks for; false, with an error, if there are none such. */
bool select_planes(const StoreName &name, const std::string &dims, const int64_t *shape, PlaneSelection *selection);

/* The reader's parts as subdatasets. */
Subdatasets subdatasets_of_parts(const StoreName &name, const ngff_reader *reader);
/* The planes of a selection in portions of at most most_bands: per t, then z, then runs of c. */
Subdatasets subdatasets_of_planes(const StoreName &name, const std::string &dims, const PlaneSelection &selection,
                                  int64_t most_bands);
void set_subdatasets(GDALDataset *dataset, const Subdatasets &list);

/* A dataset without bands that only lists. */
std::unique_ptr<GDALDataset> make_collection(const StoreName &name, const char *description, const Subdatasets &list);

/* The archive, or the documents at the root of a store: all that a dataset names as its files. */
char **root_documents(const std::string &root);

#endif
