/* xmltree.h: a tree of GDAL's XML parser, read and changed by the names of its elements without their namespace: "ome:Image"
 * is "Image". */
#ifndef OMEZARR_DESCRIBE_STACK_XMLTREE_H
#define OMEZARR_DESCRIBE_STACK_XMLTREE_H

#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "cpl_minixml.h"

#include "describe/dimensions.h"
#include "describe/stack/kinds.h"

struct XmlReleaser {
    void operator()(CPLXMLNode *node) const
    {
        CPLDestroyXMLNode(node);
    }
};

using Xml = std::unique_ptr<CPLXMLNode, XmlReleaser>;
using Node = const CPLXMLNode *;

/* The largest tree: OME-XML of about 200,000 planes, each with its Plane and TiffData, or of a million with TiffData
 * alone. Beyond that a small file could take all memory. */
constexpr int64_t most_tree_bytes = 1 << 30;

/* Where the root element begins; npos: this is no XML. *has_doctype: a DOCTYPE or ENTITY stands before it. */
size_t find_root_element(const std::string &text, bool *has_doctype);

/* The tree of XML; NULL, with the reason, if there is none: it has a DOCTYPE, is too large, or broken. */
Xml parse_xml(const std::string &text, std::string *reason);

inline const char *local_name(Node node)
{
    const char *colon = strrchr(node->pszValue, ':');
    return colon != nullptr ? colon + 1 : node->pszValue;
}

inline bool is_element(Node node, const char *name)
{
    return node->eType == CXT_Element && strcmp(local_name(node), name) == 0;
}

/* The first child of this name from a node on. */
inline Node find(Node node, const char *name)
{
    while (node != nullptr && !is_element(node, name))
        node = node->psNext;
    return node;
}

inline Node child(Node of, const char *name)
{
    return of != nullptr ? find(of->psChild, name) : nullptr;
}

/* The value of an attribute; NULL: it has none of this name. */
inline const char *attribute(Node of, const char *name)
{
    for (Node node = of != nullptr ? of->psChild : nullptr; node != nullptr; node = node->psNext)
        if (node->eType == CXT_Attribute && strcmp(local_name(node), name) == 0)
            return node->psChild != nullptr ? node->psChild->pszValue : "";
    return nullptr;
}

inline std::string text_attribute(Node of, const char *name)
{
    const char *text = attribute(of, name);
    return text != nullptr ? utf8(trimmed(text)) : std::string();
}

inline std::string text_of(Node element)
{
    for (Node node = element != nullptr ? element->psChild : nullptr; node != nullptr; node = node->psNext)
        if (node->eType == CXT_Text)
            return utf8(trimmed(node->pszValue));
    return std::string();
}

/* False if there is no such attribute or it is no whole number from 0 on. */
inline bool read_count(Node of, const char *name, int64_t *count)
{
    const char *text = attribute(of, name);
    double number = 0;
    if (text == nullptr || !read_number(text, &number) || number < 0 || number > INT32_MAX ||
        number != std::floor(number))
        return false;
    *count = static_cast<int64_t>(number);
    return true;
}

#endif
