/* RealImageJ.java: an ImageJ with a window, which has our jar in its folder plugins: entries of the menus, dialogs,
 * Recorder, replay, Escape, errors, opening, dropping. Started by scripts/imagej.sh on a display of its own: RealImageJ
 * FOLDER, where it leaves its stores and pictures. It knows nothing of the plugin's classes, as ImageJ does not. Exit
 * status 0 if all is as it should be. */
package real;

import ij.Executer;
import ij.IJ;
import ij.ImageJ;
import ij.ImagePlus;
import ij.ImageStack;
import ij.Menus;
import ij.WindowManager;
import ij.macro.Interpreter;
import ij.plugin.frame.Recorder;
import ij.process.ImageProcessor;
import ij.process.ShortProcessor;
import java.awt.Button;
import java.awt.Component;
import java.awt.Container;
import java.awt.Dialog;
import java.awt.EventQueue;
import java.awt.Menu;
import java.awt.MenuBar;
import java.awt.MenuItem;
import java.awt.Point;
import java.awt.Rectangle;
import java.awt.Robot;
import java.awt.TextField;
import java.awt.Window;
import java.awt.datatransfer.DataFlavor;
import java.awt.datatransfer.Transferable;
import java.awt.dnd.DragSource;
import java.awt.dnd.DragSourceAdapter;
import java.awt.dnd.DragSourceDragEvent;
import java.awt.dnd.DragSourceListener;
import java.awt.event.ActionEvent;
import java.awt.event.InputEvent;
import java.awt.event.KeyEvent;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.swing.JComponent;
import javax.swing.JFileChooser;
import javax.swing.JFrame;
import javax.swing.JLabel;
import javax.swing.TransferHandler;
import omezarr.imagej.PlaneStack;

public final class RealImageJ {
    private static final long longest = 20_000; // milliseconds until something that must come counts as missing

    private final Path folder;
    private final Robot robot;

    private RealImageJ(Path folder) throws Exception {
        this.folder = folder;
        robot = new Robot();
    }

    public static void main(String[] arguments) throws Exception {
        int status = 1;
        try {
            ImageJ.main(new String[0]);
            RealImageJ test = new RealImageJ(Paths.get(arguments[0]));
            test.entries_are_in_the_menus();
            test.dialog_saves_and_the_recorder_replays_it();
            test.error_is_a_dialog();
            test.escape_leaves_nothing();
            test.dialogs_open_what_was_saved();
            test.dropped_store_opens("one two.ome.zarr");
            test.dropped_store_opens("one.ozx");
            test.store_is_verified();
            test.folder_of_images_is_converted_by_the_macro_of(Paths.get(arguments[1]));
            status = 0;
            System.out.println(
                "a real ImageJ " + IJ.getFullVersion() + " on Java " + System.getProperty("java.version") +
                ": menus, dialogs, Recorder, replay, error, Escape, opening, dropping, verifying, batch");
        } catch (Throwable e) {
            for (Window window : Window.getWindows())
                System.err.println(window);
            Thread.getAllStackTraces().forEach((thread, calls) -> {
                if (Arrays.stream(calls).anyMatch(at -> at.getClassName().startsWith("omezarr.")))
                    System.err.println(thread + Arrays.toString(calls).replace(",", "\n"));
            });
            e.printStackTrace(); // last, where a reader of a log looks first
            ImageIO.write(new Robot().createScreenCapture(new Rectangle(0, 0, 1024, 700)), "png",
                          new File(arguments[0], "failed.png"));
        }
        System.exit(status); // the windows keep the process alive
    }

    /* -- Waiting, looking, pressing
     * -------------------------------------------------------------------------------------- */

    private static void check(boolean isTrue, Object what) {
        if (!isTrue)
            throw new AssertionError(what);
    }

    private static <T> T await(String what, Supplier<T> look) throws InterruptedException {
        long end = System.currentTimeMillis() + longest;
        for (T found; System.currentTimeMillis() < end; Thread.sleep(20))
            if ((found = look.get()) != null)
                return found;
        throw new AssertionError("this has not come: " + what);
    }

