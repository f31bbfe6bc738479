/* ngff.h: the whole public C ABI of libngff, a writer and reader of OME-Zarr (NGFF) multiscale images.
 *
 * Three steps write an image: describe it (ngff_image), plan its levels (ngff_plan), write it (ngff_writer).
 * One step reads it: ngff_reader.
 *
 *   - Handles are opaque. Every `create`/`open` returns a handle, or NULL only when memory is out; what went wrong
 *     stays in the handle (`*_status`, `*_error`), and after the first error every further call is harmless.
 *   - `*_status` of a NULL handle is NGFF_E_ARGUMENT, its `*_error` says so; `*_close` of one returns the same.
 *   - Arrays of per-axis values have one entry per axis of the image, slowest axis first (a subset of t,c,z,y,x in
 *     this order). Shapes, origins and extents are in pixels; strides are in bytes.
 *   - Strings are UTF-8. Returned `const char *` belong to the handle and live until it is freed or, where said so,
 *     until the next call. `free` functions take NULL.
 *   - Options are NAME=VALUE strings in a NULL-terminated list; docs/driver.md has the table, ngff_options_text prints it.
 *   - One handle takes one call at a time, unless a function says otherwise.
 *   - After fork, a child may use and free the images, plans and readers that it has inherited, if no other thread was in
 *     a call of the reader at that moment. A writer stays its parent's: in the child every call of it is NGFF_E_STATE,
 *     and freeing it leaves the store alone. */
#ifndef NGFF_H
#define NGFF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the library is linked statically its host defines NGFF_STATIC; NGFF_BUILDING is for the library's own build. */
#if defined(NGFF_STATIC)
#define NGFF_API
#elif defined(_WIN32) && defined(NGFF_BUILDING)
#define NGFF_API __declspec(dllexport)
#elif defined(_WIN32)
#define NGFF_API __declspec(dllimport)
#elif defined(__GNUC__)
#define NGFF_API __attribute__((visibility("default")))
#else
#define NGFF_API
#endif

/* -- Status codes: 0 is success, negative is failure. The numbers are pinned. ---------------------------------- */

#define NGFF_OK 0
#define NGFF_E_MEMORY (-10)      /* an allocation failed */
#define NGFF_E_ARGUMENT (-20)    /* the caller broke a rule of this header */
#define NGFF_E_OPTION (-30)      /* an option is unknown, malformed or contradicts another */
#define NGFF_E_UNSUPPORTED (-40) /* a valid request that this library cannot serve */
#define NGFF_E_EXISTS (-50)      /* the destination exists and OVERWRITE=YES was not given, or is not ours */
#define NGFF_E_NOT_FOUND (-60)   /* no such store, array or object */
#define NGFF_E_STORAGE (-70)     /* the storage refused a read, write, close, rename or delete */
#define NGFF_E_REFUSED (-71)     /* only from a store of the host: who asks may not */
#define NGFF_E_AGAIN (-72)       /* only from a store of the host: it may go better the next time */
#define NGFF_E_CORRUPT (-80)     /* stored bytes or metadata are not what they must be */
#define NGFF_E_STATE (-90)       /* the call does not fit the state of the handle */
#define NGFF_E_CANCELLED (-100)  /* the caller asked to stop */

/* -- Pixel types. The numbers are pinned. ---------------------------------------------------------------------- */

#define NGFF_UINT8 1
#define NGFF_INT8 2
#define NGFF_UINT16 3
#define NGFF_INT16 4
#define NGFF_UINT32 5
#define NGFF_INT32 6
#define NGFF_UINT64 7
#define NGFF_INT64 8
#define NGFF_FLOAT16 9
#define NGFF_FLOAT32 10
#define NGFF_FLOAT64 11
#define NGFF_COMPLEX64 12  /* two float32 */
#define NGFF_COMPLEX128 13 /* two float64 */

/* What the pixels mean; it decides the default way of making levels. */
#define NGFF_KIND_INTENSITY 0 /* measured values: levels by mean */
#define NGFF_KIND_RGB 1       /* the first three channels are red, green, blue */
#define NGFF_KIND_LABEL 2     /* palette indices, classes: levels by mode, never a mean */

/* -- Library --------------------------------------------------------------------------------------------------- */

/* The version of the library, "major.minor.patch". Static storage. */
NGFF_API const char *ngff_version(void);

/* A short English name of a status code. Static storage. */
NGFF_API const char *ngff_status_text(int32_t status);

/* The option table. format: "gdal" gives GDAL's CreationOptionList XML, "markdown" the table of docs/driver.md.
 * Returns a new string for ngff_string_free, or NULL when memory is out or the format is unknown. */
NGFF_API char *ngff_options_text(const char *format);
NGFF_API void ngff_string_free(char *text);

/* 1 where ngff_plan_create has something to say about an option of this name: it is one, or a slip of one (an error that
 * names the nearest), or one of another format (an error that says what to use). 0: it is none of the library's; a host that
 * passes on the options of others leaves it out. */
NGFF_API int32_t ngff_options_know(const char *name);

/* What the option AXES of a list says: the letters of its axes (t, c, z) in the order typed, with their sizes. dims: room
 * for 6 bytes; sizes: for 5 values. Returns their number, 0 where AXES is not given, or an error where any option of the
 * list is wrong. error: room for error_size bytes of message or NULL. */
NGFF_API int32_t ngff_options_axes(const char *const *options, char *dims, int64_t *sizes, char *error,
                                   int64_t error_size);

/* The UDUNITS-2 name of a unit in any spelling that ngff_image_set_unit takes. axis: "t" takes times, "z", "y" and "x"
 * lengths. NULL if it is no such unit. Static storage. */
NGFF_API const char *ngff_unit_name(const char *axis, const char *spelling);

/* Bytes of one pixel of a data type, 0 for an unknown type. */
NGFF_API int32_t ngff_type_size(int32_t data_type);
/* Its name, as Zarr v3 and numpy have it: "uint8", "complex64"; NULL for an unknown type, so that NGFF_UINT8 and on give
 * all there are. Static storage. The other way: the type of a name, 0 where it is none. */
NGFF_API const char *ngff_type_name(int32_t data_type);
NGFF_API int32_t ngff_type_by_name(const char *name);

/* The value of the option SIZES by which a level has its shape: "FLOOR" where it has fewer pixels on an axis than
 * whole / factor, rounded up; else "CEIL". whole: the shape of level 0; factor: of the level, 1 or more on each axis. Static
 * storage. */
NGFF_API const char *ngff_sizes_by(int32_t rank, const int64_t *whole, const int64_t *level, const int64_t *factor);

/* -- Image: what the pixels are -------------------------------------------------------------------------------- */

typedef struct ngff_image ngff_image;

/* A new image description. dims: axis names, slowest first, a subset of "tczyx" in this order that ends in "yx"
 * (so rank 2 to 5); shape: one size >= 1 per axis; data_type: NGFF_UINT8 ...
 * Defaults as in ngff-zarr: scale 1, translation 0, name "image", no units. */
