/* jsonread.h: JSON that may come from anyone, through GDAL's classes. */
#ifndef OMEZARR_JSONREAD_H
#define OMEZARR_JSONREAD_H

#include <cstring>

#include "cpl_conv.h"
#include "cpl_error.h"
#include "cpl_json.h"

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

inline bool parse(const char *text, CPLJSONDocument *document)
{
    if (text == nullptr || *text == '\0')
        return false;
    CPLErrorHandlerPusher quiet(CPLQuietErrorHandler);
    return document->LoadMemory(reinterpret_cast<const GByte *>(text), static_cast<int>(strlen(text)));
}

#endif
