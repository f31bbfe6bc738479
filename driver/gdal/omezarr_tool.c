/* omezarr_tool.c: the program `omezarr`.
 *
 *     omezarr plan SOURCE [-co NAME=VALUE]...                what `gdal_translate -of OMEZARR` would write
 *     omezarr verify STORE [SOURCE]                          is a store whole, and does it have the source's pixels?
 *     omezarr validate [--strict] [--lenient] [--json] PATH  does its metadata keep to the specification?
 *
 * plan only drives the GDAL driver, through GDAL's C API; verify.c and validate ask the core, verify.c GDAL for the
 * source. */
#include <stdio.h>
#include <string.h>

#include "cpl_conv.h"
#include "cpl_string.h"
#include "gdal.h"

#include "ngff.h"
#include "verify.h"

/* What the program ends with. */
enum { EXIT_FINE = 0, EXIT_DAMAGE = 1, EXIT_USAGE = 2, EXIT_UNREADABLE = 3 };

static int usage(FILE *to, int code)
{
    fputs(
        "Usage: omezarr plan SOURCE [-co NAME=VALUE]...\n"
        "Prints levels, chunks, objects, bytes and memory of the OME-Zarr that\n"
        "  gdal_translate -of OMEZARR [-co NAME=VALUE]... SOURCE DESTINATION\n"
        "would write. Nothing is written.\n"
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
        "Usage: omezarr validate [-oo MAX_METADATA=BYTES] [--strict] [--lenient] [--json] PATH\n"
        "Judges metadata by the text of NGFF 0.4, 0.5 and 0.6: of a store with all groups and arrays that it names, or "
        "of\n"
        "one file .json with a node's attributes. One line for each rule that is broken; with --strict also what the\n"
        "specification only recommends makes it invalid. --lenient tolerates, in a line for each place, what the\n"
        "specification's own examples do against its text, such as wells named column/row.\n"
        "Exit status: 0 valid; 1 invalid; 2 usage; 3 PATH cannot be read.\n"
        "--json: prints {\"valid\":true} or {\"message\":\"...\",\"valid\":false}, with exit status 0 for both;\n"
        "what is tolerated is in the message, too.\n",
        to);
    return code;
}

/* The driver prints the plan itself: DRY_RUN does the same in gdal_translate. */
static int plan(int n_arguments, char **arguments)
{
    const char *source_name = NULL;
    char **options = NULL;
    int code = 1;
    for (int i = 0; i < n_arguments; i++) {
        if (EQUAL(arguments[i], "-co") && i + 1 < n_arguments) {
            options = CSLAddString(options, arguments[++i]);
        } else if (source_name == NULL && arguments[i][0] != '-') {
            source_name = arguments[i];
        } else {
            CSLDestroy(options);
            fprintf(stderr, "omezarr: unexpected argument %s\n", arguments[i]);
            return usage(stderr, 2);
        }
    }
    if (source_name == NULL) {
        CSLDestroy(options);
        return usage(stderr, 2);
    }
    options = CSLSetNameValue(options, "DRY_RUN", "YES");
    GDALDriverH driver = GDALGetDriverByName("OMEZARR");
    GDALDatasetH source = GDALOpenEx(source_name, GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, NULL, NULL, NULL);
    if (driver == NULL)
        fputs("omezarr: GDAL has no driver OMEZARR; set GDAL_DRIVER_PATH to the folder of gdal_OMEZARR.so\n", stderr);
    else if (source != NULL) {
        GDALDatasetH planned =
            GDALCreateCopy(driver, "/vsimem/omezarr-plan.ome.zarr", source, FALSE, options, NULL, NULL);
        code = planned != NULL ? 0 : 1;
        if (planned != NULL)
            GDALClose(planned);
    }
    if (source != NULL)
        GDALClose(source);
    CSLDestroy(options);
    return code;
}

static void print_finding(void *user, const char *kind, const char *text)
{
    (void)user;
    printf("%s: %s\n", kind, text);
}