NGFF_API ngff_image *ngff_image_create(const char *dims, const int64_t *shape, int32_t data_type);
NGFF_API void ngff_image_free(ngff_image *image);
NGFF_API int32_t ngff_image_status(const ngff_image *image);
NGFF_API const char *ngff_image_error(const ngff_image *image);

/* Physical size of a pixel per axis, > 0, in the axis' unit. */
NGFF_API int32_t ngff_image_set_scale(ngff_image *image, const double *scale);
/* Physical position of the centre of the first pixel per axis. */
NGFF_API int32_t ngff_image_set_translation(ngff_image *image, const double *translation);
/* UDUNITS-2 name of an axis' unit ("micrometer", "second"); common spellings ("um", "metre") are accepted and stored
 * by their full name. NULL or "" removes it. axis counts from 0, slowest first. Only t, z, y, x may have one. */
NGFF_API int32_t ngff_image_set_unit(ngff_image *image, int32_t axis, const char *unit);
/* Where an axis of space leads in a body, as RFC-4 has it: "left-to-right", "anterior-to-posterior" and the like; an error
 * lists them. NULL or "" removes it. */
NGFF_API int32_t ngff_image_set_orientation(ngff_image *image, int32_t axis, const char *orientation);
/* The multiscales name. */
NGFF_API int32_t ngff_image_set_name(ngff_image *image, const char *name);
/* NGFF_KIND_*. */
NGFF_API int32_t ngff_image_set_kind(ngff_image *image, int32_t kind);
/* What the values of a label image (option LABELS) mean, as "image-label" has it: colors and properties, JSON text of a
 * list [{"label-value": 1, "rgba": [255, 0, 0, 255]}, ...] and [{"label-value": 1, "name": "nucleus"}, ...], or NULL.
 * is_table: the colours are a whole table, of which those are written whose value occurs in the pixels or has
 * properties. */
NGFF_API int32_t ngff_image_set_label(ngff_image *image, const char *colors, const char *properties, int32_t is_table);
typedef struct ngff_reader ngff_reader;
/* The image, planned with LABELS=YES, will lie beside another, in the store of which `of` is the image: name is its place
 * there ("labels/cells"). It gets that image's scale, translation, units of its axes, NGFF version, number and factors of
 * levels; NGFF_E_ARGUMENT where sizes do not fit. ngff_writer_open then takes the path of that store, adds the label image
 * and lists it; a store in one file (.ozx) is refused. ngff_writer_open_series makes it together with its image, of which
 * ngff_writer_reader is the reader. */
NGFF_API int32_t ngff_image_set_label_of(ngff_image *image, const ngff_reader *of, const char *name);
/* Display label and colour (6 hexadecimal digits RRGGBB) of a channel; NULL leaves the default. An image without
 * axis c has one channel, 0. */
NGFF_API int32_t ngff_image_set_channel(ngff_image *image, int64_t channel, const char *label, const char *color);
/* Display range of a channel; without it the writer computes one. */
NGFF_API int32_t ngff_image_set_window(ngff_image *image, int64_t channel, double start, double end);
/* 1: the smallest values of a channel are shown brightest, as in a TIFF whose zero is white. Viewers that do not know of it
 * show the negative. */
NGFF_API int32_t ngff_image_set_inverted(ngff_image *image, int64_t channel, int32_t is_inverted);
/* The values between which a viewer lets its user move the display range; without it those of the pixels, or of the type
 * where that has 8 bits. */
NGFF_API int32_t ngff_image_set_range(ngff_image *image, int64_t channel, double min, double max);
/* Whether a viewer shows the channel at first; without it the first six that are no alpha channel are. */
NGFF_API int32_t ngff_image_set_active(ngff_image *image, int64_t channel, int32_t is_active);
/* What a viewer shows at first: the planes on t and z, counted from 0 (0 where there is no such axis), and channels in
 * their colours (1) or one of them in grey (0). -1 leaves the default: the first t, the middle z, colours if there are
 * several channels. */
NGFF_API int32_t ngff_image_set_view(ngff_image *image, int64_t t, int64_t z, int32_t has_colors);
/* The pixel value that means "no data" in a channel (-1: in all). value points to one pixel of the image's type.
 * Such pixels, and NaN always, are left out of levels, statistics and windows. */
NGFF_API int32_t ngff_image_set_nodata(ngff_image *image, int64_t channel, const void *value);
/* This channel holds the opacity of all the others: a pixel counts in a level only where it is not 0. */
NGFF_API int32_t ngff_image_set_alpha(ngff_image *image, int64_t channel);
/* The image comes with a mask, one uint8 per pixel of axes y, x (0 = invalid), passed beside the pixels: one for all
 * channels and all planes on t and z, so that it is the same with each region of the same y, x. One that differs is
 * NGFF_E_ARGUMENT; where pixels are pushed the last one counts. */
NGFF_API int32_t ngff_image_set_mask(ngff_image *image, int32_t has_mask);
/* Georeference. affine: GDAL's six numbers (pixel corner to CRS; x = a0 + a1*col + a2*row, y = a3 + a4*col + a5*row)
 * or NULL; code: "EPSG:32633" or NULL; wkt (WKT 2), projjson: text or NULL; is_geographic: axes are
 * longitude/latitude. */
NGFF_API int32_t ngff_image_set_georeference(ngff_image *image, const double *affine, const char *code, const char *wkt,
                                             const char *projjson, int32_t is_geographic);
/* One member of the attribute block "omezarr" in the root metadata, which keeps what NGFF has no place for.
 * json: any JSON value. A value above 64 KiB is stored as a one-dimensional uint8 array inside the store. */
NGFF_API int32_t ngff_image_set_attribute(ngff_image *image, const char *name, const char *json);

/* -- Plan: levels, chunks, objects, bytes, memory -------------------------------------------------------------- */

typedef struct ngff_plan ngff_plan;

/* Resolves image and options into a plan. The plan keeps a copy of the image, and options that describe the image (NAME,
 * AXIS_SCALE, CHANNEL_NAMES ...) are applied to this copy: the caller's may be changed, planned again, or freed.
 * Warnings (such as a type that viewers cannot show) are in ngff_plan_warning. */
NGFF_API ngff_plan *ngff_plan_create(ngff_image *image, const char *const *options);
NGFF_API void ngff_plan_free(ngff_plan *plan);
NGFF_API int32_t ngff_plan_status(const ngff_plan *plan);
NGFF_API const char *ngff_plan_error(const ngff_plan *plan);

