/* make_input KIND OUT.tif WIDTH HEIGHT: one deterministic, natural-looking, uncompressed tiled GeoTIFF.
 *
 * A picture is the sum of smooth noise at several wavelengths, cells with sharp, warped borders (fields, tissue), and
 * sensor noise: it compresses like real imagery, and the same call gives the same bytes on every machine.
 *   rgb8  slide or aerial picture: 3 x uint8, pixel-interleaved, with white background
 *   u16   satellite band: uint16 with a slanted collar of zeros, about 12 % of the picture
 *   f32   elevation: float32 with nodata -9999 */
#include <gdal.h>
#include <cpl_string.h>
#include <math.h>
#include <ogr_srs_api.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TILE 512

/* -- Noise ------------------------------------------------------------------------------------------------------ */

static uint32_t hash(uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t h = x * 0x9E3779B1u ^ y * 0x85EBCA77u ^ seed * 0xC2B2AE3Du;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    return h ^ h >> 15;
}

static float uniform(uint32_t h) /* 0 to 1 */
{
    return (float)(h >> 8) * (1.0f / 16777216.0f);
}

static float normal(uint32_t h) /* the sum of four bytes: near enough to a Gaussian of sigma 1 */
{
    int sum = (int)(h & 255) + (int)(h >> 8 & 255) + (int)(h >> 16 & 255) + (int)(h >> 24) - 510;
    return (float)sum * (1.0f / 147.8f);
}

static float smooth(float t)
{
    return t * t * (3 - 2 * t);
}

/* Adds smooth noise of one wavelength, between -amplitude/2 and amplitude/2, to one row. */
static void add_noise(float *row, float *lattice, int width, int y, int wavelength, float amplitude, uint32_t seed)
{
    uint32_t line = (uint32_t)(y / wavelength);
    float down = smooth((float)(y % wavelength) / (float)wavelength);
    for (int i = 0; i < width / wavelength + 2; i++) {
        float above = uniform(hash((uint32_t)i, line, seed)), below = uniform(hash((uint32_t)i, line + 1, seed));
        lattice[i] = (above + (below - above) * down - 0.5f) * amplitude;
    }
    for (int x = 0; x < width; x++) {
        int i = x / wavelength;
        row[x] += lattice[i] + (lattice[i + 1] - lattice[i]) * smooth((float)(x % wavelength) / (float)wavelength);
    }
}

typedef struct {
    float *a, *b, *warp_x, *warp_y, *lattice, *region;
} scratch;

/* One row of the landscape, about -1 to 1: noise of six wavelengths, and cells of 300 pixels with warped borders. */
static void landscape(float *row, scratch *s, int width, int y, uint32_t seed)
{
    static const struct {
        int wavelength;
        float amplitude;
    } octave[] = {{4096, 1.0f}, {1024, 0.7f}, {256, 0.4f}, {64, 0.2f}, {16, 0.1f}, {4, 0.04f}};
    size_t bytes = (size_t)width * sizeof *row;
    memset(row, 0, bytes);
    memset(s->warp_x, 0, bytes);
    memset(s->warp_y, 0, bytes);
    for (uint32_t i = 0; i < sizeof octave / sizeof *octave; i++)
        add_noise(row, s->lattice, width, y, octave[i].wavelength, octave[i].amplitude, seed * 16 + i);
    add_noise(s->warp_x, s->lattice, width, y, 512, 500, seed + 1001);
    add_noise(s->warp_x, s->lattice, width, y, 32, 12, seed + 1002);
    add_noise(s->warp_y, s->lattice, width, y, 512, 500, seed + 2001);
    add_noise(s->warp_y, s->lattice, width, y, 32, 12, seed + 2002);
    for (int x = 0; x < width; x++) {
        uint32_t cell_x = (uint32_t)((float)x + s->warp_x[x] + 4096) / 300;
        uint32_t cell_y = (uint32_t)((float)y + s->warp_y[x] + 4096) / 300;
        row[x] += (uniform(hash(cell_x, cell_y, seed + 77)) - 0.5f) * 0.7f;
    }
}

