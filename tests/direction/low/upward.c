/* upward.c: breaks the direction on purpose, and names a header without its folder (the CTest "direction"). */
#include "base/box.h"
#include "beside.h"
#include "high/top.h"
#include "low/upward.h"