/* How the source is best read: block, the box that it decodes at once per axis (NULL: no preference), and n_readers,
 * the number of threads that will call next/map/commit/write at the same time (>= 1). Before ngff_writer_open.
 *
 * A host that has its pixels plane by plane must say so: block is 1 on all axes but y and x, and there the whole plane.
 * Then ngff_writer_next gives the region of all planes that a chunk holds; the host reads one plane of it after the other
 * and gives each to ngff_writer_write. Each plane is read once, and the planes of a chunk are what waits in memory: where
 * neither BLOCKSIZE nor SHARD says how deep chunks are on axis z, this call chooses fewer planes for large ones (16, 8, 4,
 * 2 or 1: at most 512 MiB, or half of MEMORY where it is given), so that chunks, shards and the number of objects are
 * known after it. Where BLOCKSIZE asks for more than MEMORY holds, regions are parts of planes, each plane is read once
 * for each of them, and a warning says how often, and what MEMORY would do. Without this call regions are single chunks:
 * a plane is then read once for each chunk that it meets, or, where planes are written in any order, what does not fit
 * into MEMORY goes to scratch files and comes back for each plane. */
NGFF_API int32_t ngff_plan_set_source(ngff_plan *plan, const int64_t *block, int32_t n_readers);

/* Bytes of decoded blocks that the caller keeps while it reads the source, beside the regions themselves: never less than
 * least, and up to wanted (>= least >= 0; 0, 0 as long as nothing is said) as far as MEMORY allows. Both are part of
 * ngff_plan_memory, and MEMORY is raised to hold least; ngff_plan_source_memory then says what the caller may keep.
 * Before ngff_writer_open. */
NGFF_API int32_t ngff_plan_set_source_memory(ngff_plan *plan, int64_t least, int64_t wanted);

/* What tells this source apart from another or from a later state of itself (names, sizes, times): RESUME=YES goes on
 * only where an earlier run had the same text. Before ngff_writer_open. */
NGFF_API int32_t ngff_plan_set_fingerprint(ngff_plan *plan, const char *text);

/* The caller has the pixels of this level (1 or above) and will write them through the ngff_writer_level_ functions
 * instead of letting the writer make it; levels above are made from it. Before ngff_writer_open. */
NGFF_API int32_t ngff_plan_set_given(ngff_plan *plan, int32_t level);

/* Members of the root's attributes beside those of NGFF and of this library, one JSON object: what others keep there, such as
 * where an image comes from. NGFF_E_ARGUMENT where it is none, or has a member that is not the caller's to set. In a change
 * in place, behind ngff_writer_open_update, they stand in for those that the store has. Before ngff_writer_close. */
NGFF_API int32_t ngff_plan_set_root_attributes(ngff_plan *plan, const char *json);

/* Pixels come later, from others or by a change in place: of the chunks that are not written nothing is said. The store
 * has no record of which chunks are there (by that one, those that others bring would not be looked at) and no
 * statistics; display ranges that nobody gives are those of the type. In a change in place the levels that are to be
 * made are left empty. Before ngff_writer_close. */
NGFF_API int32_t ngff_plan_set_unfilled(ngff_plan *plan);

/* One thing of the source that the store will not hold, in words: the file of the option REPORT lists them. Any number
 * of times, before ngff_writer_close. */
NGFF_API int32_t ngff_plan_add_loss(ngff_plan *plan, const char *text);

/* LAYOUT=BIOFORMATS2RAW: the number of the image among those of its store, 0 at first. Before ngff_writer_open_series. */
NGFF_API int32_t ngff_plan_set_series(ngff_plan *plan, int32_t number);
/* LAYOUT=BIOFORMATS2RAW: the text of OME/METADATA.ome.xml, a new string for ngff_string_free: what was set, else what the
 * library makes of the plan, an OME with one Image. NULL where there is none: another layout, a pixel type that OME-XML
 * does not know, or memory is out. */
NGFF_API char *ngff_plan_ome_xml(const ngff_plan *plan);
/* OME-XML that says more, such as the source's; that it is true of the plan is the host's business. NULL: the library's.
 * Before ngff_writer_close. */
NGFF_API int32_t ngff_plan_set_ome_xml(ngff_plan *plan, const char *text);

NGFF_API int32_t ngff_plan_level_count(const ngff_plan *plan);
/* Path of a level's array below the image's group, which is the store's root, or "0" with LAYOUT=BIOFORMATS2RAW: such as
 * "scale0/image"; NULL out of range. */
NGFF_API const char *ngff_plan_level_path(const ngff_plan *plan, int32_t level);
NGFF_API int32_t ngff_plan_level_shape(const ngff_plan *plan, int32_t level, int64_t *shape);
NGFF_API int32_t ngff_plan_level_chunk(const ngff_plan *plan, int32_t level, int64_t *chunk);
/* Extent of a shard, equal to the chunk where the level is not sharded. */
NGFF_API int32_t ngff_plan_level_shard(const ngff_plan *plan, int32_t level, int64_t *shard);
NGFF_API int32_t ngff_plan_level_scale(const ngff_plan *plan, int32_t level, double *scale);
NGFF_API int32_t ngff_plan_level_translation(const ngff_plan *plan, int32_t level, double *translation);
/* Most objects (files) that the store can have, metadata included; chunks that hold only fill are not stored. */
NGFF_API int64_t ngff_plan_object_count(const ngff_plan *plan);
/* Bytes of all levels before compression. */
NGFF_API int64_t ngff_plan_raw_size(const ngff_plan *plan);
/* Bytes that the writer will hold at most (docs/guarantees.md has the formula), those of them that the source may keep, and the
 * threads that compute. */
NGFF_API int64_t ngff_plan_memory(const ngff_plan *plan);
NGFF_API int64_t ngff_plan_source_memory(const ngff_plan *plan);
NGFF_API int32_t ngff_plan_thread_count(const ngff_plan *plan);
/* The plan in words, one line per level; owned by the plan. */
NGFF_API const char *ngff_plan_text(ngff_plan *plan);
/* Warning number index, NULL after the last. */
NGFF_API const char *ngff_plan_warning(const ngff_plan *plan, int32_t index);
/* The resolved value of an option as text, in the option table's spelling ("" where it has none), NULL for an unknown name.
 * Until the next call. */
NGFF_API const char *ngff_plan_option(ngff_plan *plan, const char *name);

/* -- Writer: pixels of level 0 in, a whole pyramid out --------------------------------------------------------- */

typedef struct ngff_writer ngff_writer;

/* Claims the destination. path: a plain path, with GDAL any VSI path, or one in a store of the host. An existing store is refused unless
 * OVERWRITE=YES; a folder that is not an OME-Zarr is always refused. Nothing opens there before ngff_writer_close
 * has succeeded. The plan is kept by reference count. With RESUME=YES the first call after it reads what an earlier run
 * has stored, and may fail for that; ngff_writer_cancel ends it. */
NGFF_API ngff_writer *ngff_writer_open(ngff_plan *plan, const char *path);
NGFF_API int32_t ngff_writer_status(const ngff_writer *writer);
NGFF_API const char *ngff_writer_error(const ngff_writer *writer);