static float clamp(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

/* -- The three kinds of picture: one row each -------------------------------------------------------------------- */

typedef void (*row_maker)(void *pixels, scratch *s, int width, int height, int y);

static void make_rgb8(void *pixels, scratch *s, int width, int height, int y)
{
    (void)height;
    uint8_t *p = pixels;
    landscape(s->a, s, width, y, 1);
    landscape(s->b, s, width, y, 9);
    memset(s->region, 0, (size_t)width * sizeof *s->region);
    add_noise(s->region, s->lattice, width, y, 3000, 1, 501);
    add_noise(s->region, s->lattice, width, y, 500, 0.3f, 502);
    add_noise(s->region, s->lattice, width, y, 40, 0.06f, 503);
    for (int x = 0; x < width; x++) {
        float a = s->a[x], b = s->b[x];
        float colour[3] = {175 + 45 * a, 110 + 55 * (0.8f * a + 0.4f * b), 165 + 40 * (0.6f * a + 0.5f * b)};
        for (uint32_t band = 0; band < 3; band++) {
            float noise = 1.3f * normal(hash((uint32_t)x, (uint32_t)y, 700 + band));
            p[3 * x + (int)band] = s->region[x] < -0.2f ? 255 : (uint8_t)clamp(colour[band] + noise + 0.5f, 0, 255);
        }
    }
}

static void make_u16(void *pixels, scratch *s, int width, int height, int y)
{
    uint16_t *p = pixels;
    landscape(s->a, s, width, y, 3);
    int collar = (int)ceil(0.24 * width * (1.0 - (double)y / height));
    for (int x = 0; x < width; x++) {
        float value = 1800 + 900 * s->a[x];
        value += (6 + value * 0.006f) * normal(hash((uint32_t)x, (uint32_t)y, 800));
        p[x] = x < collar ? 0 : (uint16_t)clamp(value + 0.5f, 1, 10000);
    }
}

static void make_f32(void *pixels, scratch *s, int width, int height, int y)
{
    (void)height;
    float *p = pixels;
    landscape(s->a, s, width, y, 4);
    memset(s->region, 0, (size_t)width * sizeof *s->region);
    add_noise(s->region, s->lattice, width, y, 2000, 1, 601);
    add_noise(s->region, s->lattice, width, y, 100, 0.1f, 602);
    for (int x = 0; x < width; x++) {
        float value = 400 + 250 * s->a[x] + 0.05f * normal(hash((uint32_t)x, (uint32_t)y, 900));
        p[x] = s->region[x] < -0.3f ? -9999.0f : rintf(value * 64) / 64;
    }
}

static const struct {
    const char *name;
    GDALDataType type;
    int bands, pixel_bytes;
    row_maker make;
} kinds[] = {
    {"rgb8", GDT_Byte, 3, 3, make_rgb8},
    {"u16", GDT_UInt16, 1, 2, make_u16},
    {"f32", GDT_Float32, 1, 4, make_f32},
};

/* -- The file ---------------------------------------------------------------------------------------------------- */

static GDALDatasetH create(const char *path, int kind, int width, int height)
{
    static const double geotransform[6] = {300000, 10, 0, 5700000, 0, -10};
    const char *options[] = {"TILED=YES",
                             "BLOCKXSIZE=512",
                             "BLOCKYSIZE=512",
                             "BIGTIFF=IF_SAFER",
                             kinds[kind].bands == 3 ? "INTERLEAVE=PIXEL" : "INTERLEAVE=BAND",
                             kinds[kind].bands == 3 ? "PHOTOMETRIC=RGB" : NULL,
                             NULL};
    GDALDatasetH file = GDALCreate(GDALGetDriverByName("GTiff"), path, width, height, kinds[kind].bands,
                                   kinds[kind].type, (char **)options);
    if (!file)
        return NULL;
    OGRSpatialReferenceH crs = OSRNewSpatialReference(NULL);
    OSRImportFromEPSG(crs, 32631);
    GDALSetSpatialRef(file, crs);
    OSRDestroySpatialReference(crs);
    GDALSetGeoTransform(file, (double *)geotransform);
    if (kinds[kind].type == GDT_Float32)
        GDALSetRasterNoDataValue(GDALGetRasterBand(file, 1), -9999);
    return file;
}

static void make_rows(int kind, uint8_t *pixels, int width, int height, int first, int n_rows)
{
    size_t row_bytes = (size_t)width * (size_t)kinds[kind].pixel_bytes;
#pragma omp parallel
    {
        size_t n = (size_t)width + 8;
        float *memory = malloc(6 * n * sizeof *memory);
        if (!memory)
            abort();
        scratch s = {memory, memory + n, memory + 2 * n, memory + 3 * n, memory + 4 * n, memory + 5 * n};
#pragma omp for schedule(dynamic, 8)
        for (int y = 0; y < n_rows; y++)
            kinds[kind].make(pixels + (size_t)y * row_bytes, &s, width, height, first + y);
        free(memory);
    }
}

int main(int argc, char **argv)
{
    int kind = 0, n_kinds = (int)(sizeof kinds / sizeof *kinds);
    while (argc == 5 && kind < n_kinds && strcmp(argv[1], kinds[kind].name) != 0)
        kind++;
    if (argc != 5 || kind == n_kinds) {
        fprintf(stderr, "usage: make_input rgb8|u16|f32 OUT.tif WIDTH HEIGHT\n");
        return 2;
    }
    int width = atoi(argv[3]), height = atoi(argv[4]), bands = kinds[kind].bands;
    GDALAllRegister();
    GDALDatasetH file = create(argv[2], kind, width, height);
    uint8_t *pixels = malloc((size_t)width * TILE * (size_t)kinds[kind].pixel_bytes);
    if (!file || !pixels)
        return 1;
    for (int y = 0; y < height; y += TILE) {
        int n_rows = height - y < TILE ? height - y : TILE, pixel = kinds[kind].pixel_bytes;
        make_rows(kind, pixels, width, height, y, n_rows);
        if (GDALDatasetRasterIO(file, GF_Write, 0, y, width, n_rows, pixels, width, n_rows, kinds[kind].type, bands,
                                NULL, pixel, pixel * width, bands == 3) != CE_None)
            return 1;
    }
    GDALClose(file);
    free(pixels);
    return 0;
}
