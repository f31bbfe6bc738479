/* PatchedTest.java: a macro in the ImageJ that Fiji patches, so that it runs without a display (ij1-patcher). That
 * ImageJ has class loaders of its own, so the macro leaves what it has found in a file. */
package omezarr.imagej;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import net.imagej.patcher.LegacyEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PatchedTest {
    @Test
    void macro_saves_and_opens_in_fijis_headless_mode(@TempDir Path place) throws Exception {
        LegacyEnvironment fiji = new LegacyEnvironment(null, true);
        fiji.disableInitializer();
        fiji.addPluginClasspath(
            new File("target/classes"),
            new File(com.sun.jna.Native.class.getProtectionDomain().getCodeSource().getLocation().toURI()));
        String store = place.resolve("a b.ome.zarr").toString(), found = place.resolve("found.txt").toString();
        fiji.runMacro(
            "newImage('ramp', '16-bit ramp', 256, 80, 5);"
                + " run('OME-Zarr...', 'path=[" + store + "] compress=gzip'); close();"
                + " run('OME-Zarr Image...', 'path=[" + store + "]');"
                + " File.saveString(getTitle() + ' ' + nSlices + ' ' + getPixel(128, 3) + ' ' + getPixel(255, 3), '" +
                found + "');",
            "");
        assertTrue(Files.isRegularFile(java.nio.file.Paths.get(store, "zarr.json")));
        // ImageJ's ramp (ij.gui.NewImage): column x of w is 65536 * x / w + 0.5, cut.
        assertEquals("ramp 5 32768 65280",
                     new String(Files.readAllBytes(java.nio.file.Paths.get(found)), "UTF-8").trim());
    }
}
