/* Where an image lies by what others write. Documents by hand, on real files; the numbers are worked out on paper. */
#include "ngff.h"
#include "place.h"

/* 6 x 4 pixels of 2 x 3 (y, x), the centre of the first at (10, 20). more: of the entry of "multiscales"; attributes: of
 * level 0's array. */
static void make_store(const char *more, const char *attributes)
{
    char text[4000];
    snprintf(
        text, sizeof text,
        "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{\"ome\":{\"version\":\"0.6\",\"multiscales\":[{"
        "\"name\":\"a\",\"axes\":[{\"name\":\"y\",\"type\":\"space\"},{\"name\":\"x\",\"type\":\"space\"}],"
        "\"datasets\":[{\"path\":\"0\",\"coordinateTransformations\":[{\"type\":\"scale\",\"scale\":[2,3]},"
        "{\"type\":\"translation\",\"translation\":[10,20]}]}]%s}]}}}",
        more);
    write_text("a/zarr.json", text);
    snprintf(text, sizeof text,
             "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[6,4],\"data_type\":\"uint8\",\"chunk_grid\":{"
             "\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[6,4]}},\"chunk_key_encoding\":{\"name\":"
             "\"default\"},\"fill_value\":0,\"codecs\":[{\"name\":\"bytes\"}],\"attributes\":{%s},"
             "\"dimension_names\":[\"y\",\"x\"]}",
             attributes);
    write_text("a/0/zarr.json", text);
}

static void make_mapping(const char *attributes)
{
    char text[1000];
    snprintf(text, sizeof text, "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{%s}}", attributes);
    write_text("a/crs/zarr.json", text);
}

/* n values first, first + step ... of one byte, which are an array without a codec. */
static void make_line(const char *name, int n, int first, int step)
{
    char text[1000], key[40];
    uint8_t values[16];
    snprintf(text, sizeof text,
             "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[%d],\"data_type\":\"uint8\",\"chunk_grid\":{"
             "\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[%d]}},\"chunk_key_encoding\":{\"name\":"
             "\"default\"},\"fill_value\":0,\"codecs\":[{\"name\":\"bytes\"}],\"attributes\":{}}",
             n, n);
    snprintf(key, sizeof key, "a/%s/zarr.json", name);
    write_text(key, text);
    for (int i = 0; i < n; i++)
        values[i] = (uint8_t)(first + i * step);
    snprintf(key, sizeof key, "a/%s/c/0", name);
    write_bytes(key, values, (size_t)n);
}

/* The six numbers, or NULL for no position; the texts that go with it. */
static void expect(const double *six, const char *system, const char *wkt)
{
    double found[6] = {0};
    const char *its_system = "", *its_wkt = "";
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_TEXT(ngff_reader_error(reader), "");
    CHECK_INT(ngff_reader_position(reader, found, &its_system, &its_wkt), six != NULL);
    for (int i = 0; i < 6; i++)
        CHECK(found[i] == (six ? six[i] : 0)); /* nothing is filled in for nothing */
    CHECK(system ? its_system && strcmp(system, its_system) == 0 : its_system == NULL);
    CHECK(wkt ? its_wkt && strcmp(wkt, its_wkt) == 0 : its_wkt == NULL);
    CHECK_TEXT(ngff_reader_error(reader), "");
    ngff_reader_free(reader);
    remove_below("a");
}

#define SYSTEMS(first, second)                                                                                         \
    ",\"coordinateSystems\":[{\"name\":\"physical\",\"axes\":[{\"name\":\"y\"},{\"name\":\"x\"}]},{\"name\":"          \
    "\"EPSG:32633\",\"axes\":[{\"name\":\"" first "\"},{\"name\":\"" second "\"}]}]"
#define AFFINE(rows)                                                                                                   \
    ",\"coordinateTransformations\":[{\"type\":\"affine\",\"input\":\"physical\",\"output\":\"EPSG:32633\","           \
    "\"affine\":" rows "}]"