/* A further image in the store that first (of ngff_writer_open) is making: number 1, 2 ... of LAYOUT=BIOFORMATS2RAW
 * (ngff_plan_set_series), or in any layout a label image (ngff_image_set_label_of) of the image that was opened last. All calls
 * of a writer go with it. It is opened when the image before is written: first takes no more
 * pixels from then on, and one further image is open at a time. Its ngff_writer_close makes it whole; first's comes last
 * and publishes all at once, and fails if one is not whole. It is freed before first is. OVERWRITE, RESUME, REPORT and
 * the OME-XML are first's, and ngff_writer_cancel of either means both. A resumed run keeps what each image has, and with REPORT
 * makes the further ones again. NULL where an argument is NULL or memory is out; other errors are in the handle. */
NGFF_API ngff_writer *ngff_writer_open_series(ngff_writer *first, ngff_plan *plan);

/* The next region of level 0 in the best order. Returns 1 and fills origin and extent, 0 after the last, or an error.
 * Advice only: regions may be written in any other order. Thread-safe. */
NGFF_API int32_t ngff_writer_next(ngff_writer *writer, int64_t *origin, int64_t *extent);

/* Memory inside the writer for the pixels of a region, so that they need not be copied. Returns 1 when the region is
 * one whole cell of the plan (as regions of ngff_writer_next are, unless the source's blocks are larger), 0 when it is
 * not (then use ngff_writer_write), or an error. pixels: first pixel of the region; strides: bytes per axis (the last
 * axis is contiguous); mask, mask_stride: the mask plane and its bytes per row, if the image has a mask, else NULL.
 * The memory may lie beyond the region on the right and below: writing there is harmless. Fill it, then commit.
 * Thread-safe for different regions. */
NGFF_API int32_t ngff_writer_map(ngff_writer *writer, const int64_t *origin, const int64_t *extent, void **pixels,
                                 int64_t *strides, uint8_t **mask, int64_t *mask_stride);
/* The pixels of a mapped region are complete. May run compression and writing on this thread. Thread-safe. */
NGFF_API int32_t ngff_writer_commit(ngff_writer *writer, const int64_t *origin, const int64_t *extent);

/* Copies the pixels of any region in. strides: bytes per axis, may be negative or zero; NULL = dense in C order.
 * mask: uint8, dense rows of the region's y, x extent, mask_stride bytes apart; NULL if the image has no mask. Each
 * pixel may be written once, and with RESUME=YES only those of regions that ngff_writer_next has named: the others are
 * there. Thread-safe. */
NGFF_API int32_t ngff_writer_write(ngff_writer *writer, const int64_t *origin, const int64_t *extent,
                                   const void *pixels, const int64_t *strides, const uint8_t *mask,
                                   int64_t mask_stride);

/* The same four for any level that the plan takes from the caller (ngff_plan_set_given); level 0 is what the functions
 * above mean. ngff_writer_level_next walks each level on its own. */
NGFF_API int32_t ngff_writer_level_next(ngff_writer *writer, int32_t level, int64_t *origin, int64_t *extent);
NGFF_API int32_t ngff_writer_level_map(ngff_writer *writer, int32_t level, const int64_t *origin, const int64_t *extent,
                                       void **pixels, int64_t *strides, uint8_t **mask, int64_t *mask_stride);
NGFF_API int32_t ngff_writer_level_commit(ngff_writer *writer, int32_t level, const int64_t *origin,
                                          const int64_t *extent);
NGFF_API int32_t ngff_writer_level_write(ngff_writer *writer, int32_t level, const int64_t *origin,
                                         const int64_t *extent, const void *pixels, const int64_t *strides,
                                         const uint8_t *mask, int64_t mask_stride);
/* Leaves a region out that ngff_writer_level_next has named: it reads as nodata where its channel has one, else as 0,
 * and its mask as 0, as all that is never written. Said in time, it keeps no memory waiting for it, and where nothing
 * else is under a pixel of a level, that costs nothing either. Nothing of it may be written before or after; a region
 * that is not one of whole chunks is NGFF_E_ARGUMENT. Thread-safe. */
NGFF_API int32_t ngff_writer_level_skip(ngff_writer *writer, int32_t level, const int64_t *origin,
                                        const int64_t *extent);

/* -- Push: pixels of level 0 in any order, any number of times -------------------------------------------------- */

/* As ngff_writer_open for hosts that push: ngff_writer_write takes any region any number of times, ngff_writer_read
 * gives it back, and pixels or mask may be NULL where only the other changes. Level 0 waits in memory, beyond a part of
 * MEMORY in scratch files; ngff_writer_close makes all levels in plan order, so that the bytes stored are those of a
 * pull of the same pixels. In a chunk that is written to, the other pixels are nodata where there is one when it is
 * first touched, else 0; mask never written is 0. ngff_writer_next, map and commit do not go with it. One call at a
 * time. */
NGFF_API ngff_writer *ngff_writer_open_push(ngff_plan *plan, const char *path);

/* One store by several programs, on one machine or many, in any order, side by side: ngff_writer_open of a plan with
 * PART=i/n (i from 1 to n; all else the same, the fingerprint of ngff_plan_set_fingerprint too) is a writer of one part. Its
 * ngff_writer_next names the regions that it needs, some pixels around its own among them where the method reaches beyond,
 * and no others are taken. Its ngff_writer_close keeps what it has made beside the place; nothing opens there. A part may be
 * written again, also while the one before may still be running. NGFF_E_EXISTS where parts of another store are at the place.
 *
 * When all are there ngff_writer_open_finish gives a writer that has got all its pixels: ngff_writer_close makes the smaller
 * levels and all documents, and publishes; the store is byte for byte that of one writer. The plan is the parts' own; options:
 * NULL, or those of this run (OVERWRITE, MEMORY, NUM_THREADS, VERIFY, SYNC, REPORT if the parts had one). NGFF_E_NOT_FOUND: no
 * parts are at path; NGFF_E_STATE: some are missing, and the message names them; NGFF_E_EXISTS: another program does it. A
 * program that was stopped may be repeated; where it had published already, that is all there is to it. */
NGFF_API ngff_writer *ngff_writer_open_finish(const char *path, const char *const *options);
/* The number of parts of the store to come at path, 0 where no parts are there, or an error. is_made: 1 for each part that is
 * there, 0 for others, of the first n_most. error: room for error_size bytes of message or NULL. */
NGFF_API int32_t ngff_parts_status(const char *path, uint8_t *is_made, int32_t n_most, char *error, int64_t error_size);
/* Removes all that parts have left at path. A part that is still running fails. */
NGFF_API int32_t ngff_parts_abandon(const char *path, char *error, int64_t error_size);

/* As ngff_writer_open_push for a store that is at path already and is changed in place: what is not written to stays.
 * plan: one of the store's own options (the member "options" of the block "omezarr") and of an image as it is described
 * now; NGFF_E_UNSUPPORTED if the arrays are not those that it makes. Untouched until the first pixel is written or
 * ngff_writer_close finds a difference. Close makes the levels above what was written, or all levels where nodata,
 * factors or the method are others now, and replaces the documents that differ; without a difference it does nothing.
 * Statistics and display windows are found anew where pixels have changed: of all pixels, if level 0 has at most 256 MiB (16
 * on a server) or all have changed; else statistics go, and windows come from a small level. Each object is replaced at once, but not all
 * together: from the first replacement until the end the store holds the object ".omezarr-dirty", and if that is found
 * when the store is opened for update, all levels are made again. On object stores shards are not changed
 * (NGFF_E_UNSUPPORTED). */
