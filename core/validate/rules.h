/* rules.h: does metadata keep to the text of the specification? The reader does not ask: it opens what it can make
 * sense of. Here every rule is judged, for NGFF 0.4, 0.5 and 0.6, and a broken one is told with its place in the
 * document.
 *
 *     rules.c            how a rule is told; members by tables of name, kind and need
 *     rules_image.c      axes, transforms of 0.4 and 0.5, multiscales, omero, labels
 *     rules_transform.c  the coordinate systems and transforms of 0.6
 *     rules_plate.c      plates, wells, lists of images
 *     validate.c         one node, and all that a store's root leads to */
#ifndef NGFF_VALIDATE_RULES_H
#define NGFF_VALIDATE_RULES_H

#include "zarr/document.h"
#include "base/box.h"
#include "validate/validate.h"

/* A place in a document: "multiscales[0].axes[1]". */
typedef struct {
    char text[200];
} spot;

spot spot_member(const spot *at, const char *name);
spot spot_item(const spot *at, int index);

/* Says that the rule of a place is broken, NGFF_FINDING_* how. tolerable: a MUST that the specification's own examples break
 * in this way. */
void tell_rule(judge *j, int32_t kind, const spot *at, const char *format, ...) __attribute__((format(printf, 4, 5)));
#define tell_must(j, ...) tell_rule(j, NGFF_FINDING_INVALID, __VA_ARGS__)
#define tell_tolerable(j, ...) tell_rule(j, NGFF_FINDING_TOLERABLE, __VA_ARGS__)
#define tell_should(j, ...) tell_rule(j, NGFF_FINDING_ADVICE, __VA_ARGS__)
#define tell_note(j, ...) tell_rule(j, NGFF_FINDING_NOTE, __VA_ARGS__)

/* SHOULD_BE: what is there should be of its kind, too; with the others it must be. */
typedef enum { MAY, SHOULD_BE, SHOULD, MUST } need;

/* What a value must be. COUNT: a whole number from 0, POSITIVE: from 1. */
typedef enum { TEXT, FLAG, NUMBER, WHOLE, COUNT, POSITIVE, OBJECT, LIST, FILLED_LIST } kind;

int kind_fits(const cJSON *value, kind wanted);
/* The member of an object, if it is of its kind; else NULL, and what the need asks for is told. */
const cJSON *want(judge *j, const cJSON *object, const spot *at, const char *name, kind wanted, need n);

typedef struct {
    const char *name;
    kind wanted;
    need needs[3]; /* in 0.4, 0.5, 0.6 */
} member_rule;

/* Each member of the table; it ends with a NULL name. */
void want_all(judge *j, const cJSON *object, const spot *at, const member_rule *rules);

/* A list with n numbers (n < 0: any number of them); what: of what there are n. */
int want_numbers(judge *j, const cJSON *list, const spot *at, int n, const char *what);
/* The text of a member is another one in every object of a list. */
void want_unique(judge *j, const cJSON *list, const spot *at, const char *name);

/* "version" of an object: from 0.5 on it stands once, in "ome" (the text of 0.5 still asks for it in plates, wells and
 * labels; its schemas, examples and tests have dropped it). Where it is, it must be that of the store. */
void want_version(judge *j, const cJSON *object, const spot *at);

/* The parts of a node's attributes. */
void judge_multiscales(judge *j, const cJSON *multiscales, const spot *at);
void judge_omero(judge *j, const cJSON *omero, const spot *at);
void judge_image_label(judge *j, const cJSON *label, const spot *at);
void judge_plate(judge *j, const cJSON *plate, const spot *at);
void judge_well(judge *j, const cJSON *well, const spot *at);
void judge_names(judge *j, const cJSON *names, const spot *at);
void judge_layout(judge *j, const cJSON *layout, const spot *at);
void judge_scene(judge *j, const cJSON *scene, const spot *at);

/* The axes of an image; in_image: with the rules that multiscales have beside those of any axes. */
void judge_axes(judge *j, const cJSON *axes, const spot *at, int in_image);
/* The number of axes that a level's scale is for: of all, or where it has one for each axis of space alone, of these.
 */
int axes_of_scale(judge *j, const cJSON *transform, const spot *at, const cJSON *axes);
/* One entry of "multiscales" of 0.6, but for its plain members. */
void judge_systems(judge *j, const cJSON *multiscale, const spot *at);
/* "input" or "output" of a transform: its member key ("path", "name"), or its text in the form of older drafts. */
const char *text_of_end(const cJSON *transform, const char *which, const char *key);
/* The axes of an entry: its own, or those of the system that level 0 is put into; NULL if there are none. */
const cJSON *axes_of_entry(const cJSON *multiscale);

#endif