    /**
     * A dialog for which a command waits. One that is closed between its appearance and that would be waited for for
     * ever.
     */
    private static Dialog awaitDialog(String title, Thread command) throws InterruptedException {
        return await("the dialog " + title, () -> {
            if (Arrays.stream(command.getStackTrace())
                    .noneMatch(at -> at.getClassName().equals("java.awt.WaitDispatchSupport")))
                return null;
            for (Window window : Window.getWindows())
                if (window instanceof Dialog && window.isShowing() && title.equals(((Dialog) window).getTitle()))
                    return (Dialog) window;
            return null;
        });
    }

    private static <T> List<T> inside(Container container, Class<T> type) {
        List<T> found = new ArrayList<>();
        for (Component component : container.getComponents()) {
            if (type.isInstance(component))
                found.add(type.cast(component));
            if (component instanceof Container)
                found.addAll(inside((Container) component, type));
        }
        return found;
    }

    private static void press(Dialog dialog, String label) throws Exception {
        for (Button button : inside(dialog, Button.class))
            if (button.getLabel().trim().equals(label)) {
                EventQueue.invokeAndWait(
                    () -> button.dispatchEvent(new ActionEvent(button, ActionEvent.ACTION_PERFORMED, label)));
                await("the end of the dialog " + dialog.getTitle(), () -> dialog.isShowing() ? null : true);
                return;
            }
        throw new AssertionError("the dialog " + dialog.getTitle() + " has no button " + label);
    }

    /** As a click on the command in its menu does it. */
    private static Thread start(String command, ImagePlus imp) {
        if (imp != null)
            WindowManager.setCurrentWindow(imp.getWindow());
        Thread thread =
            new Thread(new Executer(command), "test of " + command); // with an image it would start one itself
        thread.start();
        return thread;
    }

    private static void join(Thread command) throws InterruptedException {
        command.join(longest);
        check(!command.isAlive(),
              command.getName() + " has not ended:\n" + Arrays.toString(command.getStackTrace()).replace(",", "\n"));
    }

    private void shoot(String name, Component... components) throws Exception {
        Rectangle all = new Rectangle(components[0].getLocationOnScreen(), components[0].getSize());
        for (Component component : components)
            all = all.union(new Rectangle(component.getLocationOnScreen(), component.getSize()));
        robot.waitForIdle();
        ImageIO.write(robot.createScreenCapture(all), "png", folder.resolve(name).toFile());
    }

