/* unit.h: the units of axes, and the spellings that people and files use for them. */
#ifndef NGFF_BASE_UNIT_H
#define NGFF_BASE_UNIT_H

/* The full UDUNITS-2 name for any accepted spelling ("um" -> "micrometer") of a unit for axis dim ('t' takes times,
 * z, y, x lengths); NULL for an unknown one. The result is static. */
const char *unit_name(char dim, const char *spelling);
/* The symbol that OME-XML has for a unit of the table: "micrometer" -> "µm". */
void unit_symbol(char dim, const char *name, char to[8]);
/* All accepted full names for the axis, separated by ", ", for error messages. Static. */
const char *unit_list(char dim);

#endif
