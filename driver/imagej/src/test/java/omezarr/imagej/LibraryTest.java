/* LibraryTest.java: the declarations agree with ngff.h, and no call of ours can make the library read or write beyond
 * an array. */
package omezarr.imagej;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibraryTest {
    /** The Java type for a type of C, as ngff.h uses them. */
    private static boolean fits(String c, Class<?> java) {
        if (c.contains("(*"))
            return com.sun.jna.Callback.class.isAssignableFrom(java);
        if (c.contains("*const *"))
            return java == String[].class;
        if (c.contains("char **"))
            return java == PointerByReference.class;
        if (c.matches("(const )?char \\*.*"))
            return java == String.class || java == byte[].class || java == Pointer.class;
        if (c.matches("(const )?int64_t \\*.*"))
            return java == long[].class;
        if (c.startsWith("int32_t *"))
            return java == int[].class;
        if (c.matches("(const )?double \\*.*"))
            return java == double[].class;
        if (c.contains("*"))
            return java == Pointer.class;
        return java == (c.startsWith("int64_t")   ? long.class
                        : c.startsWith("int32_t") ? int.class
                        : c.startsWith("double")  ? double.class
                        : c.startsWith("void")    ? void.class
                                                  : null);
    }

    @Test
    void declarations_agree_with_the_header() throws Exception {
        String header = new String(Files.readAllBytes(Paths.get("../../core/include/ngff.h")), "UTF-8");
        for (Method method : NgffLibrary.class.getDeclaredMethods()) {
            Matcher found =
                Pattern.compile("NGFF_API ([^;()]*?)\\b" + method.getName() + "\\(([^;]*)\\);").matcher(header);
            assertTrue(found.find(), method.getName() + " is not in ngff.h");
            assertTrue(fits(found.group(1), method.getReturnType()), method + " returns " + found.group(1));
            String[] parameters =
                found.group(2).equals("void") ? new String[0] : found.group(2).split(",\\s*(?![^(]*\\))");
            assertEquals(parameters.length, method.getParameterCount(), method.getName());
            for (int i = 0; i < parameters.length; i++)
                assertTrue(fits(parameters[i].trim(), method.getParameterTypes()[i]),
                           method.getName() + ": " + parameters[i]);
        }
    }

    @Test
    void lengths_are_checked_before_the_library_is_called(@TempDir Path place) {
        assertThrows(IllegalArgumentException.class, () -> new Ngff.Image("zyx", new long[] {4, 4}, Ngff.UINT8));
        try (Ngff.Image image = new Ngff.Image("zyx", new long[] {2, 4, 4}, Ngff.UINT16)) {
            assertThrows(IllegalArgumentException.class, () -> image.setScale(new double[] {1, 1}));
            assertThrows(IllegalArgumentException.class, () -> image.setTranslation(new double[4]));
            try (Ngff.Plan plan = new Ngff.Plan(image, new String[0])) {
                assertThrows(IllegalArgumentException.class, () -> plan.setSource(new long[] {4, 4}));
                try (Ngff.Writer writer = new Ngff.Writer(plan, place.resolve("a.ome.zarr").toString());
                     Memory pixels = new Memory(32)) {
                    long[] origin = {0, 0, 0}, extent = {1, 4, 4}, strides = {32, 8, 2};
                    assertThrows(IllegalArgumentException.class, () -> writer.next(new long[2], extent));
                    assertThrows(IllegalArgumentException.class,
                                 () -> writer.write(origin, extent, pixels, 2, strides));
                    assertThrows(IllegalArgumentException.class,
                                 () -> writer.write(origin, new long[] {2, 4, 4}, pixels, 0, strides));
                    assertThrows(IllegalArgumentException.class,
                                 () -> writer.write(origin, extent, pixels, 0, new long[] {32, -8, 2}));
                    writer.write(origin, extent, pixels, 0, strides);
                }
            }
        }
    }

    @Test
    void failure_has_the_librarys_status_and_words() {
        NgffException failure =
            assertThrows(NgffException.class, () -> new Ngff.Image("xy", new long[] {4, 4}, Ngff.UINT8));
        assertEquals(NgffException.ARGUMENT, failure.getStatus());
        assertTrue(failure.getMessage().contains("xy"), failure.getMessage());
    }

    @Test
    void handle_is_not_used_after_it_is_closed() {
        Ngff.Image image = new Ngff.Image("yx", new long[] {4, 4}, Ngff.UINT8);
        image.close();
        image.close();
        assertThrows(IllegalStateException.class, () -> image.setName("a"));
    }

    @Test
    void units_are_the_librarys() {
        assertEquals("micrometer", Ngff.unitName('x', "micron"));
        assertEquals("micrometer", Ngff.unitName('x', "\u00b5m"));
        assertEquals("second", Ngff.unitName('t', "sec"));
        assertEquals(null, Ngff.unitName('x', "pixel"));
    }

    @Test
    void dialog_has_the_librarys_options() {
        Map<String, Options.Option> table = Options.table();
        assertEquals("0.5", table.get("ngff_version").standard);
        assertTrue(table.get("compress").values.contains("ZSTD"));
        assertTrue(table.get("overwrite").isYesNo);
        assertTrue(table.get("blocksize").help.startsWith("Chunk"));
    }

    @Test
    void macro_options_are_taken_apart() {
        assertEquals("{path=/a b[1].zarr, level=3, overwrite=YES, shard=, name=x y}",
                     Options.ofMacro("path=[/a b[1].zarr]  level=3 Overwrite shard=[] name='x y' ").toString());
        assertThrows(IllegalArgumentException.class, () -> Options.ofMacro("path=[/a"));
    }
}
