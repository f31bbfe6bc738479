/* SaveTest.java: what is saved, and what happens when it cannot be. Pixels and metadata are looked at by
 * autotest/imagej, which reads the stores by zarr-python. */
package omezarr.imagej;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ij.IJ;
import ij.ImagePlus;
import ij.Macro;
import ij.WindowManager;
import ij.gui.Line;
import ij.gui.OvalRoi;
import ij.gui.Overlay;
import ij.gui.Roi;
import ij.io.FileSaver;
import ij.measure.Calibration;
import ij.plugin.FileInfoVirtualStack;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SaveTest {
    @TempDir Path place;

    @AfterEach
    void forgetKeysAndMacros() {
        IJ.resetEscape();
        Macro.setOptions(null);
        WindowManager.setTempCurrentImage(null);
    }

    private static void assertHolds(Path folder, String... names) throws IOException {
        try (Stream<Path> inside = Files.list(folder)) {
            assertEquals(
                new TreeSet<>(java.util.Arrays.asList(names)),
                inside.map(path -> path.getFileName().toString()).collect(Collectors.toCollection(TreeSet::new)));
        }
    }

    /* -- Stores for the readers of others -------------------------------------------------------------------------- */

    @Test
    void hyperstack_is_saved_with_calibration_and_channels() throws IOException {
        OmeZarr.save(Images.hyperstack(), Images.store("hyperstack.ome.zarr"), "BLOCKSIZE=16");
    }

    @Test
    void hyperstack_is_saved_as_version_0_4() throws IOException {
        OmeZarr.save(Images.hyperstack(), Images.store("version04.ome.zarr"), "NGFF_VERSION=0.4", "COMPRESS=GZIP");
    }

    @Test
    void plane_of_8_bit_is_saved_with_its_inverted_range() throws IOException {
        ImagePlus imp = Images.stack("plane", 8, 70, 50, 1, 1, 1);
        imp.getProcessor().invertLut();
        imp.setDisplayRange(10, 200);
        OmeZarr.save(imp, Images.store("plane.ome.zarr"));
    }

    @Test
    void float_stack_is_saved_with_nan() throws IOException {
        ImagePlus imp = Images.stack("float", 32, 40, 30, 1, 4, 1);
        imp.getStack().getProcessor(2).setf(3, 1, Float.NaN);
        imp.setDisplayRange(-20.5, 33.25);
        imp.getCalibration().setUnit("A");
        imp.getCalibration().pixelWidth = imp.getCalibration().pixelHeight = 0.5;
        OmeZarr.save(imp, Images.store("float.ome.zarr"));
    }

    @Test
    void rgb_stack_is_saved_as_three_channels() throws IOException {
        OmeZarr.save(Images.stack("rgb", 24, 40, 30, 1, 2, 2), Images.store("rgb.ome.zarr"));
    }

    @Test
    void rgb_in_chunks_of_several_frames_is_saved_as_three_channels() throws IOException {
        OmeZarr.save(Images.stack("rgb", 24, 40, 30, 1, 2, 2), Images.store("rgb_frames.ome.zarr"),
                     "BLOCKSIZE=t:2,z:2,y:16,x:16");
    }

    @Test
    void signed_16_bit_is_saved_as_int16() throws IOException {
        ImagePlus imp = Images.stack("signed", 16, 40, 30, 1, 2, 1);
        for (int n = 1; n <= 2; n++)
            for (int i = 0; i < 40 * 30; i++)
                imp.getStack().getProcessor(n).set(i, 32768 + (n == 1 ? -i : i));
        imp.getCalibration().setSigned16BitCalibration();
        imp.setDisplayRange(32768 - 500, 32768 + 700);
        OmeZarr.save(imp, Images.store("signed.ome.zarr"));
    }

    @Test
    void channels_that_are_no_composite_are_grey() throws IOException {
        ImagePlus imp = Images.stack("grey", 16, 40, 30, 3, 1, 1);
        imp.setDisplayRange(5, 500);
        OmeZarr.save(imp, Images.store("grey.ome.zarr"));
    }

    /** The twins of those that gdal_translate makes. */
    @Test
    void volume_is_saved() throws IOException {
        ImagePlus imp = Images.stack("volume", 16, 300, 200, 1, 20, 1);
        String block = "BLOCKSIZE=z:8,y:64,x:64";
        OmeZarr.save(imp, Images.store("volume.ome.zarr"), "COMPRESS=ZSTD", "LEVEL=3", block);
        OmeZarr.save(imp, Images.store("volume_shards.ome.zarr"), "COMPRESS=BLOSC", "SHARD=128", block);
        OmeZarr.save(imp, Images.store("volume_04.ome.zarr"), "COMPRESS=GZIP", "NGFF_VERSION=0.4", block);
    }

    /** Rectangle 1 on all planes, an oval 2 over it on slice 2 and frame 1, a line that is no area, one outside. */
    @Test
    void overlay_is_saved_as_labels() throws IOException {
        ImagePlus imp = Images.hyperstack();
        Overlay overlay = new Overlay(new Roi(3, 4, 10, 5));
        overlay.get(0).setName("nucleus");
        OvalRoi oval = new OvalRoi(8, 2, 9, 9);
        oval.setPosition(0, 2, 1);
        oval.setStrokeColor(new java.awt.Color(10, 20, 30));
        overlay.add(oval);
        overlay.add(new Line(0, 0, 20, 20));
        overlay.add(new Roi(-5, 28, 8, 8));
        imp.setOverlay(overlay);
        OmeZarr.save(imp, Images.store("labels.ome.zarr"), "BLOCKSIZE=16", "OVERLAY_AS_LABELS=YES");
    }

    @Test
    void overlay_without_areas_is_refused_before_anything_is_written() throws IOException {
        ImagePlus imp = Images.stack("a", 8, 8, 8, 1, 1, 1);
        for (String name : new String[] {"a.ome.zarr", "a.ozx"}) {
            Exception failure =
                assertThrows(IllegalArgumentException.class,
                             () -> OmeZarr.save(imp, place.resolve(name).toString(), "overlay_as_labels=yes"));
            assertTrue(failure.getMessage().contains(name.endsWith("ozx") ? "one file" : "no areas"),
                       failure.getMessage());
            imp.setOverlay(new Overlay(new Line(1, 1, 3, 3)));
        }
        assertHolds(place);
    }

    @Test
    void one_file_is_saved() throws IOException {
        OmeZarr.save(Images.hyperstack(), Images.store("one.ozx"));
    }

    /* -- Planes
     * -------------------------------------------------------------------------------------------------------- */

    private static List<Integer> upTo(int n) {
        return IntStream.rangeClosed(1, n).boxed().collect(Collectors.toList());
    }

    @Test
    void each_plane_of_a_virtual_stack_is_read_once() throws IOException {
        Images.Counted stack = new Images.Counted(600, 500, 2, 20, 2);
        OmeZarr.save(stack.image("virtual"), Images.store("virtual.ome.zarr"), "BLOCKSIZE=z:8,y:128,x:128");
        assertEquals(upTo(80), stack.reads.stream().sorted().collect(Collectors.toList()));
    }

    @Test
    void plane_that_is_made_ahead_does_not_change_the_one_that_is_written() throws IOException {
        Images.Counted stack = new Images.Counted(300, 200, 2, 5, 3); // all its planes have the same array
        String path = place.resolve("ahead.ome.zarr").toString();
        Set<String> threads = ConcurrentHashMap.newKeySet();
        ImagePlus imp = stack.image("ahead");
        stack.onRead = () -> threads.add(Thread.currentThread().getName());
        OmeZarr.save(imp, path, "BLOCKSIZE=z:2,y:64,x:64");
        assertEquals(Collections.singleton("OME-Zarr planes"), threads);
        ImagePlus found = OmeZarr.open(path);
        for (int n = 1; n <= 30; n++)
            assertArrayEquals((short[]) stack.getProcessor(n).getPixels(), (short[]) found.getStack().getPixels(n));
    }

    @Test
    void large_planes_are_copied_some_rows_at_a_time() {
        long most = Planes.mostBytes;
        try {
            for (int bits : new int[] {8, 16, 24, 32}) {
                Planes.mostBytes = 7 * 40 * (bits == 24 ? 4 : bits / 8) + 3; // 7 rows of 40 pixels
                ImagePlus imp = Images.stack("rows", bits, 40, 30, 1, 2, 1);
                if (bits == 16)
                    imp.getCalibration().setSigned16BitCalibration();
                String path = place.resolve(bits + ".ome.zarr").toString();
                OmeZarr.save(imp, path, "BLOCKSIZE=16");
                ImagePlus found = OmeZarr.open(path);
                for (int n = 1; n <= 2; n++)
                    for (int i = 0; i < 40 * 30; i++)
                        assertEquals(imp.getStack().getProcessor(n).get(i) & 0xffffff,
                                     found.getStack().getProcessor(n).get(i) & 0xffffff);
            }
        } finally {
            Planes.mostBytes = most;
        }
    }

    @Test
    void plane_that_is_not_there_fails_the_export() throws IOException {
        ImagePlus whole = Images.stack("whole", 16, 64, 48, 1, 6, 1);
        String file = place.resolve("whole.tif").toString();
        new FileSaver(whole).saveAsTiffStack(file);
        ImagePlus virtual = FileInfoVirtualStack.openVirtual(file);
        assertEquals(6, virtual.getStackSize());
        try (RandomAccessFile cut = new RandomAccessFile(file, "rw")) {
            cut.setLength(cut.length() - 64 * 48);
        }
        IllegalStateException failure = assertThrows(
            IllegalStateException.class, () -> OmeZarr.save(virtual, place.resolve("cut.ome.zarr").toString()));
        assertTrue(failure.getMessage().contains("plane 6 of 6") && failure.getMessage().contains(file),
                   failure.getMessage());
        assertHolds(place, "whole.tif");
    }

    @Test
    void plane_that_throws_fails_the_export() throws IOException {
        Images.Counted stack = new Images.Counted(64, 48, 1, 6, 1);
        ImagePlus imp = stack.image("broken");
        stack.onRead = () -> {
            if (stack.reads.size() == 4)
                throw new IllegalStateException("the microscope is off");
        };
        Exception failure =
            assertThrows(IllegalStateException.class, () -> OmeZarr.save(imp, place.resolve("a.ome.zarr").toString()));
        assertEquals("the microscope is off", failure.getMessage());
        assertHolds(place);
    }

    @Test
    void escape_leaves_nothing() throws IOException {
        Images.Counted stack = new Images.Counted(64, 48, 1, 400, 1);
        ImagePlus imp = stack.image("long");
        stack.onRead = () -> {
            if (stack.reads.size() == 20)
                IJ.setKeyDown(java.awt.event.KeyEvent.VK_ESCAPE);
        };
        RuntimeException failure = assertThrows(
            RuntimeException.class, () -> OmeZarr.save(imp, place.resolve("a.ome.zarr").toString(), "BLOCKSIZE=z:1"));
        assertEquals(Macro.MACRO_CANCELED, failure.getMessage());
        assertEquals(20, stack.reads.size());
        assertHolds(place);
    }

    /* -- Errors, in ImageJ's words
     * --------------------------------------------------------------------------------------- */

    private static String failureOf(ImagePlus imp, String path, String... options) {
        return assertThrows(NgffException.class, () -> OmeZarr.save(imp, path, options)).getMessage();
    }

    @Test
    void store_that_exists_is_kept_until_overwrite_is_checked() throws IOException {
        ImagePlus imp = Images.stack("a", 8, 8, 8, 1, 1, 1);
        String path = place.resolve("a.ome.zarr").toString();
        OmeZarr.save(imp, path);
        String message = failureOf(imp, path);
        assertTrue(message.contains(path) && message.contains("check \"Overwrite\""), message);
        assertFalse(message.contains("OVERWRITE=YES"), message);
        OmeZarr.save(imp, path, "OVERWRITE=YES");
    }

    @Test
    void folder_of_others_is_never_replaced() throws IOException {
        Path folder = Files.createDirectory(place.resolve("thesis.zarr"));
        Files.write(folder.resolve("chapter1.txt"), new byte[] {1});
        String message = failureOf(Images.stack("a", 8, 8, 8, 1, 1, 1), folder.toString(), "OVERWRITE=YES");
        assertTrue(message.contains(folder.toString()), message);
        assertHolds(folder, "chapter1.txt");
    }

    @Test
    void place_that_cannot_be_written_is_named() {
        String path = place.resolve("none/a.ome.zarr").toString();
        String message = failureOf(Images.stack("a", 8, 8, 8, 1, 1, 1), path);
        assertTrue(message.contains("none"), message);
    }

    @Test
    void option_that_does_not_fit_is_refused_before_anything_is_written() throws IOException {
        String message =
            failureOf(Images.stack("a", 8, 8, 8, 1, 1, 1), place.resolve("a.ome.zarr").toString(), "LEVEL=99");
        assertTrue(message.contains("LEVEL"), message);
        assertHolds(place);
    }

    @Test
    void rgb_of_several_channels_is_refused() {
        ImagePlus imp = Images.stack("two", 24, 8, 8, 2, 1, 1);
        Exception failure = assertThrows(IllegalArgumentException.class,
                                         () -> OmeZarr.save(imp, place.resolve("a.ome.zarr").toString()));
        assertTrue(failure.getMessage().contains("Split Channels"), failure.getMessage());
    }

    /* -- Macros
     * --------------------------------------------------------------------------------------------------------- */

    /** As ImageJ runs a command of a macro. */
    private static Throwable runFromMacro(ImagePlus imp, String options) throws InterruptedException {
        Throwable[] thrown = {null};
        Thread thread = new Thread(() -> {
            WindowManager.setTempCurrentImage(imp);
            Macro.setOptions(options);
            try {
                new SaveCommand().run("");
            } catch (Throwable e) {
                thrown[0] = e;
            }
        }, "Run$_OME-Zarr...");
        thread.start();
        thread.join();
        return thrown[0];
    }

    @Test
    void macro_saves_without_a_display() throws Exception {
        ImagePlus imp = Images.stack("a", 8, 100, 80, 1, 1, 1);
        Path store = place.resolve("my cells [1] \u65e5.ome.zarr");
        assertEquals(null, runFromMacro(imp, "path=[" + store +
                                                 "] compress=gzip ngff_version=0.4 blocksize=[y:16,x:16] shard=[]"
                                                 + " overview_resampling=default"));
        String array =
            new String(Files.readAllBytes(store.resolve("scale0/image/.zarray")), "UTF-8").replaceAll("\\s", "");
        assertTrue(array.contains("\"chunks\":[16,16]") && array.contains("\"id\":\"gzip\""), array);
        assertEquals(null, runFromMacro(imp, "path=[" + store + "] overwrite"));
        assertTrue(Files.exists(store.resolve("zarr.json")));
    }

    @Test
    void macro_gets_an_exception_that_says_what_to_do() throws Exception {
        ImagePlus imp = Images.stack("a", 8, 8, 8, 1, 1, 1);
        String path = place.resolve("a").toString();
        assertEquals(null, runFromMacro(imp, "path=" + path));
        assertHolds(place, "a.ome.zarr"); // as ImageJ adds ".tif"
        assertTrue(runFromMacro(imp, "path=" + path).getMessage().contains("check \"Overwrite\""));
        assertTrue(runFromMacro(imp, "path=" + path + " colour=red").getMessage().contains("no option \"colour\""));
        assertTrue(runFromMacro(imp, "overwrite").getMessage().contains("path="));
        assertFalse(imp.isLocked());
    }

    @Test
    void image_that_is_in_use_is_left_alone() throws Exception {
        ImagePlus imp = Images.stack("a", 8, 8, 8, 1, 1, 1);
        assertTrue(imp.lock());
        assertTrue(runFromMacro(imp, "path=" + place.resolve("a.ome.zarr")).getMessage().contains("in use"));
        assertHolds(place);
    }

    /* -- What the store cannot hold
     * ------------------------------------------------------------------------------------ */

    @Test
    void what_is_lost_stands_in_the_report() throws IOException {
        ImagePlus imp = Images.stack("furlongs", 8, 8, 8, 1, 1, 1);
        Calibration calibration = imp.getCalibration();
        calibration.setUnit("furlong");
        calibration.pixelHeight = -2;
        Path report = place.resolve("report.json");
        OmeZarr.save(imp, place.resolve("a.ome.zarr").toString(), "REPORT=" + report);
        String text = new String(Files.readAllBytes(report), "UTF-8");
        for (String word : new String[] {"furlong", "-2.0"})
            assertTrue(text.contains(word), word + " is not in " + text);
    }
}