NGFF_API ngff_writer *ngff_writer_open_update(ngff_plan *plan, const char *path);

/* Change in place: a chunk that the store's record names and that is not there is fill, not an error, as for a reader
 * with MISSING_CHUNKS=FILL. */
NGFF_API int32_t ngff_writer_take_missing(ngff_writer *writer);

/* Change in place: the levels from this one on (1 or above) are made anew, even where nothing else asks for it, and
 * those below stay as they are, even where the plan would make them otherwise; unless pixels of level 0 are written, or a
 * change was broken off before. Before ngff_writer_close. */
NGFF_API int32_t ngff_writer_remake(ngff_writer *writer, int32_t level);

/* Push: another description of the same pixels, before ngff_writer_close: georeference, nodata, names, levels, a mask
 * ... The plan's dims, shape, data type and level-0 chunk must be those of the first; OVERWRITE is the first's. A plan
 * that does not fit is the writer's first error, as any wrong argument: nothing will be published. */
NGFF_API int32_t ngff_writer_replan(ngff_writer *writer, ngff_plan *plan);

/* Push: the pixels of level 0 as they are now. pixels and strides as in ngff_writer_write, either pixels or mask may be
 * NULL; mask gets 0 or 255. */
NGFF_API int32_t ngff_writer_read(ngff_writer *writer, const int64_t *origin, const int64_t *extent, void *pixels,
                                  const int64_t *strides, uint8_t *mask, int64_t mask_stride);

/* Share of the work that is done, 0 to 1, never falling; when pixels are pushed the work is done in ngff_writer_close.
 * Thread-safe, also while the writer closes. */
NGFF_API double ngff_writer_progress(ngff_writer *writer);

/* A look at what was written, before anybody else can see it: finishes all levels, writes all objects but the one that
 * makes an image of them, and gives a reader. It belongs to the writer and lives until ngff_writer_close or free, which
 * are all that may follow. NULL on failure. */
NGFF_API ngff_reader *ngff_writer_reader(ngff_writer *writer);
/* ngff_reader_verify of what was written; a finding is the writer's error. progress may be NULL; returning 0 cancels.
 * With the option VERIFY ngff_writer_close does it where the host has not. */
NGFF_API int32_t ngff_writer_verify(ngff_writer *writer, int32_t (*progress)(void *user, double share), void *user);

/* Asks the writer to stop: whatever call of it is under way, or comes next, ends with NGFF_E_CANCELLED as soon as the
 * chunk that each of its threads is at is encoded and stored (on a server: its request, with the repetitions of one that
 * fails). Thread-safe, at any time between open and free, also from a callback. As after any failure ngff_writer_close or
 * free removes what was made; with RESUME=YES it stays for a run that goes on; a store that is changed in place stays
 * marked as dirty if its first object was replaced. Too late, and without effect, once the store is published. */
NGFF_API void ngff_writer_cancel(ngff_writer *writer);

/* Finishes all levels (pixels never written are fill), writes the metadata and publishes the store. Success means
 * that every byte was accepted and every object closed without error. After a failure nothing new is visible. */
NGFF_API int32_t ngff_writer_close(ngff_writer *writer);
/* After a successful close: what did not go well beside it, such as an old store that could not be removed (where it is
 * now, and why), for the user; NULL if all did. Owned by the writer. */
NGFF_API const char *ngff_writer_warning(const ngff_writer *writer);
/* Frees the writer. Without a successful close before, the work is cancelled and removed. */
NGFF_API void ngff_writer_free(ngff_writer *writer);

/* -- Upgrade --------------------------------------------------------------------------------------------------- */

/* The documents of a store that is there are written anew by a newer version of NGFF, "0.5" or "0.6"; no chunk is touched.
 * From 0.4 (Zarr 2) its arrays become ones of Zarr 3 whose chunks have the keys that they have. All that NGFF says in the
 * store is upgraded, label images, series and plates too; path is the root of all. Anything that the newer version has no word
 * for is NGFF_E_UNSUPPORTED before anything is written: codecs and filters that Zarr 3 does not have, versions before 0.4,
 * positions that are more than a scale and a translation of each axis; and a store in one file (.ozx). The message ends
 * with the command that writes such a store anew. Documents are replaced each at once, the root's last: a kill leaves an
 * image as it was, or as it will be, and the next call does the rest. Returns 1; 0 where the store is of that version
 * already; or an error. error: room for error_size bytes of message or NULL. */
NGFF_API int32_t ngff_upgrade(const char *path, const char *version, char *error, int64_t error_size);

/* -- Reader ---------------------------------------------------------------------------------------------------- */

/* 1 if the root document at path speaks of an image, or of several, 0 if not, or if there is none that can be read;
 * NGFF_E_STORAGE if a server refuses all of them. Asks for at most three documents, once; whether they are right is seen
 * on opening. Thread-safe. */
NGFF_API int32_t ngff_identify(const char *path);

/* Opens the image at path (its root folder). NGFF_E_NOT_FOUND: no OME-Zarr image there, or several side by side. */
NGFF_API ngff_reader *ngff_reader_open(const char *path);

/* The same for stores of several images. part: which one, as a path below the root ("A/1/0", "labels/cells"), with "#n"
 * behind it for entry n of the group's "multiscales" ("#1"), or the path of a level's array; NULL or "": what is at the
 * root. A root that is a plate, a well, a list of labels or of several series is no image but a list of parts: then
 * there are no levels. options: NULL or a NULL-terminated list: MAX_METADATA= bytes of a metadata document (16MB),
 * MAX_CHUNK= bytes of a decoded chunk (256MB), MISSING_CHUNKS= what a chunk that is not there means: AUTO (default), an
 * error where the record of the store's writer says that it was stored, else fill; ERROR, fill only where the record
 * says that it was not; FILL, always fill. */
NGFF_API ngff_reader *ngff_reader_open_part(const char *path, const char *part, const char *const *options);
/* The images of a list; for an image what is beside it: itself first, further images, levels that are no overviews of
 * level 0 (ngff_reader_level_place), labels; 0 if there is nothing beside it, or if part had a "#". */
NGFF_API int32_t ngff_reader_part_count(const ngff_reader *reader);
/* How to open it (from the same root), and what it is in words; NULL out of range. */
NGFF_API const char *ngff_reader_part_path(const ngff_reader *reader, int32_t index);
NGFF_API const char *ngff_reader_part_title(const ngff_reader *reader, int32_t index);
/* The level whose array was named as the part, and the entry of "multiscales" that was opened; 0 where none was named.
 */
