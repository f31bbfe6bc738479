/* test_options_text.c: the option table in the two forms it is printed in. */
#include "model/options.h"

#include "check.h"
#include "ngff.h"

static void the_table_prints_as_xml_and_markdown(void)
{
    char *xml = ngff_options_text("gdal"), *markdown = ngff_options_text("markdown");
    CHECK(strncmp(xml, "<CreationOptionList>", 20) == 0);
    CHECK(strstr(xml, "<Option name='COMPRESS' type='string-select' default='AUTO'") != NULL);
    CHECK(strstr(xml, "<Option name='BLOCKSIZE' alias='CHUNKS' type='string'") != NULL);
    CHECK(strstr(xml, "<Value>CUBICSPLINE</Value>") != NULL);
    CHECK(strstr(xml, "<Option name='FORMAT' type='string'") != NULL);
    CHECK(strstr(xml, "<Option name='OVERWRITE' type='boolean' default='NO'") != NULL);
    CHECK(strstr(xml, "ZARR_V2") == NULL);
    CHECK(strstr(markdown, "| BLOCKSIZE | n, or 1,512,512 in axis order") != NULL);
    CHECK(ngff_options_text("latex") == NULL && ngff_options_text(NULL) == NULL);
    ngff_string_free(xml);
    ngff_string_free(markdown);
    CHECK_TEXT(ngff_status_text(NGFF_E_OPTION), "bad option");
    CHECK_TEXT(ngff_status_text(-1), "unknown status");
    CHECK(ngff_options_know("COMPRESS") && ngff_options_know("chunks") && ngff_options_know("COMPRES") &&
          ngff_options_know("TILED"));
    CHECK(!ngff_options_know("FOO") && !ngff_options_know("") && !ngff_options_know(NULL));
    CHECK_TEXT(ngff_finding_word(NGFF_FINDING_STRAY), "stray");
    CHECK_TEXT(ngff_finding_word(7), "");
}

int main(void)
{
    RUN(the_table_prints_as_xml_and_markdown);
    CHECK_EXIT();
}
