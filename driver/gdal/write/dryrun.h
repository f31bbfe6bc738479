/* dryrun.h: what CreateCopy returns where no store is there to be opened: a dataset of the source's size without pixels. */
#ifndef OMEZARR_WRITE_DRYRUN_H
#define OMEZARR_WRITE_DRYRUN_H

#include "plugin/gdal_compat.h"
#include "ngff.h"

/* DRY_RUN=YES: the metadata domain "PLAN" says what would be written. */
GDALDataset *plan_dataset(ngff_plan *plan, GDALDataset *source);
/* PART=i/n: the item PART of the domain "PLAN" says which one has been written. Its pixels cannot be read. */
GDALDataset *part_dataset(ngff_plan *plan, GDALDataset *source);

#endif