    private static Map<String, byte[]> filesOf(Path store) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        try (Stream<Path> paths = Files.walk(store)) {
            for (Path path : (Iterable<Path>) paths.filter(Files::isRegularFile)::iterator)
                files.put(store.relativize(path).toString(), Files.readAllBytes(path));
        }
        return files;
    }

    private static void assertSameFiles(Path store, Path other) throws IOException {
        Map<String, byte[]> files = filesOf(store), others = filesOf(other);
        check(files.size() > 3 && files.keySet().equals(others.keySet()), files.keySet() + " and " + others.keySet());
        for (String name : files.keySet())
            check(Arrays.equals(files.get(name), others.get(name)), name + " differs");
    }

    private static void assertSamePixels(ImagePlus expected, ImagePlus found) {
        check(Arrays.equals(expected.getDimensions(), found.getDimensions()), Arrays.toString(found.getDimensions()));
        for (int n = 1; n <= expected.getStackSize(); n++)
            check(Arrays.equals((short[]) expected.getStack().getPixels(n), (short[]) found.getStack().getPixels(n)),
                  "plane " + n + " differs");
    }

    /* -- The tests, in this order
     * ---------------------------------------------------------------------------------------- */

    private static MenuItem entry(String... labels) {
        MenuBar bar = Menus.getMenuBar();
        MenuItem found = null;
        for (int depth = 0; depth < labels.length; depth++) {
            MenuItem next = null;
            int n = depth == 0 ? bar.getMenuCount() : ((Menu) found).getItemCount();
            for (int i = 0; i < n; i++) {
                MenuItem item = depth == 0 ? bar.getMenu(i) : ((Menu) found).getItem(i);
                next = item.getLabel().equals(labels[depth]) ? item : next;
            }
            check(next != null, "there is no entry " + String.join(" > ", labels));
            found = next;
        }
        return found;
    }

    private void entries_are_in_the_menus() {
        entry("File", "Save As", "OME-Zarr...");
        entry("File", "Import", "OME-Zarr Image...");
        entry("Plugins", "OME-Zarr", "Verify OME-Zarr...");
        entry("Plugins", "OME-Zarr", "Open Dropped OME-Zarr");
    }

    private ImagePlus saved;

    private void dialog_saves_and_the_recorder_replays_it() throws Exception {
        saved = IJ.createHyperStack("cells", 250, 200, 2, 5, 1, 16);
        for (int n = 1; n <= saved.getStackSize(); n++)
            for (int i = 0; i < 250 * 200; i++)
                saved.getStack().getProcessor(n).set(i, 37 * n + i % 3000);
        saved.show();
        new Recorder();
        Thread saving = start("OME-Zarr...", saved);
        Dialog dialog = awaitDialog("Save as OME-Zarr", saving);
        String store = folder.resolve("one two.ome.zarr").toString();
        TextField path = inside(dialog, TextField.class).get(0);
        path.setText("/data/cells.ome.zarr");
        shoot("imagej-save.png", dialog);
        path.setText(store);
        press(dialog, "OK");
        join(saving);
        check(Files.isRegularFile(Paths.get(store, "zarr.json")), store + " is not there");
        String recorded = await("a line of the recorder", () -> {
            for (String line : Recorder.getInstance().getText().split("\n"))
                if (line.contains("OME-Zarr..."))
                    return line;
            return null;
        });
        check(recorded.startsWith("run(\"OME-Zarr...\", \"path=[" + store + "] ") && recorded.contains("compress=ZSTD"),
              recorded);
        Recorder.getInstance().close();
        await("the recorder's end", () -> Recorder.record ? null : true);
        WindowManager.setCurrentWindow(saved.getWindow());
        Path replayed = folder.resolve("replayed.ome.zarr");
        String error = new Interpreter().eval(recorded.replace(store, replayed.toString()));
        check(error == null || error.isEmpty(), error);
        assertSameFiles(Paths.get(store), replayed);
    }

    private void error_is_a_dialog() throws Exception {
        Thread saving = start("OME-Zarr...", saved);
        Dialog dialog = awaitDialog("Save as OME-Zarr", saving);
        String store = folder.resolve("replayed.ome.zarr").toString();
        inside(dialog, TextField.class).get(0).setText(store);
        press(dialog, "OK");
        Dialog error = awaitDialog("OME-Zarr", saving);
        press(error, "OK");
        join(saving);
        String text = IJ.getErrorMessage();
        check(text.contains(store) && text.contains("check \"Overwrite\"") && !text.contains("OVERWRITE="), text);
        check(!saved.isLocked(), "the image is still locked");
    }

    private void escape_leaves_nothing() throws Exception {
        int[] reads = {0};
        ImagePlus[] shown = {null};
        ImageStack stack = new PlaneStack(64, 64, 2000) {
            @Override
            public ImageProcessor getProcessor(int n) {
                if (++reads[0] == 20) // once: the key that the user presses
                    shown[0].getCanvas().dispatchEvent(new KeyEvent(shown[0].getCanvas(), KeyEvent.KEY_PRESSED,
                                                                    System.currentTimeMillis(), 0, KeyEvent.VK_ESCAPE,
                                                                    KeyEvent.CHAR_UNDEFINED));
                return new ShortProcessor(64, 64);
            }
        };
        shown[0] = new ImagePlus("long", stack);
        shown[0].show();
        reads[0] = 0;
        Thread saving = start("OME-Zarr...", shown[0]);
        Dialog dialog = awaitDialog("Save as OME-Zarr", saving);
        inside(dialog, TextField.class).get(0).setText(folder.resolve("long.ome.zarr").toString());
        reads[0] = 0;
        press(dialog, "OK");
        join(saving);
        check(reads[0] >= 20 && reads[0] < 2000, reads[0] + " planes were read");
        try (Stream<Path> names = Files.list(folder)) {
            names.forEach(path -> check(!path.getFileName().toString().contains("long"), path + " is left"));
        }
        shown[0].changes = false;
        shown[0].close();
        IJ.resetEscape();
    }

    private static JFileChooser awaitChooser() throws InterruptedException {
        return await("the file chooser", () -> {
            for (Window window : Window.getWindows())
                if (window.isShowing())
                    for (JFileChooser chooser : inside(window, JFileChooser.class))
                        return chooser;
            return null;
        });
    }

    private static ImagePlus awaitImage(ImagePlus before) throws InterruptedException {
        return await("a new image", () -> {
            ImagePlus imp = WindowManager.getCurrentImage();
            return imp != null && imp != before && imp.getTitle().startsWith("cells") && imp.getWindow() != null ? imp
                                                                                                                 : null;
        });
    }

    private void dialogs_open_what_was_saved() throws Exception {
        Thread opening = start("OME-Zarr Image...", null);
        JFileChooser chooser = awaitChooser();
        EventQueue.invokeLater(() -> {
            chooser.setSelectedFile(folder.resolve("one two.ome.zarr").toFile());
            chooser.approveSelection();
        });
        ImagePlus found = awaitImage(saved);
        join(opening);
        assertSamePixels(saved, found);
        found.close();
        // A store with levels asks for one.
        IJ.selectWindow(saved.getID());
        IJ.run("OME-Zarr...", "path=[" + folder.resolve("levels.ome.zarr") + "] blocksize=64");
        IJ.run("OME-Zarr...", "path=[" + folder.resolve("one.ozx") + "]");
        opening = start("OME-Zarr Image...", null);
        JFileChooser again = awaitChooser();
        EventQueue.invokeLater(() -> {
            again.setSelectedFile(folder.resolve("levels.ome.zarr").toFile());
            again.approveSelection();
        });
        Dialog dialog = awaitDialog("Open OME-Zarr", opening);
        shoot("imagej-open.png", dialog);
        press(dialog, "OK");
        join(opening);
        found = awaitImage(saved);
        assertSamePixels(saved, found);
        found.close();
    }

    private volatile boolean isMouseInSource, isOverImageJ;

    /** A window from which files can be dragged. */
    private JFrame source(File file) throws Exception {
        JFrame[] frame = {null};
        EventQueue.invokeAndWait(() -> {
            JLabel label = new JLabel("drag me");
            label.setTransferHandler(new TransferHandler() {
                private static final long serialVersionUID = 1L;

                @Override
                public int getSourceActions(JComponent component) {
                    return COPY;
                }

                @Override
                protected Transferable createTransferable(JComponent component) {
                    return new Transferable() {
                        @Override
                        public DataFlavor[] getTransferDataFlavors() {
                            return new DataFlavor[] {DataFlavor.javaFileListFlavor};
                        }

                        @Override
                        public boolean isDataFlavorSupported(DataFlavor flavor) {
                            return flavor.equals(DataFlavor.javaFileListFlavor);
                        }

                        @Override
                        public Object getTransferData(DataFlavor flavor) {
                            return Collections.singletonList(file);
                        }
                    };
                }
            });
            label.addMouseMotionListener(new java.awt.event.MouseMotionAdapter() {
                private boolean isDragged;

                @Override
                public void mouseMoved(java.awt.event.MouseEvent event) {
                    isMouseInSource = true;
                }

                @Override
                public void mouseDragged(java.awt.event.MouseEvent event) {
                    if (!isDragged)
                        label.getTransferHandler().exportAsDrag(label, event, TransferHandler.COPY);
                    isDragged = true;
                }
            });
            frame[0] = new JFrame("source");
            frame[0].add(label);
            frame[0].setBounds(700, 500, 200, 120);
            frame[0].setVisible(true);
        });
        return frame[0];
    }

    private void move(String until, int x, int y, BooleanSupplier isThere) throws InterruptedException {
        int[] step = {0};
        await(until, () -> {
            robot.mouseMove(x + step[0]++ % 5, y);
            return isThere.getAsBoolean() ? true : null;
        });
    }

    private static void closeImagesBut(ImagePlus kept) {
        for (int id : WindowManager.getIDList())
            if (id != kept.getID())
                WindowManager.getImage(id).close();
    }

    /** What a person does who drags a file onto ImageJ, and sees what comes of it. */
    private ImagePlus drag(JFrame source) throws InterruptedException {
        Point from = source.getLocationOnScreen(), to = IJ.getInstance().getStatusBar().getLocationOnScreen();
        isMouseInSource = isOverImageJ = false;
        try {
            // Each step waits for what the one before has caused, and goes on moving: a busy machine loses no press.
            move("the mouse in the window to drag from", from.x + 100, from.y + 70, () -> isMouseInSource);
            robot.mousePress(InputEvent.BUTTON1_DOWN_MASK);
            move("the drag over ImageJ's window", to.x + 42, to.y + 8, () -> isOverImageJ);
        } finally {
            robot.mouseRelease(InputEvent.BUTTON1_DOWN_MASK);
        }
        return awaitImage(saved);
    }

    private void dropped_store_opens(String name) throws Exception {
        JFrame source = source(folder.resolve(name).toFile());
        DragSourceListener watch = new DragSourceAdapter() {
            @Override
            public void dragEnter(DragSourceDragEvent event) {
                isOverImageJ = true;
            }
        };
        DragSource.getDefaultDragSource().addDragSourceListener(watch);
        // No window manager runs here, and the display loses one drag in some hundreds: a person would drag again.
        ImagePlus found = null;
        for (int attempt = 1; found == null; attempt++)
            try {
                found = drag(source);
            } catch (AssertionError lost) {
                if (attempt == 3)
                    throw lost;
                System.out.println("dragging " + name + " again: " + lost.getMessage());
            }
        assertSamePixels(saved, found);
        closeImagesBut(saved);
        DragSource.getDefaultDragSource().removeDragSourceListener(watch);
        source.dispose();
    }

    private void store_is_verified() throws Exception {
        Thread verifying = start("Verify OME-Zarr...", null);
        JFileChooser chooser = awaitChooser();
        EventQueue.invokeLater(() -> {
            chooser.setSelectedFile(folder.resolve("replayed.ome.zarr").toFile());
            chooser.approveSelection();
        });
        Dialog message = awaitDialog("OME-Zarr", verifying);
        press(message, "OK");
        join(verifying);
    }

    private void folder_of_images_is_converted_by_the_macro_of(Path document) throws Exception {
        Path images = Files.createDirectory(folder.resolve("images")),
             stores = Files.createDirectory(folder.resolve("stores"));
        for (String name : new String[] {"a b.tif", "c.tif"})
            IJ.saveAsTiff(saved, images.resolve(name).toString());
        Files.write(images.resolve("notes.txt"), new byte[] {1});
        String text = new String(Files.readAllBytes(document), "UTF-8");
        String macro = text.substring(text.indexOf("input = getDirectory"));
        macro = macro.substring(0, macro.indexOf("```"))
                    .replace("getDirectory(\"Images\")", "\"" + images + "/\"")
                    .replace("getDirectory(\"Stores\")", "\"" + stores + "/\"");
        String error = new Interpreter().eval(macro);
        check(error == null || error.isEmpty(), error);
        try (Stream<Path> names = Files.list(stores)) {
            check(names.map(path -> path.getFileName().toString())
                      .sorted()
                      .collect(Collectors.toList())
                      .equals(Arrays.asList("a b.ome.zarr", "c.ome.zarr")),
                  "other stores than a b and c");
        }
    }
}
