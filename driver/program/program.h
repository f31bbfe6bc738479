/* program.h: what the files of the program `omezarr` know of each other. One file is one command; with_gdal.c has what needs
 * GDAL, and without_gdal.c stands in its place in a build that has none. */
#ifndef OMEZARR_PROGRAM_H
#define OMEZARR_PROGRAM_H

/* What the program ends with. */
enum { EXIT_FINE = 0, EXIT_DAMAGE = 1, EXIT_USAGE = 2, EXIT_UNREADABLE = 3 };

/* A command's own arguments, its name first. Returns the exit status. */
int run_plan(int n_arguments, char **arguments);
int run_verify(int n_arguments, char **arguments);
int run_validate(int n_arguments, char **arguments);
int run_upgrade(int n_arguments, char **arguments);
int run_finish(int n_arguments, char **arguments);
int run_status(int n_arguments, char **arguments);
int run_abandon(int n_arguments, char **arguments);

/* Says what is wrong with the arguments, and how to use the program. Returns EXIT_USAGE. */
int usage_error(const char *format, ...);

/* One line for a finding: kind, then text. */
void print_finding(const char *kind, const char *text);

/* -- with_gdal.c or without_gdal.c ------------------------------------------------------------------------------ */

/* Takes GDAL's own arguments (--config, --debug ...) out of the list. Returns 0 where the program is to end. */
int take_host_arguments(int *n_arguments, char ***arguments);
/* The end of the program: takes the list back that take_host_arguments has left. */
void leave_host(char **arguments);
/* options: NAME=VALUE, NULL behind the last. */
int plan_source(const char *source, const char *const *options);
/* source: NULL where the store alone is looked at. limits: options of ngff_reader_open_part. */
int check_store(const char *store, const char *source, const char *const *limits);

#endif
