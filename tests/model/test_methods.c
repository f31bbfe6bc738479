/* test_methods.c: the rows of the reducers. */
#include "model/methods.h"

#include "check.h"

/* By the definitions of the kernels: Keys' cubic and the B-spline end at 2 target pixels, Lanczos at its third lobe. */
static void kernels_reach_as_far_as_their_definition(void)
{
    static const struct {
        int resampling, reach, has_lobes;
    } kernels[] = {{REDUCE_BILINEAR, 1, 0}, {REDUCE_CUBIC, 2, 1}, {REDUCE_CUBICSPLINE, 2, 0}, {REDUCE_LANCZOS, 3, 1}};
    for (int i = 0; i < 4; i++) {
        const method *m = method_get(kernels[i].resampling);
        CHECK_INT(m->kind, METHOD_KERNEL);
        CHECK_INT(m->reach, kernels[i].reach);
        CHECK_INT(m->has_lobes, kernels[i].has_lobes);
    }
}

static void windows_and_picks_stay_in_their_window(void)
{
    for (int i = REDUCE_AUTO + 1; i < n_methods; i++) {
        const method *m = method_get(i);
        CHECK(m->word[0] && m->type[0] && m->sentence[0]);
        CHECK((m->kind == METHOD_KERNEL) == (m->reach > 0));
    }
}

/* A class that no pixel has would be an invention. */
static void only_methods_that_take_a_pixel_keep_classes(void)
{
    CHECK(method_get(REDUCE_MODE)->keeps_classes && method_get(REDUCE_NEAREST)->keeps_classes);
    CHECK(method_get(REDUCE_MIN)->keeps_classes && method_get(REDUCE_MAX)->keeps_classes);
    CHECK(!method_get(REDUCE_AVERAGE)->keeps_classes && !method_get(REDUCE_CUBIC)->keeps_classes);
}

int main(void)
{
    RUN(kernels_reach_as_far_as_their_definition);
    RUN(windows_and_picks_stay_in_their_window);
    RUN(only_methods_that_take_a_pixel_keep_classes);
    CHECK_EXIT();
}
