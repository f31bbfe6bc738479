/* Text that grows, and what stands for itself in XML. */
#include "base/text_buffer.h"

#include <stdlib.h>

#include "check.h"

static void text_is_what_was_put(void)
{
    text_buffer b = {NULL, 0, 0, 0};
    text_put(&b, "");
    CHECK_TEXT(b.text, "");
    for (int i = 0; i < 1000; i++)
        text_put(&b, i % 2 ? "bc" : "a");
    CHECK_INT(b.n, 1500);
    CHECK_INT(strlen(b.text), 1500);
    CHECK(strncmp(b.text, "abcabc", 6) == 0 && strcmp(b.text + 1497, "abc") == 0);
    text_put_bytes(&b, "defgh", 2);
    CHECK_TEXT(b.text + 1497, "abcde");
    b.n = 3; /* cut: what comes then is behind that */
    text_put(&b, "!");
    CHECK_TEXT(b.text, "abc!");
    free(b.text);
}

static void xml_says_its_own_characters_otherwise(void)
{
    text_buffer b = {NULL, 0, 0, 0};
    text_put_xml(&b, "<a b='1'>\"&\"\t\n\r</a>");
    CHECK_TEXT(b.text, "&lt;a b=&apos;1&apos;&gt;&quot;&amp;&quot;&#9;&#10;&#13;&lt;/a&gt;");
    b.n = 0;
    text_put_xml(&b,
                 "\x01\xC2\xB5\x1F\xEF\xBF\xBEm\xEF\xBF\xBF\xEF\xBF\xBD"); /* what XML 1.0 cannot hold is left out */
    CHECK_TEXT(b.text, "\xC2\xB5m\xEF\xBF\xBD");
    free(b.text);
}

int main(void)
{
    RUN(text_is_what_was_put);
    RUN(xml_says_its_own_characters_otherwise);
    CHECK_EXIT();
}
