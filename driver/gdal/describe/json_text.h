/* json_text.h: writes JSON text in order, numbers so that they read back to the same double whatever the locale. What
 * JSON cannot say, NaN and the infinities, becomes the strings "nan", "inf" and "-inf". */
#ifndef OMEZARR_DESCRIBE_JSON_TEXT_H
#define OMEZARR_DESCRIBE_JSON_TEXT_H

#include <cmath>
#include <string>

#include "cpl_conv.h"
#include "cpl_string.h"

class JsonText
{
    std::string m_text{};
    bool m_needs_comma = false;

    void separate()
    {
        if (m_needs_comma)
            m_text += ',';
        m_needs_comma = true;
    }

    void quote(const std::string &utf8)
    {
        m_text += '"';
        for (const char c : utf8) {
            if (c == '"' || c == '\\') {
                m_text += '\\';
                m_text += c;
            } else if (static_cast<unsigned char>(c) < 0x20) {
                m_text += CPLSPrintf("\\u%04x", c);
            } else {
                m_text += c;
            }
        }
        m_text += '"';
    }

  public:
    const std::string &text() const
    {
        return m_text;
    }

    /* '{' or '[' ... and its partner. */
    JsonText &open(char bracket)
    {
        separate();
        m_text += bracket;
        m_needs_comma = false;
        return *this;
    }

    JsonText &close(char bracket)
    {
        m_text += bracket;
        m_needs_comma = true;
        return *this;
    }

    JsonText &key(const std::string &name)
    {
        separate();
        quote(as_utf8(name.c_str()));
        m_text += ':';
        m_needs_comma = false;
        return *this;
    }

    JsonText &string(const std::string &value)
    {
        separate();
        quote(as_utf8(value.c_str()));
        return *this;
    }

    /* What is JSON already. */
    JsonText &raw(const std::string &json)
    {
        separate();
        m_text += json;
        return *this;
    }

    JsonText &integer(GIntBig value)
    {
        separate();
        m_text += CPLSPrintf(CPL_FRMT_GIB, value);
        return *this;
    }

    JsonText &number(double value)
    {
        separate();
        const std::string digits = number_text(value);
        m_text += std::isfinite(value) ? digits : '"' + digits + '"';
        return *this;
    }

    /* The shorter of 15 and 17 digits that reads back to the same double; "nan", "inf", "-inf". */
    static std::string number_text(double value)
    {
        if (std::isnan(value))
            return "nan";
        if (std::isinf(value))
            return value > 0 ? "inf" : "-inf";
        char digits[40];
        CPLsnprintf(digits, sizeof digits, "%.15g", value);
        if (CPLAtof(digits) != value)
            CPLsnprintf(digits, sizeof digits, "%.17g", value);
        return digits;
    }

    /* Text of unknown encoding: what is not UTF-8 is taken for Latin-1. Halves of UTF-16 pairs, which GDAL takes for
     * characters and UTF-8 (RFC 3629) does not, become U+FFFD. */
    static std::string as_utf8(const char *text)
    {
        std::string utf8 = text;
        if (!CPLIsUTF8(text, -1)) {
            char *recoded = CPLRecode(text, CPL_ENC_ISO8859_1, CPL_ENC_UTF8);
            utf8 = recoded;
            CPLFree(recoded);
        }
        for (size_t at = 0; (at = utf8.find('\xED', at)) != std::string::npos; at += 3)
            if (at + 2 < utf8.size() && static_cast<unsigned char>(utf8[at + 1]) >= 0xA0)
                utf8.replace(at, 3, "\xEF\xBF\xBD");
        return utf8;
    }
};

#endif
