/* dryrun.h: DRY_RUN=YES. A dataset of the source's size without pixels, whose metadata domain "PLAN" says what would be
 * written. */
#ifndef OMEZARR_WRITE_DRYRUN_H
#define OMEZARR_WRITE_DRYRUN_H

#include "plugin/gdal_compat.h"
#include "ngff.h"

GDALDataset *plan_dataset(ngff_plan *plan, GDALDataset *source);

#endif
