/* main.c: the program `omezarr`.
 *
 *     omezarr plan SOURCE [-co NAME=VALUE]...                   what `gdal_translate -of OMEZARR` would write
 *     omezarr verify STORE [SOURCE]                             is a store whole, and does it have the source's pixels?
 *     omezarr validate [--strict] [--lenient] [--json] PATH...  does its metadata keep to the specification?
 *     omezarr upgrade [--to 0.5|0.6] STORE                      the same chunks, in the words of a newer NGFF
 *     omezarr finish|status|abandon STORE                       parts (option PART): put together, there, removed
 *
 * A build without GDAL has all that needs no SOURCE. */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ngff.h"

static void print_usage(FILE *to)
{
    fputs(
        "Usage: omezarr plan SOURCE [-co NAME=VALUE]...\n"
        "       omezarr plan --dims DIMS --shape SIZE,SIZE... --type TYPE [-co NAME=VALUE]...\n"
        "Prints levels, chunks, objects, bytes and memory of the OME-Zarr that\n"
        "  gdal_translate -of OMEZARR [-co NAME=VALUE]... SOURCE DESTINATION\n"
        "would write, or any host of an array such as --dims zyx --shape 50,2048,2048 --type uint16. Nothing is "
        "written.\n"
        "\n"
        "Usage: omezarr verify [-oo MAX_CHUNK=BYTES] [-oo MAX_METADATA=BYTES] [-oo MISSING_CHUNKS=AUTO|ERROR|FILL] "
        "STORE [SOURCE]\n"
        "Reads every object of STORE and tells what is missing, damaged or does not belong there, one line each.\n"
        "With SOURCE every pixel of the full size, and of the mask, is compared with it.\n"
        "Metadata is judged as by validate. Chunks that the store records and that are missing are told in any case;\n"
        "MISSING_CHUNKS says whether SOURCE is compared with fill there (FILL, the default here) or not.\n"
        "Exit status: 0 whole; 1 damage, strays, invalid metadata or different pixels; 2 usage; 3 STORE or SOURCE\n"
        "cannot be read.\n"
        "\n"
        "Usage: omezarr validate [-oo MAX_METADATA=BYTES] [--strict] [--lenient] [--json] PATH...\n"
        "Judges metadata by the text of NGFF 0.4, 0.5 and 0.6: of a store with all groups and arrays that it names, or "
        "of\n"
        "one file .json with a node's attributes. One line for each rule that is broken; with --strict also what the\n"
        "specification only recommends makes it invalid. --lenient tolerates, in a line for each place, what the\n"
        "specification's own examples do against its text, such as wells named column/row. With several PATHs each "
        "line\n"
        "begins with its own.\n"
        "Exit status: 0 valid; 1 invalid; 2 usage; 3 PATH cannot be read; of several PATHs the highest.\n"
        "--json: prints {\"valid\":true} or {\"message\":\"...\",\"valid\":false}, with exit status 0 for both;\n"
        "what is tolerated is in the message, too. With several PATHs one line each, with \"path\".\n"
        "\n"
        "Usage: omezarr upgrade [--to 0.5|0.6] STORE\n"
        "Writes the documents of STORE anew by a newer version of NGFF, in place: 0.4 to 0.5 (the default) or 0.6, and "
        "0.5 to\n"
        "0.6. No chunk is touched. Label images, series and plates in it are upgraded too. What the newer version has "
        "no word "
        "for\n"
        "is refused before anything is written, with the command that writes such a store anew.\n"
        "Exit status: 0 done, or nothing to do; 1 refused; 2 usage; 3 STORE cannot be read or written.\n"
        "\n"
        "Usage: omezarr finish STORE [-co NAME=VALUE]...\n"
        "       omezarr status STORE\n"
        "       omezarr abandon STORE\n"
        "Of the parts that gdal_translate -of OMEZARR -co PART=1/n ... to PART=n/n SOURCE STORE have written: finish "
        "makes\n"
        "the store, with the options of the parts (OVERWRITE, MEMORY, NUM_THREADS, VERIFY, SYNC, REPORT can be "
        "others);\n"
        "status tells which are there; abandon removes them all.\n"
        "Exit status: 0 done, or all parts are there; 1 parts are missing; 2 usage; 3 anything else.\n",
        to);
}

int usage_error(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("omezarr: ", stderr);
    vfprintf(stderr, format, values);
    fputs("\n\n", stderr);
    va_end(values);
    print_usage(stderr);
    return EXIT_USAGE;
}

void print_finding(const char *kind, const char *text)
{
    printf("%s: %s\n", kind, text);
}

static int run(int n_arguments, char **arguments)
{
    static const struct {
        const char *name;
        int (*run)(int n_arguments, char **arguments);
    } commands[] = {{"plan", run_plan},       {"verify", run_verify}, {"validate", run_validate},
                    {"upgrade", run_upgrade}, {"finish", run_finish}, {"status", run_status},
                    {"abandon", run_abandon}};
    const char *name = n_arguments > 1 ? arguments[1] : "";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(n_arguments - 1, arguments + 1);
    if (strcmp(name, "--help") == 0)
        return print_usage(stdout), EXIT_FINE;
    return name[0] ? usage_error("there is no command %s", name) : usage_error("no command is given");
}

int main(int n_arguments, char **arguments)
{
    if (!take_host_arguments(&n_arguments, &arguments))
        return n_arguments < 0 ? EXIT_USAGE : EXIT_FINE;
    int code = run(n_arguments, arguments);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* what nobody can read was not said */
        fprintf(stderr, "omezarr: the output cannot be written: %s\n", strerror(errno));
        code = EXIT_UNREADABLE;
    }
    leave_host(arguments);
    return code;
}
