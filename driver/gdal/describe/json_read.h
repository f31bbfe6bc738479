/* json_read.h: JSON that may come from anyone, through GDAL's classes. */
#ifndef OMEZARR_DESCRIBE_JSON_READ_H
#define OMEZARR_DESCRIBE_JSON_READ_H

#include <climits>
#include <cstring>
#include <initializer_list>
#include <string>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_json.h"

#include "plugin/guard.h"

/* A number, or one of the strings that stand for what JSON cannot say. */
inline double number_of(const CPLJSONObject &value, double otherwise)
{
    if (!value.IsValid())
        return otherwise;
    return value.GetType() == CPLJSONObject::Type::String ? CPLAtof(value.ToString().c_str())
                                                          : value.ToDouble(otherwise);
}

inline bool is_type(const CPLJSONObject &value, CPLJSONObject::Type type)
{
    return value.IsValid() && value.GetType() == type;
}

inline bool is_number(const CPLJSONObject &value)
{
    return is_type(value, CPLJSONObject::Type::Integer) || is_type(value, CPLJSONObject::Type::Long) ||
           is_type(value, CPLJSONObject::Type::Double);
}

/* A member by its whole name: GDAL's own functions take "/" for a path. */
inline CPLJSONObject member_of(const CPLJSONObject &object, const std::string &name)
{
    if (is_type(object, CPLJSONObject::Type::Object))
        for (const CPLJSONObject &child : object.GetChildren())
            if (child.GetName() == name)
                return child;
    CPLJSONObject none;
    none.Deinit();
    return none;
}

inline std::string text_member(const CPLJSONObject &object, const std::string &name)
{
    const CPLJSONObject child = member_of(object, name);
    return is_type(child, CPLJSONObject::Type::String) ? child.ToString() : std::string();
}

/* True if one of these options is in the list of those that a store was made with. */
inline bool has_option(const CPLJSONObject &options, std::initializer_list<const char *> names)
{
    if (is_type(options, CPLJSONObject::Type::Array))
        for (const CPLJSONObject &option : options.ToArray())
            for (const char *name : names)
                if (STARTS_WITH_CI(option.ToString().c_str(), (std::string(name) + "=").c_str()))
                    return true;
    return false;
}

/* What GDAL's tree of a text takes, or a little more: each value is an object of its own, and each object has a table
 * of its members, so that the three bytes "{}," become 800. */
inline int64_t tree_bytes(const std::string &text)
{
    constexpr int64_t of_value = 96, of_object = 800;
    int64_t bytes = static_cast<int64_t>(text.size());
    bool is_string = false;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\\' && is_string)
            i++;
        else if (text[i] == '"')
            is_string = !is_string;
        else if (!is_string && text[i] == '{')
            bytes += of_object;
        else if (!is_string && (text[i] == ',' || text[i] == '['))
            bytes += of_value;
    }
    return bytes;
}

/* The largest tree; about five million numbers. */
constexpr int64_t most_tree_bytes = 512 << 20;

/* False, with a warning where the text is too large, if there is no tree. name: what the text is. */
inline bool parse(const char *text, const char *name, CPLJSONDocument *document)
{
    if (text == nullptr || *text == '\0')
        return false;
    const std::string all(text);
    if (all.size() > INT_MAX || tree_bytes(all) > most_tree_bytes) {
        CPLError(CE_Warning, CPLE_AppDefined, "%s is left out: read, it would take more than %d MiB", name,
                 static_cast<int>(most_tree_bytes >> 20));
        return false;
    }
    const QuietErrors quiet;
    return document->LoadMemory(all);
}

#endif
