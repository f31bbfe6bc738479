/* omezarr.h: what the C++ files of the driver know of each other. */
#ifndef OMEZARR_PLUGIN_OMEZARR_H
#define OMEZARR_PLUGIN_OMEZARR_H

#include <string>

#include "plugin/gdal_compat.h"

constexpr const char *connection_prefix = "OMEZARR:";

/* The root folder that a dataset name means: without prefix, metadata file name and trailing slashes; a web address
 * goes through /vsicurl/. */
std::string omezarr_root(const char *name);
/* True where GDAL speaks to a server for this path: every look for a file there is a request. */
bool omezarr_is_on_server(const std::string &root);
/* True for a name of `.ozx`, an OME-Zarr in one file (RFC-9): a zip, which GDAL reads as a folder. */
bool omezarr_is_archive_name(const std::string &path);
/* True if such a file is there, whatever is in it. */
bool omezarr_is_archive(const std::string &path);
/* Where the objects of the store at root are: inside the archive, if it is one. */
std::string omezarr_place(const std::string &root);
/* True if the root metadata of this store is that of an NGFF multiscale image. Reads one or two small files. */
bool omezarr_is_image(const std::string &root);

int omezarr_identify(GDALOpenInfo *info);
/* True if Open is to open it, or to say why that cannot be. */
bool omezarr_is_opened(GDALOpenInfo *info);
GDALDataset *omezarr_open(GDALOpenInfo *info);
/* The same without GDALOpenInfo, for a store known to be one. */
GDALDataset *omezarr_open_store(const std::string &root, const char *description);
GDALDataset *omezarr_create_copy(const char *name, GDALDataset *source, int strict, StringListIn options,
                                 GDALProgressFunc progress, void *progress_data);
GDALDataset *omezarr_create(const char *name, int width, int height, int n_bands, GDALDataType type,
                            StringListIn options);

/* What `gdal driver omezarr` can do, from GDAL 3.11 on. The driver has its name. */
void omezarr_declare_algorithms(GDALDriver *driver);

/* Delete, rename and copy touch only what belongs to a store; where something else lies in the folder they refuse. */
CPLErr omezarr_delete(const char *name);
/* This process has made the store at root. */
void omezarr_note_published(const std::string &root);
CPLErr omezarr_rename(const char *new_name, const char *old_name);
CPLErr omezarr_copy_files(const char *new_name, const char *old_name);

#endif
