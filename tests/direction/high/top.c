/* top.c: keeps to the direction. */
#include "high/top.h"
#include "low/upward.h"
#include "ngff.h"
