/* test_option_values.c: every form that a value may have, and some that it may not. */
#include "option_check.h"

static void sizes_come_as_one_number_a_list_or_by_letter(void)
{
    options o;
    error e;
    CHECK_INT(read4(&o, &e, "BLOCKSIZE=256", "SHARD=1,1024,2048", NULL, NULL), NGFF_OK);
    CHECK(o.blocksize.is_set && o.blocksize.n == 1 && o.blocksize.value[0] == 256 && !o.blocksize.dim[0]);
    CHECK(o.shard_mode == SHARD_GIVEN && o.shard.n == 3 && o.shard.value[2] == 2048);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "CHUNKS=z:16,Y:256,x:128", "SHARDS=none", NULL, NULL), NGFF_OK);
    CHECK(o.blocksize.n == 3 && o.blocksize.dim[1] == 'y' && o.blocksize.value[2] == 128);
    CHECK_INT(o.shard_mode, SHARD_NONE);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "BLOCKXSIZE=128", "BLOCKYSIZE=64", NULL, NULL), NGFF_OK);
    CHECK(o.blocksize.n == 2 && o.blocksize.dim[0] == 'x' && o.blocksize.dim[1] == 'y' && o.blocksize.value[1] == 64);
    options_release(&o);
    static const char *const bad[] = {"BLOCKSIZE=0",           "BLOCKSIZE=",        "BLOCKSIZE=a",
                                      "BLOCKSIZE=1,,2",        "BLOCKSIZE=y:2,4",   "BLOCKSIZE=q:2",
                                      "BLOCKSIZE=2.5",         "BLOCKSIZE=y:2,y:4", "BLOCKSIZE=1,1,1,1,1,1",
                                      "BLOCKSIZE=99999999999", "BLOCKSIZE=2,"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(bad[i], NULL, "BLOCKSIZE=");
    refused("BLOCKSIZE=256", "BLOCKXSIZE=128", "BLOCK");
    refused("BLOCKXSIZE=128", "BLOCKSIZE=256", "BLOCK");
    refused("BLOCKSIZE=y:2,x:2", "BLOCKXSIZE=3", "contradict");
}

static void a_list_of_all_axes_has_no_room_for_a_side(void)
{
    options o;
    error e;
    CHECK_INT(read4(&o, &e, "BLOCKSIZE=t:1,c:1,z:1,y:2,x:2", "BLOCKXSIZE=3", NULL, NULL), NGFF_E_OPTION);
    CHECK(strstr(e.message, "BLOCKXSIZE=3") && strstr(e.message, "BLOCKSIZE"));
    CHECK_INT(o.blocksize.n, 5); /* nothing was written behind the fifth */
    CHECK_INT(o.shard_mode, SHARD_AUTO);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "BLOCKXSIZE=3", "BLOCKSIZE=t:1,c:1,z:1,y:2,x:2", "BLOCKYSIZE=3", NULL), NGFF_E_OPTION);
    options_release(&o);
}

static void scale_factors_are_a_ladder_or_lists(void)
{
    options o;
    error e;
    CHECK_INT(read4(&o, &e, "SCALE_FACTORS=2,4,8", NULL, NULL, NULL), NGFF_OK);
    CHECK(o.n_scale_factors == 3 && o.scale_factors[2].n == 1 && o.scale_factors[2].value[0] == 8);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "SCALE_FACTORS=y:2,x:2;z:2,y:4,x:4", NULL, NULL, NULL), NGFF_OK);
    CHECK(o.n_scale_factors == 2 && o.scale_factors[1].n == 3 && o.scale_factors[1].dim[0] == 'z');
    options_release(&o);
    CHECK_INT(read4(&o, &e, "SCALE_FACTORS=1,2,2;1,4,4", NULL, NULL, NULL), NGFF_OK);
    CHECK(o.n_scale_factors == 2 && o.scale_factors[1].n == 3 && o.scale_factors[1].value[1] == 4);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "SCALE_FACTORS=ISOTROPIC", "OVERVIEW_COUNT=2", NULL, NULL), NGFF_OK);
    CHECK(o.n_scale_factors == 0 && o.is_isotropic == 1 && o.overview_count == 2);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "OVERVIEW_COUNT=2", NULL, NULL, NULL), NGFF_OK);
    CHECK(o.is_isotropic == 0);
    options_release(&o);
    refused("SCALE_FACTORS=ISOTROPIC,2", NULL, "ISOTROPIC");
    refused("SCALE_FACTORS=ISOTROPIC", "OVERVIEWS=NONE", "contradict");
    refused("SCALE_FACTORS=", NULL, "SCALE_FACTORS");
    refused("SCALE_FACTORS=2,0", NULL, "SCALE_FACTORS");
    refused("SCALE_FACTORS=2;", NULL, "SCALE_FACTORS");
    refused("SCALE_FACTORS=2", "OVERVIEW_COUNT=1", "contradict");
    refused("SCALE_FACTORS=2", "OVERVIEWS=NONE", "contradict");
    refused("OVERVIEW_COUNT=2", "OVERVIEWS=NONE", "contradict");
}