NGFF_API int32_t ngff_reader_part_level(const ngff_reader *reader);
NGFF_API int32_t ngff_reader_part_entry(const ngff_reader *reader);
/* Path of the image's group below the path that was opened: "" where it is that itself, else such as "0" or "A/1/0". */
NGFF_API const char *ngff_reader_group(const ngff_reader *reader);
NGFF_API void ngff_reader_free(ngff_reader *reader);
NGFF_API int32_t ngff_reader_status(const ngff_reader *reader);
NGFF_API const char *ngff_reader_error(const ngff_reader *reader);

/* The version of NGFF as the image says it, such as "0.4"; "" where it says none, or there is no image. */
NGFF_API const char *ngff_reader_version(const ngff_reader *reader);
/* Kinds of the axes, slowest first, such as "cyx": t, c and z in the store's order, then y and x. */
NGFF_API const char *ngff_reader_dims(const ngff_reader *reader);
/* An axis as the store names it; its unit, or NULL. */
NGFF_API const char *ngff_reader_axis_name(const ngff_reader *reader, int32_t axis);
NGFF_API const char *ngff_reader_axis_unit(const ngff_reader *reader, int32_t axis);
/* Where it leads in a body (ngff_image_set_orientation), or NULL, also where what is said is none of RFC-4's. */
NGFF_API const char *ngff_reader_axis_orientation(const ngff_reader *reader, int32_t axis);
/* What viewers are told of the image: its name in "multiscales", the planes on t and z that they show at first, in colour
 * (1) or grey (0), and the entries of "omero", of which there may be other than there are channels. What is not said, or
 * not in the way of the specification, is NULL, -1, and in a window NaN. Texts live as long as the reader. These five are
 * for one thread at a time. Without an image NGFF_E_ARGUMENT, or the reader's error, as for a channel that has no entry. */
NGFF_API const char *ngff_reader_name(ngff_reader *reader);
NGFF_API int32_t ngff_reader_view(ngff_reader *reader, int64_t *t, int64_t *z, int32_t *has_colors);
NGFF_API int64_t ngff_reader_channel_count(ngff_reader *reader);
/* 1 if the pixels are labels ("image-label"), or indices of classes: no mean of two of them says anything. */
NGFF_API int32_t ngff_reader_is_label(ngff_reader *reader);
/* color: six hexadecimal digits RRGGBB. window: room for start, end, min and max. is_inverted: 1 or 0. All but the first
 * two may be NULL. */
NGFF_API int32_t ngff_reader_channel(ngff_reader *reader, int64_t channel, const char **label, const char **color,
                                     double *window, int32_t *is_active, int32_t *is_inverted);
/* The colours of a label image's values, as "image-label" lists them: how many, and entry index: value, and four bytes red,
 * green, blue, opacity. Entries that are not as the specification has them are left out; NGFF_E_ARGUMENT where there is none
 * such. For one thread at a time. */
NGFF_API int64_t ngff_reader_label_count(ngff_reader *reader);
NGFF_API int32_t ngff_reader_label_color(ngff_reader *reader, int64_t index, int64_t *value, uint8_t *rgba);
NGFF_API int32_t ngff_reader_level_count(const ngff_reader *reader);
NGFF_API int32_t ngff_reader_data_type(const ngff_reader *reader);
NGFF_API const char *ngff_reader_level_path(const ngff_reader *reader, int32_t level);
NGFF_API int32_t ngff_reader_level_shape(const ngff_reader *reader, int32_t level, int64_t *shape);
NGFF_API int32_t ngff_reader_level_chunk(const ngff_reader *reader, int32_t level, int64_t *chunk);
/* A shard's shape, that of the chunk where the level has no shards. */
NGFF_API int32_t ngff_reader_level_shard(const ngff_reader *reader, int32_t level, int64_t *shard);
/* How the chunks are compressed, in the words of COMPRESS and BLOSC_CNAME: "ZSTD", "BLOSC lz4", "NONE". text: size bytes,
 * 32 are enough; NGFF_E_ARGUMENT where they are not, or there is no such level. */
NGFF_API int32_t ngff_reader_level_codec(const ngff_reader *reader, int32_t level, char *text, int64_t size);
NGFF_API int32_t ngff_reader_level_scale(const ngff_reader *reader, int32_t level, double *scale);
NGFF_API int32_t ngff_reader_level_translation(const ngff_reader *reader, int32_t level, double *translation);
/* Where a level lies in another one, base: on each axis its pixel i covers pixels offset + i * factor to
 * offset + (i + 1) * factor of base, so pixel p of base is pixel floor((p + 0.5 - offset) / factor) of the level, kept
 * within its shape. By the store's scales and translations where they agree with the sizes, else by the sizes; a level
 * without a translation of its own begins where base begins. factor, offset: one entry per axis. 1: the level is an
 * overview of base, with all its channels and nowhere more pixels; 0: it is not, and nothing is filled in;
 * NGFF_E_ARGUMENT: no such level. */
NGFF_API int32_t ngff_reader_level_place(const ngff_reader *reader, int32_t base, int32_t level, double *factor,
                                         double *offset);
/* The attributes of the root group, and of the array of level 0, as one JSON object each. */
NGFF_API const char *ngff_reader_attributes(const ngff_reader *reader);
NGFF_API const char *ngff_reader_array_attributes(const ngff_reader *reader);
/* Those members of the root's attributes that are neither NGFF's nor this library's, as ngff_plan_set_root_attributes takes
 * them: one JSON object, or NULL where there are none. Until the next call. */
NGFF_API const char *ngff_reader_root_attributes(ngff_reader *reader);
/* What the next five ask for may be left out of a store; if it is there and cannot be read (the storage fails, or it is
 * damaged), that becomes the reader's first error: a host that has asked for all it wants looks at ngff_reader_status.
 *
 * The attributes of any node, at a path from the image's group, as JSON; NULL if there is none. Until the next call. */
NGFF_API const char *ngff_reader_node_attributes(ngff_reader *reader, const char *path);
/* 1 if at this path from the image's group is a 1-D array of n evenly spaced values: its first and their step. */
NGFF_API int32_t ngff_reader_coordinates(ngff_reader *reader, const char *path, int64_t n, double *first, double *step);
/* Where the image lies, as others say it beside scale and translation: by an affine of the image (NGFF 0.6), or by CF
 * (grid_mapping). affine: six numbers; a pixel's x is affine[0] + column * affine[1] + row * affine[2], its y
 * affine[3] + column * affine[4] + row * affine[5], column and row counted from the corner of the first pixel of level 0;
 * NULL where only the system is asked for. system: the name of the coordinate system that the affine leads to, such as
 * "EPSG:32633"; wkt: CF's text; NULL where there is none. Returns 1 if affine is filled in, else 0. Texts live until the next
 * call. */
NGFF_API int32_t ngff_reader_position(ngff_reader *reader, double *affine, const char **system, const char **wkt);
/* One member of the block "omezarr" as JSON, large ones read back from their array; NULL if there is none.
 * Until the next call. */
