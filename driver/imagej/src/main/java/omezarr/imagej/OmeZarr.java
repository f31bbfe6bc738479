/* OmeZarr.java: what scripts call: OmeZarr.save(imp, path, "COMPRESS=ZSTD", ...). */
package omezarr.imagej;

import ij.ImagePlus;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** OME-Zarr for scripts in any language of ImageJ and Fiji, with and without a window. */
public final class OmeZarr {
    private OmeZarr() {
    }

    /**
     * Writes an image with all its planes as an OME-Zarr with levels. A virtual stack is read one plane at a time.
     *
     *  @param imp the image
     *  @param path the store to make, such as "/data/a.ome.zarr", or "/data/a.ozx" for one file
     *  @param options NAME=VALUE each: the creation options of the README's table, such as "OVERWRITE=YES"
     *  @throws NgffException with path and cause, if the store cannot be made; nothing of it is there then
     *  @throws IllegalStateException if a plane of the image cannot be read
     *  @throws RuntimeException ij.Macro.MACRO_CANCELED, after Escape
     */
    public static void save(ImagePlus imp, String path, String... options) {
        List<String> all = new ArrayList<>(Arrays.asList(options));
        if (all.stream().noneMatch(option -> option.toUpperCase(Locale.ROOT).startsWith("COMPRESS=")))
            all.add("COMPRESS=ZSTD"); // blosc, the library's own choice for 16 bit, is a native library that readers in
                                      // Fiji may not have
        Saving.save(imp, path, all);
    }

    /** @return the version of the native library */
    public static String version() {
        return Ngff.version();
    }
}