static int verify(int n_arguments, char **arguments)
{
    static const int codes[] = {
        [VERIFY_WHOLE] = EXIT_FINE, [VERIFY_DAMAGED] = EXIT_DAMAGE, [VERIFY_UNREADABLE] = EXIT_UNREADABLE};
    char message[1200], **limits = NULL;
    const char *names[2] = {NULL, NULL}, *unexpected = NULL;
    for (int i = 0; i < n_arguments && !unexpected; i++) {
        if (strcmp(arguments[i], "-oo") == 0 && i + 1 < n_arguments)
            limits = CSLAddString(limits, arguments[++i]);
        else if (names[1] || arguments[i][0] == '-')
            unexpected = arguments[i];
        else
            names[names[0] ? 1 : 0] = arguments[i];
    }
    if (unexpected || !names[0]) {
        CSLDestroy(limits);
        fprintf(stderr, unexpected ? "omezarr: unexpected argument %s\n" : "omezarr: no store is named\n", unexpected);
        return usage(stderr, EXIT_USAGE);
    }
    GDALDatasetH source = NULL;
    if (names[1]) {
        source = GDALOpenEx(names[1], GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, NULL, NULL, NULL);
        if (source == NULL) {
            CSLDestroy(limits);
            return EXIT_UNREADABLE;
        }
    }
    verification all = {.store = names[0], .source = source, .limits = limits, .tell = print_finding};
    int code = codes[verify_store(&all, message, sizeof message)];
    if (message[0])
        fprintf(stderr, "omezarr: %s\n", message);
    if (code == EXIT_FINE)
        printf("%s: %s\n", verify_path(names[0]), verify_praise(&all));
    if (source)
        GDALClose(source);
    CSLDestroy(limits);
    return code;
}

/* What validate has been told. */
typedef struct {
    int is_strict, is_lenient, as_json;
    int n_broken, n_in_message;
} verdict;

/* As the inside of a JSON text. */
static void print_escaped(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == '"' || *p == '\\' || *p < 0x20)
            printf("\\u%04x", *p);
        else
            putchar(*p);
}

static void hear_finding(void *user, int32_t kind, const char *text)
{
    verdict *v = user;
    int is_tolerated = kind == NGFF_FINDING_TOLERABLE && v->is_lenient;
    int is_broken = kind == NGFF_FINDING_INVALID || (kind == NGFF_FINDING_TOLERABLE && !v->is_lenient) ||
                    (kind == NGFF_FINDING_ADVICE && v->is_strict);
    if (!v->as_json)
        print_finding(NULL, is_tolerated ? "tolerated" : finding_word(kind), text);
    else if (kind == NGFF_FINDING_UNREAD)
        fprintf(stderr, "omezarr: %s\n", text);
    else if (is_broken || is_tolerated) {
        fputs(v->n_in_message++ == 0 ? "{\"message\":\"" : "; ", stdout);
        fputs(is_tolerated ? "tolerated: " : "", stdout);
        print_escaped(text);
    }
    v->n_broken += is_broken;
}

static int validate(int n_arguments, char **arguments)
{
    verdict v = {0};
    const char *path = NULL;
    char **options = NULL;
    int is_usage = 0;
    for (int i = 0; i < n_arguments; i++) {
        if (strcmp(arguments[i], "-oo") == 0 && i + 1 < n_arguments)
            options = CSLAddString(options, arguments[++i]);
        else if (strcmp(arguments[i], "--strict") == 0)
            v.is_strict = 1;
        else if (strcmp(arguments[i], "--lenient") == 0)
            v.is_lenient = 1;
        else if (strcmp(arguments[i], "--json") == 0)
            v.as_json = 1;
        else if (path == NULL && arguments[i][0] != '-')
            path = arguments[i];
        else
            is_usage = 1;
    }
    if (path == NULL || is_usage) {
        CSLDestroy(options);
        return usage(stderr, EXIT_USAGE);
    }
    int32_t status = ngff_validate(path, (const char *const *)options, hear_finding, &v);
    CSLDestroy(options);
    int is_read = status == NGFF_OK || status == NGFF_E_CORRUPT, is_valid = is_read && v.n_broken == 0;
    if (v.as_json && v.n_in_message > 0)
        printf("\",\"valid\":%s}\n", is_valid ? "true" : "false");
    else if (is_valid)
        puts(v.as_json ? "{\"valid\":true}" : "valid");
    if (!is_read)
        return EXIT_UNREADABLE;
    return v.as_json || v.n_broken == 0 ? EXIT_FINE : EXIT_DAMAGE;
}

int main(int n_arguments, char **arguments)
{
    GDALAllRegister();
    n_arguments = GDALGeneralCmdLineProcessor(n_arguments, &arguments, GDAL_OF_RASTER);
    if (n_arguments < 1)
        return -n_arguments;
    int code;
    if (n_arguments >= 2 && strcmp(arguments[1], "plan") == 0)
        code = plan(n_arguments - 2, arguments + 2);
    else if (n_arguments >= 2 && strcmp(arguments[1], "verify") == 0)
        code = verify(n_arguments - 2, arguments + 2);
    else if (n_arguments >= 2 && strcmp(arguments[1], "validate") == 0)
        code = validate(n_arguments - 2, arguments + 2);
    else if (n_arguments >= 2 && strcmp(arguments[1], "--help") == 0)
        code = usage(stdout, 0);
    else
        code = usage(stderr, 2);
    CSLDestroy(arguments);
    GDALDestroyDriverManager();
    return code;
}
