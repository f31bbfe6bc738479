/* test_option_table.c: what the rows say is true of what is read by them. */
#include "model/option_table.h"

#include "option_check.h"

static void every_name_and_alias_finds_its_own_row(void)
{
    CHECK(option_count > 30);
    for (int i = 0; i < option_count; i++) {
        const row *r = &option_table[i];
        CHECK(row_find(r->name) == r);
        for (const char *p = r->aliases ? r->aliases : ""; *p; p += strspn(p, " ")) {
            char alias[64];
            snprintf(alias, sizeof alias, "%.*s", (int)strcspn(p, " "), p);
            CHECK(row_find(alias) == r);
            p += strlen(alias);
        }
    }
}

static void default_that_is_shown_is_what_no_option_means(void)
{
    options none, typed;
    error e;
    CHECK_INT(read4(&none, &e, NULL, NULL, NULL, NULL), NGFF_OK);
    int n_words = 0;
    for (int i = 0; i < option_count; i++) {
        char text[100];
        snprintf(text, sizeof text, "%s=%s", option_table[i].name, row_default(&option_table[i]));
        if (!row_default(&option_table[i])[0])
            continue;
        n_words++;
        CHECK_INT(read4(&typed, &e, text, NULL, NULL, NULL), NGFF_OK);
        CHECK_TEXT(typed.typed[0], text);
        char **list = typed.typed;
        typed.typed = none.typed;
        if (strncmp(text, "BLOSC_", 6) == 0) /* which chooses the codec, too */
            typed.compress = none.compress;
        if (memcmp(&typed, &none, sizeof none) != 0)
            CHECK_TEXT(text, "the default");
        typed.typed = list;
        options_release(&typed);
    }
    CHECK(n_words > 15);
    options_release(&none);
}

int main(void)
{
    RUN(every_name_and_alias_finds_its_own_row);
    RUN(default_that_is_shown_is_what_no_option_means);
    CHECK_EXIT();
}