NGFF_API const char *ngff_reader_attribute(ngff_reader *reader, const char *name);
/* 1 if a change of the store has begun and not ended: its levels may not belong together; 0, or an error. */
NGFF_API int32_t ngff_reader_is_dirty(ngff_reader *reader);
/* The next warning: something strange about the store that was found when it was opened or read, so that a host asks
 * after each read until there is none (NULL). Each is given once. Thread-safe; the text stays. */
NGFF_API const char *ngff_reader_warning(ngff_reader *reader);
/* 1 if the store has a mask array for every level. */
NGFF_API int32_t ngff_reader_has_mask(const ngff_reader *reader);

/* Decodes one chunk. index: chunk index per axis. pixels: room for one whole chunk, dense in C order, native byte
 * order. Missing chunks are filled. Returns 1 for a stored chunk, 0 for a missing one, or an error.
 * Thread-safe: any number of threads may read from one reader. error: room for error_size bytes of message or NULL. */
NGFF_API int32_t ngff_reader_chunk(ngff_reader *reader, int32_t level, const int64_t *index, void *pixels, char *error,
                                   int64_t error_size);
/* As ngff_reader_chunk for the mask (axes y, x; the mask's chunk is the image's y, x chunk; 255 valid, 0 not). */
NGFF_API int32_t ngff_reader_mask_chunk(ngff_reader *reader, int32_t level, const int64_t *index, uint8_t *mask,
                                        char *error, int64_t error_size);

/* Copies any box of a level into the caller's memory. pixels: its first pixel, native byte order; strides: bytes per
 * axis, may be negative, NULL = dense in C order; pixels of the box must not share memory. Each chunk that the box
 * meets is decoded once, on this thread and up to n_threads - 1 others (0 and 1: on this thread only). Missing chunks
 * are filled. Chunks met only in part stay decoded in a cache. Returns NGFF_OK, or the error of the first chunk in C
 * order that cannot be read; what the pixels are then is not defined. Thread-safe. error: as in ngff_reader_chunk. */
NGFF_API int32_t ngff_reader_read(ngff_reader *reader, int32_t level, const int64_t *origin, const int64_t *extent,
                                  void *pixels, const int64_t *strides, int32_t n_threads, char *error,
                                  int64_t error_size);
/* As ngff_reader_read for the mask: axes y, x. */
NGFF_API int32_t ngff_reader_read_mask(ngff_reader *reader, int32_t level, const int64_t *origin, const int64_t *extent,
                                       uint8_t *mask, const int64_t *strides, int32_t n_threads, char *error,
                                       int64_t error_size);
/* 1 if no chunk that a box of a level (of its mask, whose axes are y, x) meets is stored: all its pixels are then the one
 * that fill receives, which may be NULL. 0 if one is, or may be: servers are not asked, there the store's own record says
 * it. Or an error. Thread-safe. error: as in ngff_reader_chunk. */
NGFF_API int32_t ngff_reader_is_empty(ngff_reader *reader, int32_t level, int32_t is_mask, const int64_t *origin,
                                      const int64_t *extent, void *fill, char *error, int64_t error_size);

/* Most bytes of decoded chunks that ngff_reader_read keeps. Without this call that is an eighth of the machine's memory, at
 * least 64 MiB and at most 512, and the reader finds out what it needs of it: it begins with four chunks and keeps one more
 * whenever one is asked for again that it has dropped. So planes that are read one after the other from chunks of 16
 * planes are decoded twice in the first 16, and once from then on, if the chunks of one plane are within the limit; a host
 * of larger planes sets it. One chunk is always kept, none with 0, which also forgets all else that is kept of the chunks: shard indices, the record of stored chunks, the directory of
 * an .ozx (for a host that knows of a change of the store). Thread-safe. */
NGFF_API void ngff_reader_set_cache(ngff_reader *reader, int64_t size_bytes);

/* -- Verify ---------------------------------------------------------------------------------------------------- */

/* What a finding is. */
#define NGFF_FINDING_NOTE 0      /* something that was not checked, and why */
#define NGFF_FINDING_STRAY 1     /* an object that is no part of the image */
#define NGFF_FINDING_DAMAGE 2    /* something is missing or damaged */
#define NGFF_FINDING_INVALID 3   /* metadata breaks a MUST of the specification */
#define NGFF_FINDING_ADVICE 4    /* metadata does not follow a SHOULD of the specification */
#define NGFF_FINDING_TOLERABLE 5 /* metadata breaks a MUST in a way in which the specification's own examples do */
#define NGFF_FINDING_UNREAD 6 /* something could not be read, which says nothing about it (permission, network ...) */

/* The word for one of these, as `omezarr verify` prints it ("note", "stray" ...); "" for another number. Static storage. */
NGFF_API const char *ngff_finding_word(int32_t kind);

/* Looks at every object of the store: all documents are there, are JSON and equal to the root's copies of them; every
 * chunk that was stored is there and decodes to its size, every shard index has its checksum; chunks that were left out
 * as empty are not there; nothing else is there. Stores by others do not say which chunks were stored: then a missing
 * chunk counts as empty. A flipped bit in a chunk that changes a pixel is found where its codec has a checksum
 * (zstd, gzip, zlib) or cannot decode it, every one with crc32c behind the codec; without a codec it looks like another
 * pixel. Bits of a chunk that must be zero are looked at, too: newer decoders do. Metadata is judged as by ngff_validate;
 * that its version is none of those is a note.
 * finding (may be NULL) is called for each finding, with one line that names the level, the chunk and the object;
 * progress (may be NULL) with the share that is done, 0 to 1: it returns 0 to stop. Both on the calling thread, in the
 * same order whatever n_threads is: chunks are decoded on this thread and up to n_threads - 1 others; 0: one per processor.
 * Returns NGFF_OK, also with notes and advice; NGFF_E_CORRUPT for damage, strays or invalid metadata;
 * NGFF_E_CANCELLED; or, when nothing is known to be damaged but not all could be read, the error of that
 * (NGFF_E_STORAGE ...). A reader that failed to open gives its error as the one finding. */
NGFF_API int32_t ngff_reader_verify(ngff_reader *reader, int32_t n_threads,
                                    void (*finding)(void *user, int32_t kind, const char *text),
                                    int32_t (*progress)(void *user, double share), void *user);

/* Opens a store, and verifies it. path, part, options: as for ngff_reader_open_part, but where these do not say it,
 * MISSING_CHUNKS=FILL: what is missing is a finding each, and does not keep the store from being opened. *reader is the
 * opened store, for ngff_reader_free: for a host that goes on with it, and where nothing was verified because it cannot be
 * opened (its status is then neither NGFF_OK nor NGFF_E_CORRUPT) for its error; NULL when memory is out. reader may be NULL.
 * All else, and what is returned, as for ngff_reader_verify. */
NGFF_API int32_t ngff_verify(const char *path, const char *part, const char *const *options, int32_t n_threads,
                             void (*finding)(void *user, int32_t kind, const char *text),
                             int32_t (*progress)(void *user, double share), void *user, ngff_reader **reader);