static void memory_and_threads_take_units_and_words(void)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"MEMORY=1000", 1000},  {"MEMORY=256MB", 268435456},  {"MEMORY=1GB", 1073741824},
                {"MEMORY=1.5kB", 1536}, {"MEMORY=2 GiB", 2147483648}, {"MEMORY=64m", 67108864},
                {"MEMORY=10B", 10}};
    options o;
    error e;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_INT(read4(&o, &e, good[i].text, NULL, NULL, NULL), NGFF_OK);
        CHECK_INT(o.memory_bytes, good[i].bytes);
        options_release(&o);
    }
    CHECK_INT(read4(&o, &e, "MEMORY=10%", "NUM_THREADS=all_cpus", NULL, NULL), NGFF_OK);
    CHECK(o.memory_bytes > 1 << 20 && o.n_threads == 0);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "NUM_THREADS=0", NULL, NULL, NULL), NGFF_OK);
    CHECK_INT(o.n_threads, 1);
    options_release(&o);
    refused("MEMORY=0", NULL, "MEMORY=0");
    refused("MEMORY=lots", NULL, "256MB");
    refused("MEMORY=5XB", NULL, "256MB");
    refused("MEMORY=101%", NULL, "256MB");
    refused("MEMORY=MB", NULL, "256MB");
    refused("NUM_THREADS=-1", NULL, "ALL_CPUS");
    refused("NUM_THREADS=4096", NULL, "ALL_CPUS");
    refused("NUM_THREADS=two", NULL, "ALL_CPUS");
}

static void lists_windows_and_axes_are_read(void)
{
    options o;
    error e;
    CHECK_INT(read4(&o, &e, "CHANNEL_NAMES=a b,,c\\,d", "CHANNEL_COLORS=ff0000,#00FF00", "WINDOW=0:255,-1.5:2e3", NULL),
              NGFF_OK);
    CHECK_TEXT(o.channel_names[0], "a b");
    CHECK_TEXT(o.channel_names[1], "");
    CHECK_TEXT(o.channel_names[2], "c,d");
    CHECK(o.channel_names[3] == NULL);
    CHECK_TEXT(o.channel_colors[1], "00FF00");
    CHECK(o.window_mode == WINDOW_GIVEN && o.n_windows == 2 && o.windows[2] == -1.5 && o.windows[3] == 2000);
    options_release(&o);
    CHECK_INT(read4(&o, &e, "AXES=t:3,z:10", "SCALE=z:2.0,t:0.5", "TRANSLATION=x:-5", "UNITS=z:um,t:s"), NGFF_OK);
    CHECK(o.axes.n == 2 && o.axes.dim[0] == 't' && o.axes.value[0] == 3 && o.axes.dim[1] == 'z');
    CHECK_INT(o.axes.value[1], 10);
    CHECK(o.axis_scale.n == 2 && o.axis_scale.dim[1] == 't' && o.axis_scale.value[1] == 0.5);
    CHECK(o.axis_translation.value[0] == -5);
    CHECK(o.axis_units.n == 2 && o.axis_units.dim[0] == 'z' && o.axis_units.dim[1] == 't');
    CHECK_TEXT(o.axis_units.name[0], "micrometer");
    CHECK_TEXT(o.axis_units.name[1], "second");
    options_release(&o);
    CHECK_INT(read4(&o, &e, "COLOR_INTERPRETATION=red,Green", NULL, NULL, NULL), NGFF_OK);
    CHECK_TEXT(o.color_interpretation[1], "Green");
    CHECK(!options_is_lasting("COLOR_INTERPRETATION=red,Green")); /* the host keeps what it means */
    options_release(&o);
    refused("COLOR_INTERPRETATION=\xFF", NULL, "UTF-8");
    refused("CHANNEL_COLORS=red", NULL, "RRGGBB");
    refused("CHANNEL_NAMES=\xFF", NULL, "UTF-8");
    refused("WINDOW=5:5", NULL, "low:high");
    refused("WINDOW=5", NULL, "PERCENTILE");
    refused("WINDOW=1:2,", NULL, "PERCENTILE");
    refused("AXES=3", NULL, "axis");
    refused("AXES=y:3", NULL, "axes of a band");
    refused("AXES=t:2,t:3", NULL, "twice");
    refused("AXIS_UNITS=x:um,x:mm", NULL, "twice");
    refused("AXIS_SCALE=x:0", NULL, "above 0");
    refused("AXIS_SCALE=x:inf", NULL, "above 0");
    refused("AXIS_TRANSLATION=x:1;y:2", NULL, "comma");
    refused("AXIS_UNITS=x:furlong", NULL, "micrometer");
    refused("AXIS_UNITS=c:um", NULL, "AXIS_UNITS");
    refused("AXIS_ORIENTATION=t:left-to-right", NULL, "AXIS_ORIENTATION");
    refused("AXIS_ORIENTATION=x:left", NULL, "distal-to-proximal");
    refused("NAME=\xC3(", NULL, "UTF-8");
}

int main(void)
{
    RUN(sizes_come_as_one_number_a_list_or_by_letter);
    RUN(a_list_of_all_axes_has_no_room_for_a_side);
    RUN(scale_factors_are_a_ladder_or_lists);
    RUN(memory_and_threads_take_units_and_words);
    RUN(lists_windows_and_axes_are_read);
    CHECK_EXIT();
}
