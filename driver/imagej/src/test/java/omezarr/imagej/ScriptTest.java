/* ScriptTest.java: the scripts of docs/imagej.md, in the languages that Fiji runs them in, by the engines that it takes
 * (javax.script). */
package omezarr.imagej;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ij.ImagePlus;
import ij.gui.Overlay;
import ij.gui.Roi;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.script.ScriptEngine;
import javax.script.ScriptEngineManager;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScriptTest {
    @TempDir Path place;

    /** The blocks of Python in the documentation: to save and to open. */
    private List<String> examples() throws Exception {
        String text = new String(Files.readAllBytes(Paths.get("../../docs/imagej.md")), "UTF-8");
        Matcher block = Pattern.compile("```python\n(.*?)```", Pattern.DOTALL).matcher(text);
        Stream.Builder<String> found = Stream.builder();
        while (block.find())
            found.add(block.group(1).replace("/data/", place + "/"));
        return found.build().collect(Collectors.toList());
    }

    private void run(String language, String importLine, List<String> scripts) throws Exception {
        ScriptEngine engine = new ScriptEngineManager().getEngineByName(language);
        assertNotNull(engine, "there is no " + language);
        ImagePlus saved = Images.hyperstack();
        saved.setOverlay(new Overlay(new Roi(3, 4, 10, 5)));
        String path = place.resolve("cells.ome.zarr").toString();
        OmeZarr.save(saved, path, "OVERWRITE=YES"); // the script replaces it
        engine.put("imp", saved);
        engine.eval(importLine + "\n" + scripts.get(0));
        String array = new String(Files.readAllBytes(Paths.get(path, "scale0/image/zarr.json")), "UTF-8");
        assertTrue(array.replaceAll("\\s", "").contains("\"chunk_shape\":[1,1,1,30,40]"),
                   array); // z:1, and all of y and x

        OmeZarr.save(saved, path, "OVERWRITE=YES", "BLOCKSIZE=16", "OVERLAY_AS_LABELS=YES");
        String[] lines = scripts.get(1).trim().split("\n");
        engine.eval(importLine + "\n" + lines[0]);
        ImagePlus found = (ImagePlus) engine.get("imp");
        assertEquals("cells.tif", found.getTitle());
        for (int n = 1; n <= saved.getStackSize(); n++)
            assertArrayEquals((short[]) saved.getStack().getPixels(n), (short[]) found.getStack().getPixels(n));
        engine.eval(importLine + "\n" + lines[1]);
        ImagePlus labels = (ImagePlus) engine.get("imp");
        assertTrue(labels.getStack().isVirtual());
        assertArrayEquals(new int[] {20, 15, 1, 3, 2}, labels.getDimensions()); // level 1
        assertEquals(1, labels.getProcessor().getf(2, 3));
        assertEquals(0, labels.getProcessor().getf(12, 3));
        engine.eval(importLine + "\nfaults = OmeZarr.verify(\"" + path + "\")");
        assertEquals(Collections.emptyList(), engine.get("faults"));
    }

    @Test
    void jython_saves_and_opens() throws Exception {
        List<String> scripts = examples();
        run("jython", "from omezarr.imagej import OmeZarr", scripts);
    }

    private List<String> inGroovy() throws Exception {
        return examples()
            .stream()
            .map(text
                 -> text.replace("from omezarr.imagej import OmeZarr\n", "").replace("True", "true").replace("#", "//"))
            .collect(Collectors.toList());
    }

    @Test
    void groovy_saves_and_opens() throws Exception {
        run("groovy", "import omezarr.imagej.OmeZarr", inGroovy());
    }

    @Test
    void javascript_saves_and_opens() throws Exception {
        run("nashorn", "var OmeZarr = Java.type(\"omezarr.imagej.OmeZarr\")", inGroovy());
    }
}