/* The corner is at y = 10 - 1, x = 20 - 1.5. north = -y + 5 x + 100, east = 7 y + x + 1000: at the corner 183.5 and 1081.5;
 * a column adds 3 x, a row 2 y. */
static const double turned[6] = {1081.5, 3, 14, 183.5, 15, -2};

static void an_affine_leads_to_its_system(void)
{
    make_store(SYSTEMS("northing", "easting") AFFINE("[[-1,5,100],[7,1,1000]]"), "");
    expect(turned, "EPSG:32633", NULL);
    make_store(SYSTEMS("Lon", "lat") AFFINE("[[7,1,1000],[-1,5,100]]"), ""); /* east comes first */
    expect(turned, "EPSG:32633", NULL);
}

static void an_affine_that_cannot_be_taken_is_left_out(void)
{
    static const char *const rows[] = {SYSTEMS("y", "x") AFFINE("[[1,2,0],[2,4,0]]"),     /* no inverse */
                                       SYSTEMS("y", "x") AFFINE("[[1,2],[2,3]]"),         /* no constants */
                                       SYSTEMS("y", "x") AFFINE("[[1,\"2\",0],[2,3,0]]"), /* no number */
                                       AFFINE("[[1,0,5],[0,1,6]]")}; /* before 0.6 the levels have it already */
    for (int i = 0; i < 4; i++) {
        make_store(rows[i], "");
        expect(NULL, NULL, NULL);
    }
}

static void cf_says_it_by_six_numbers(void)
{
    const double six[6] = {440720, 60, 0, 3751320, 0, -60};
    make_store("", "\"grid_mapping\":\"crs: x y\"");
    make_mapping(
        "\"crs_wkt\":\"PROJCS[]\",\"spatial_ref\":\"no\",\"GeoTransform\":\"440720.0 60.0 0.0 3751320.0 0.0 -60.0\"");
    expect(six, NULL, "PROJCS[]");
    make_store("", "\"grid_mapping\":\"crs\"");
    make_mapping("\"spatial_ref\":\"LOCAL_CS[]\",\"GeoTransform\":\"1 2 3 4 5\""); /* one too few */
    expect(NULL, NULL, "LOCAL_CS[]");
    make_store("", "\"grid_mapping\":\"crs\""); /* and nothing of this name */
    expect(NULL, NULL, NULL);
}

static void cf_says_it_by_centres(void)
{
    const double six[6] = {8.5, 3, 0, 101, 0, -2};
    make_store("", "\"grid_mapping\":\"crs\"");
    make_mapping("\"crs_wkt\":\"PROJCS[]\"");
    make_line("x", 4, 10, 3);
    make_line("y", 6, 100, -2);
    expect(six, NULL, "PROJCS[]");
}

static void who_has_a_position_asks_for_the_system_alone(void)
{
    const char *system, *wkt;
    make_store(SYSTEMS("y", "x") AFFINE("[[-1,5,100],[7,1,1000]]"), "\"grid_mapping\":\"crs\"");
    make_mapping("\"crs_wkt\":\"PROJCS[]\",\"GeoTransform\":\"1 2 0 4 0 5\"");
    ngff_reader *reader = ngff_reader_open(below("a"));
    CHECK_INT(ngff_reader_position(reader, NULL, &system, &wkt), 0);
    CHECK(system == NULL);
    CHECK_TEXT(wkt, "PROJCS[]");
    ngff_reader_free(reader);
    remove_below("a");
    double six[6];
    reader = ngff_reader_open(below("a")); /* nothing is there */
    CHECK_INT(ngff_reader_position(reader, six, &system, &wkt), 0);
    CHECK(system == NULL && wkt == NULL);
    ngff_reader_free(reader);
}

int main(void)
{
    place_begin();
    RUN(an_affine_leads_to_its_system);
    RUN(an_affine_that_cannot_be_taken_is_left_out);
    RUN(cf_says_it_by_six_numbers);
    RUN(cf_says_it_by_centres);
    RUN(who_has_a_position_asks_for_the_system_alone);
    place_end();
    CHECK_EXIT();
}