/* What a store was made from, as its host reads it. All calls come on the thread of the comparison, with user. */
typedef struct {
    /* The pixels of a box of one plane: extent is 1 on all axes but the last two, y and x. pixels: dense in C order, of
     * the store's type, native byte order. Returns NGFF_OK, or an error, which ends the comparison. The boxes of all
     * planes at one place follow each other. */
    int32_t (*read)(void *user, const int64_t *origin, const int64_t *extent, void *pixels);
    /* The same of the mask, with axes y, x: 0 not valid, all else valid. NULL: all pixels are. */
    int32_t (*read_mask)(void *user, const int64_t *origin, const int64_t *extent, uint8_t *mask);
    /* The share that is done, 0 to 1; returns 0 to stop. May be NULL. */
    int32_t (*progress)(void *user, double share);
    void *user;
} ngff_source_calls;

#define NGFF_DIFFERENT_PIXEL 1
#define NGFF_DIFFERENT_MASK 2

/* Compares the pixels of level 0, bit by bit, and its mask with what the source gives for the same boxes: the caller has
 * seen that it has the store's shape and type. A store without a mask is valid everywhere. Chunks of the store are decoded
 * on this thread and up to n_threads - 1 others. Memory: a chunk for each, and two planes of one.
 * Returns NGFF_OK where all are equal; NGFF_DIFFERENT_PIXEL or NGFF_DIFFERENT_MASK, with the place of the first difference
 * in at (one index per axis of the store; NULL: nobody asks); NGFF_E_CANCELLED; or the error of the store, with its message
 * in error as for ngff_reader_chunk, or of the source. */
NGFF_API int32_t ngff_reader_compare(ngff_reader *reader, const ngff_source_calls *source, int32_t n_threads,
                                     int64_t *at, char *error, int64_t error_size);

/* Judges metadata by the text of NGFF 0.4, 0.5 and 0.6, which is stricter than the reader. path: a store's root, with
 * all groups and arrays that it names; or a file .json or .zattrs with one node's attributes, or a whole zarr.json.
 * finding (may be NULL) is called with one line for each broken rule, which names the document, the key and the rule,
 * and with a note for what is named and not there; what cannot be read is NGFF_FINDING_UNREAD. options: those of
 * ngff_reader_open_part, of which MAX_METADATA counts; may be NULL. Returns NGFF_OK if no
 * MUST is broken, NGFF_E_CORRUPT if one is, also where it is tolerable (a host that tolerates counts the findings that
 * are NGFF_FINDING_INVALID), or the error of what cannot be read. */
NGFF_API int32_t ngff_validate(const char *path, const char *const *options,
                               void (*finding)(void *user, int32_t kind, const char *text), void *user);

/* -- Stores of the host ---------------------------------------------------------------------------------------- */

/* Objects by key, wherever the host has them: an object store that it speaks to, a database, a table in memory. The
 * library writes and reads there through five calls, by the protocol of object stores (docs/guarantees.md): a claim that
 * is written only where there is none, the root's document last, nothing that opens before, nothing taken for missing
 * that could not be asked for.
 *
 * key: text as "image.ome.zarr/scale0/image/c/0/0"; no key begins or ends with '/', or is empty. All calls come from any
 * thread, several at once, also from the library's own; they may be slow, and must not call the library with a path of
 * this store. Each returns
 *   NGFF_OK;
 *   NGFF_E_NOT_FOUND   there is no such object: only where that is known, or chunks turn into fill;
 *   NGFF_E_EXISTS      of write: there is one already, and must_be_new was said;
 *   NGFF_E_AGAIN       a failure that may pass: the same call is made again, five times in all, unless nobody waits for it;
 *   NGFF_E_REFUSED     the place does not let this caller do it; some say so of what is not there;
 *   NGFF_E_STORAGE     or any other value: a failure for good.
 * error: room for error_size bytes of one line, the cause of what is not NGFF_OK; it gets into the library's message. */
typedef struct {
    void *user; /* the first argument of each call */
    /* Stores n bytes, whole or not at all, over what is there, and returns when they are safe. must_be_new: only where
     * nothing is, which the place itself must decide, so that one of two who ask at once is told NGFF_E_EXISTS. Where the
     * place cannot, look first: two writers that begin within the same moment are then not kept apart. */
    int32_t (*write)(void *user, const char *key, const void *bytes, int64_t n, int32_t must_be_new, char *error,
                     int64_t error_size);
    /* Reads n bytes from offset, or those of them that there are; n = 0: all from offset; offset = -1: the last n.
     * room(to, n) gives memory for the bytes, to be filled before the call returns; it is called once, as soon as their
     * number is known, and gives NULL where that is more than was asked for, or memory is out (then return any error).
     * size: the size of the whole object, where the place tells it with the bytes: then less than there is becomes an error;
     * else leave it alone. */
    int32_t (*read)(void *user, const char *key, int64_t offset, int64_t n, void *(*room)(void *to, int64_t n),
                    void *to, int64_t *size, char *error, int64_t error_size);
    /* Removes an object. One that is not there is NGFF_OK, or NGFF_E_NOT_FOUND. */
    int32_t (*remove)(void *user, const char *key, char *error, int64_t error_size);
    /* The size of an object. A prefix of other keys is none. */
    int32_t (*size)(void *user, const char *key, int64_t *size, char *error, int64_t error_size);
    /* Calls found(to, key) for every key that begins with prefix ("", or a text that ends with '/'), as they are now, in any
     * order. is_recursive = 0: only the next part of each key is looked at, so that one key is enough of those which
     * have it in common; "prefix/part/" will do. found returns NGFF_OK, or an error to be returned. */
    int32_t (*list)(void *user, const char *prefix, int32_t is_recursive, int32_t (*found)(void *to, const char *key),
                    void *to, char *error, int64_t error_size);
    /* Seconds before a call is made again (NGFF_E_AGAIN), doubled each time; 0: half a second. */
    double retry_delay;
} ngff_store_calls;

typedef struct ngff_store ngff_store;

/* Makes a store of the host a place for all functions of this library that take a path: ngff_store_path is the root, and
 * "/" and a key below it ("/host:1:memory/image.ome.zarr") the place of an image, a label image, a part. It is as any other
 * object store there; what is in one file (.ozx) is only read. calls is copied. write, remove: NULL where the place is only
 * read; list: NULL where it cannot be listed, which it must be to be written to. name: how messages call the place. */
NGFF_API ngff_store *ngff_store_create(const ngff_store_calls *calls, const char *name);
NGFF_API int32_t ngff_store_status(const ngff_store *store);
NGFF_API const char *ngff_store_error(const ngff_store *store);
/* "/host:NUMBER:NAME", which no other store of the process has or will have. */
NGFF_API const char *ngff_store_path(const ngff_store *store);
/* Ends it, and returns when no call is under way: none comes any more, and what still writes or reads there gets an error.
 * Any thread may do that at any time, but not one of the calls. */
NGFF_API void ngff_store_free(ngff_store *store);

#ifdef __cplusplus
}
#endif
#endif
