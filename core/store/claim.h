/* claim.h: the right to write at a place on a file system, which one program has at a time: the folder
 * `.<name>.partial` beside it, with the owner's name in it (`.owner`).
 *
 * Whoever sees the claim sees its owner: it is made under a name of its own and renamed, and it goes by a rename, too.
 * So a kill at any call leaves a claim whose owner is dead, which the next program takes, or something under a name that
 * blocks nobody (`.<name>.new-*`, `.<name>.gone-*`), which the next program removes. */
#ifndef NGFF_STORE_CLAIM_H
#define NGFF_STORE_CLAIM_H

#include "store/folder.h"
#include "store/owner.h"

typedef struct {
    const folder_calls *calls;
    const char *path;       /* the place; the caller's */
    char *folder;           /* .<name>.partial */
    char owner[owner_size]; /* what .owner says of us */
    long process;           /* that has made the claim: a child of fork inherits none. 0: no claim */
} claim;

/* 0 when memory is out. */
int claim_init(claim *c, const folder_calls *calls, const char *path);
void claim_free(claim *c);

int claim_is_held(const claim *c);
/* Makes the claim, and removes what dead programs have left at this place. NGFF_E_EXISTS where somebody holds it. */
int32_t claim_make(claim *c, error *e);
/* The same for a job of several programs, that each of them calls: the owner is the job, and each is told that it holds the
 * claim. A job does not die: it ends by claim_end, which any of them may call. */
int32_t claim_join(claim *c, const char *job, error *e);
/* Holds the claim of a job that is there, *is_there, and gives its name. */
int32_t claim_find_job(claim *c, char job[64], int *is_there, error *e);
/* Takes the claim of a dead program over, with all that is in the folder. *is_taken = 0: there is none. */
int32_t claim_take_over(claim *c, int *is_taken, error *e);
/* Whether the claim is that of a dead program. */
int claim_is_dead(const claim *c);
/* Lets go of the claim; what is in the folder stays for claim_take_over. */
void claim_let_go(claim *c);
/* Ends the claim and removes its folder. What cannot be removed blocks nobody: its errno, and where it is. */
int claim_end(claim *c, char left[4096]);
/* Removes any folder at the place, such as an old store, in the same way. */
int claim_remove(const claim *c, const char *path, char left[4096]);
/* Renames; where the answer was lost, what is there tells. 0 or errno. */
int rename_surely(const folder_calls *calls, const char *from, const char *to);

#endif
