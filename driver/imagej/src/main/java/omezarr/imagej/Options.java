/* Options.java: the library's option table and one option of our own, from which the dialog has its fields, choices,
 * defaults and help, and macros their keys: an option's key is its name in small letters. */
package omezarr.imagej;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

final class Options {
    static final class Option {
        final String name, standard, help;
        final boolean isYesNo;
        final List<String> values; // empty where anything may be typed

        private Option(Element row) {
            name = row.getAttribute("name");
            standard = row.getAttribute("default");
            help = row.getAttribute("description");
            isYesNo = row.getAttribute("type").equals("boolean");
            values = new ArrayList<>();
            NodeList list = row.getElementsByTagName("Value");
            for (int i = 0; i < list.getLength(); i++)
                values.add(list.item(i).getTextContent());
        }

        /** One of the plugin's own: yes or no. */
        private Option(String name, String help) {
            this.name = name;
            this.help = help;
            standard = "NO";
            isYesNo = true;
            values = new ArrayList<>();
        }

        String key() {
            return name.toLowerCase(Locale.ROOT);
        }
    }

    private static Map<String, Option> table; // by key

    private Options() {
    }

    static synchronized Map<String, Option> table() {
        if (table != null)
            return table;
        Map<String, Option> rows = new LinkedHashMap<>();
        try {
            NodeList list = DocumentBuilderFactory.newInstance()
                                .newDocumentBuilder()
                                .parse(new InputSource(new StringReader(Ngff.optionsXml())))
                                .getElementsByTagName("Option");
            for (int i = 0; i < list.getLength(); i++) {
                Option option = new Option((Element) list.item(i));
                rows.put(option.key(), option);
            }
            Option labels = new Option(Labels.option, "Adds the areas of the overlay as a label image");
            rows.put(labels.key(), labels);
        } catch (Exception e) {
            throw new IllegalStateException("the native library's table of options cannot be read", e);
        }
        return table = rows;
    }

    /**
     * What of a macro's options is ours: the value of each key, "YES" for a word that stands alone.
     *  "path=[/a b.zarr] compress=zstd overwrite"
     */
    static Map<String, String> ofMacro(String text) {
        Map<String, String> values = new LinkedHashMap<>();
        int at = 0, n = text.length();
        while (at < n) {
            if (text.charAt(at) == ' ') {
                at++;
                continue;
            }
            int begin = at;
            while (at < n && text.charAt(at) != ' ' && text.charAt(at) != '=')
                at++;
            String key = text.substring(begin, at).toLowerCase(Locale.ROOT), value = "YES";
            if (at < n && text.charAt(at) == '=') {
                int end = endOfValue(text, ++at);
                value = text.substring(at, end);
                boolean isEnclosed = value.length() > 1 && (value.startsWith("[") || value.startsWith("'"));
                if (isEnclosed)
                    value = value.substring(1, value.length() - 1);
                at = end;
            }
            values.put(key, value);
        }
        return values;
    }

    /** Behind a value that begins here: [in brackets, which may nest], 'in quotes', or up to the next blank. */
    private static int endOfValue(String text, int at) {
        int n = text.length();
        if (at < n && text.charAt(at) == '[') {
            int depth = 0;
            for (int i = at; i < n; i++) {
                depth += text.charAt(i) == '[' ? 1 : text.charAt(i) == ']' ? -1 : 0;
                if (depth == 0)
                    return i + 1;
            }
            throw new IllegalArgumentException("the macro's options have a \"[\" without its \"]\": " + text);
        }
        if (at < n && text.charAt(at) == '\'' && text.indexOf('\'', at + 1) > 0)
            return text.indexOf('\'', at + 1) + 1;
        int blank = text.indexOf(' ', at);
        return blank < 0 ? n : blank;
    }
}
