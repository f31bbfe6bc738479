/* OmeZarr.java: what scripts call: OmeZarr.save(imp, path, "COMPRESS=ZSTD", ...), OmeZarr.open(path). */
package omezarr.imagej;

import ij.ImagePlus;
import ij.Macro;
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
     *  @param options NAME=VALUE each: the creation options of the table in docs/driver.md, such as "OVERWRITE=YES"; and
     *      "OVERLAY_AS_LABELS=YES", which adds the areas of the overlay as the label image labels/overlay
     *  @throws NgffException with path and cause, if the store cannot be made; nothing of it is there then
     *  @throws IllegalStateException if a plane of the image cannot be read
     *  @throws RuntimeException ij.Macro.MACRO_CANCELED, after Escape
     */
    public static void save(ImagePlus imp, String path, String... options) {
        List<String> all = new ArrayList<>(Arrays.asList(options));
        if (all.stream().noneMatch(option -> option.toUpperCase(Locale.ROOT).startsWith("COMPRESS=")))
            all.add("COMPRESS=ZSTD"); // blosc, the library's own choice for 16 bit, is a native library that readers in
                                      // Fiji may not have
        boolean hasLabels = all.removeIf(option -> option.equalsIgnoreCase(Labels.option + "=YES"));
        if (hasLabels)
            Labels.check(imp, path);
        try {
            Saving.save(imp, path, all);
            if (hasLabels)
                Labels.save(imp, path, all);
        } catch (NgffException e) {
            if (e.getStatus() == NgffException.CANCELLED)
                throw new RuntimeException(Macro.MACRO_CANCELED);
            throw Messages.explained(e);
        }
    }

    /**
     * Opens the image at the root of a store: the largest level that ImageJ can hold; as a virtual stack if it is
     * large.
     *
     *  @param path a folder, or a file ".ozx"
     *  @return the image, not shown yet
     *  @throws NgffException with path and cause, if it cannot be read
     */
    public static ImagePlus open(String path) {
        return open(path, "", -1, null);
    }

    /**
     * Opens one image of a store.
     *
     *  @param path a folder, or a file ".ozx"
     *  @param part the image's path in the store, such as "labels/cells" or "A/1/0"; "" for the one at the root
     *  @param level 0 is the full size; -1 the largest that ImageJ can hold
     *  @param isVirtual whether planes are read when they are looked at; null: if the image is large
     *  @return the image, not shown yet
     *  @throws NgffException with path and cause, if it cannot be read
     */
    public static ImagePlus open(String path, String part, int level, Boolean isVirtual) {
        return Opening.open(path, part, level, isVirtual);
    }

    /**
     * Looks at every object of a store: all of it is there and decodes, its metadata keeps to the specification.
     *
     *  @param path a folder, or a file ".ozx"
     *  @return what is wrong with it, one line for each object; empty if it is whole
     *  @throws NgffException with path and cause, if it cannot be read
     */
    public static List<String> verify(String path) {
        return Verifying.verify(path);
    }

    /** @return the version of the native library */
    public static String version() {
        return Ngff.version();
    }
}
