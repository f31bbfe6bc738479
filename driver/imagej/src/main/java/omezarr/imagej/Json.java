/* Json.java: the JSON text of what the store keeps for ImageJ, made of and into Map, List, String, Double, Boolean and
 * null. The library has checked the text that it gives; here it is only taken apart. */
package omezarr.imagej;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** @return null for null */
    static Object parse(String text) {
        return text == null ? null : new Json(text).value();
    }

    /** The member of an object, or null where there is none or the parent is no object. */
    static Object member(Object parent, String name) {
        return parent instanceof Map ? ((Map<?, ?>) parent).get(name) : null;
    }

    static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : new ArrayList<>();
    }

    static String string(Object value) {
        return value instanceof String ? (String) value : null;
    }

    static double number(Object value, double otherwise) {
        return value instanceof Double ? (Double) value : otherwise;
    }

    static String write(Object value) {
        StringBuilder to = new StringBuilder();
        write(value, to);
        return to.toString();
    }

    private static void write(Object value, StringBuilder to) {
        if (value instanceof Map) {
            String before = "{";
            for (Map.Entry<?, ?> member : ((Map<?, ?>) value).entrySet()) {
                to.append(before);
                write(member.getKey(), to);
                to.append(':');
                write(member.getValue(), to);
                before = ",";
            }
            to.append(before.equals("{") ? "{}" : "}");
        } else if (value instanceof List) {
            String before = "[";
            for (Object item : (List<?>) value) {
                to.append(before);
                write(item, to);
                before = ",";
            }
            to.append(before.equals("[") ? "[]" : "]");
        } else if (value instanceof String) {
            writeString((String) value, to);
        } else {
            to.append(value); // a finite number, a boolean or null
        }
    }

    private static void writeString(String value, StringBuilder to) {
        to.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\')
                to.append('\\').append(c);
            else if (c < ' ' || Character.isSurrogate(c))
                to.append(String.format("\\u%04x", (int) c));
            else
                to.append(c);
        }
        to.append('"');
    }

    private char next() {
        while (Character.isWhitespace(text.charAt(at)))
            at++;
        return text.charAt(at);
    }

    private Object value() {
        switch (next()) {
        case '{':
            return object();
        case '[':
            return array();
        case '"':
            return string();
        case 't':
            at += 4;
            return Boolean.TRUE;
        case 'f':
            at += 5;
            return Boolean.FALSE;
        case 'n':
            at += 4;
            return null;
        default:
            int begin = at;
            while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0)
                at++;
            return Double.valueOf(text.substring(begin, at));
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        while (next() != '}') {
            if (text.charAt(at) == ',') {
                at++;
                next();
            }
            String name = string();
            next();
            at++; // the colon
            members.put(name, value());
        }
        at++;
        return members;
    }

    private List<Object> array() {
        List<Object> items = new ArrayList<>();
        at++;
        while (next() != ']') {
            if (text.charAt(at) == ',')
                at++;
            items.add(value());
        }
        at++;
        return items;
    }

    private String string() {
        StringBuilder value = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            char c = text.charAt(at);
            if (c != '\\') {
                value.append(c);
                continue;
            }
            c = text.charAt(++at);
            int control = "bfnrt".indexOf(c);
            if (c == 'u') {
                value.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                at += 4;
            } else {
                value.append(control >= 0 ? "\b\f\n\r\t".charAt(control) : c);
            }
        }
        at++;
        return value.toString();
    }
}
