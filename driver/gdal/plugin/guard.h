/* guard.h: what every way into the plugin has in common: no exception leaves it, because the callers are C or know of
 * none, and questions that may fail leave GDAL's last error as it was. */
#ifndef OMEZARR_PLUGIN_GUARD_H
#define OMEZARR_PLUGIN_GUARD_H

#include <exception>
#include <new>

#include "cpl_error.h"

/* work(), or after an exception on_failure, with an error. name: of the dataset, or what is done. */
template <typename Result, typename Work> Result guarded(const char *name, Result on_failure, Work work) noexcept
{
    try {
        return work();
    } catch (const std::bad_alloc &) {
        CPLError(CE_Failure, CPLE_OutOfMemory, "%s: out of memory", name);
    } catch (const std::exception &problem) {
        CPLError(CE_Failure, CPLE_AppDefined, "%s: %s", name, problem.what());
    } catch (...) {
        CPLError(CE_Failure, CPLE_AppDefined, "%s: an unknown exception", name);
    }
    return on_failure;
}

/* While it lives, errors of GDAL are neither printed nor kept: the last error stays what it was. */
class QuietErrors
{
    CPLErrorStateBackuper m_state{}; /* first, so that it is restored last */
    CPLErrorHandlerPusher m_quiet{CPLQuietErrorHandler};
};

#endif
