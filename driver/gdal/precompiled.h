/* precompiled.h: what nearly every file of the driver includes, compiled once (a third of the driver's compile time). Each
 * file still includes what it uses: the build of scripts/natives.sh plugin goes without it. */
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cpl_json.h"
#include "cpl_string.h"
#include "gdal_priv.h"
