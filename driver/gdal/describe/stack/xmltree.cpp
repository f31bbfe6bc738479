/* xmltree.cpp: see xmltree.h. */
#include "describe/stack/xmltree.h"

#include <algorithm>

#include "cpl_error.h"

#include "plugin/guard.h"

size_t find_root_element(const std::string &text, bool *has_doctype)
{
    size_t at = text.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0;
    *has_doctype = false;
    for (;;) {
        at = text.find_first_not_of(" \t\r\n", at);
        if (at == std::string::npos || text[at] != '<' || at + 1 == text.size())
            return std::string::npos;
        const bool is_comment = text.compare(at, 4, "<!--") == 0;
        if (text[at + 1] != '?' && text[at + 1] != '!')
            return at;
        *has_doctype = *has_doctype || (text[at + 1] == '!' && !is_comment);
        const char *const end_of = is_comment ? "-->" : *has_doctype ? "<OME" : ">";
        at = text.find(end_of, at);
        if (at == std::string::npos)
            return at;
        at += *has_doctype && !is_comment ? 0 : strlen(end_of);
    }
}

/* What GDAL's tree of a text takes, or a little more: a node for each element, for its text, and two for each
 * attribute. */
static int64_t tree_bytes(const std::string &text)
{
    constexpr int64_t of_node = 96;
    const int64_t n_nodes = std::count(text.begin(), text.end(), '<') + std::count(text.begin(), text.end(), '=');
    return static_cast<int64_t>(text.size()) + 2 * of_node * n_nodes;
}

Xml parse_xml(const std::string &text, std::string *reason)
{
    bool has_doctype = false;
    find_root_element(text, &has_doctype);
    if (has_doctype || text.find("<!ENTITY") != std::string::npos) {
        *reason = "has a DOCTYPE or entities of its own, which are never read";
        return nullptr;
    }
    if (tree_bytes(text) > most_tree_bytes) {
        *reason = "is too large: read, it would take more than " + std::to_string(most_tree_bytes >> 20) + " MiB";
        return nullptr;
    }
    const QuietErrors quiet;
    Xml tree(CPLParseXMLString(utf8(text).c_str()));
    if (tree == nullptr)
        *reason = std::string("is broken (") + CPLGetLastErrorMsg() + ")";
    return tree;
}
