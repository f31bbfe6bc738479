/* OpenCommand.java: File > Import > OME-Zarr Image... asks for a store, then, where there is a choice, for one of its
 * images and a level. A macro gives what it wants otherwise than by default: run("OME-Zarr Image...",
 * "path=[/data/a.ome.zarr] image=labels/cells level=1 virtual"); No dialog is made for a macro, so that it also runs
 * without a display. */
package omezarr.imagej;

import ij.IJ;
import ij.ImagePlus;
import ij.gui.GenericDialog;
import ij.io.OpenDialog;
import ij.plugin.PlugIn;
import ij.plugin.frame.Recorder;
import java.awt.EventQueue;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.swing.JFileChooser;
import javax.swing.filechooser.FileFilter;

/** File &gt; Import &gt; OME-Zarr Image... */
public final class OpenCommand implements PlugIn {
    @Override
    public void run(String argument) {
        Command.run(() -> {
            String macro = Command.macroOptions();
            ImagePlus imp = macro != null        ? openFor(macro)
                            : argument.isEmpty() ? openByDialogs(choosePath())
                                                 : openByDialogs(argument);
            if (imp != null)
                Command.show(imp);
        });
    }

    private static ImagePlus openFor(String macro) {
        Map<String, String> values = Options.ofMacro(macro);
        String path = values.remove("path"), image = values.remove("image"), level = values.remove("level");
        Boolean isVirtual = values.remove("virtual") != null ? Boolean.TRUE : null;
        if (values.remove("memory") != null)
            isVirtual = Boolean.FALSE;
        if (path == null || path.isEmpty())
            throw new IllegalArgumentException(
                "Say what to open: run(\"OME-Zarr Image...\", \"path=[/data/a.ome.zarr]\")");
        if (!values.isEmpty())
            throw new IllegalArgumentException("OME-Zarr Image has no option \"" + values.keySet().iterator().next() +
                                               "\"; there are: path, image, level, virtual, memory");
        int number = -1;
        if (level != null && !level.isEmpty())
            try {
                number = Integer.parseInt(level.split(":", 2)[0]);
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("level=" + level + ": a level is a number; 0 is the full size", e);
            }
        return OmeZarr.open(path, image == null ? "" : partOf(image), number, isVirtual);
    }

    /* -- Dialogs
     * ------------------------------------------------------------------------------------------------------- */

    /** A folder that is a store, or a file. Null if the user has changed his mind. */
    static String choosePath() {
        String[] chosen = {null};
        try {
            EventQueue.invokeAndWait(() -> {
                JFileChooser chooser = new JFileChooser(OpenDialog.getDefaultDirectory()) {
                    private static final long serialVersionUID = 1L;

                    @Override public boolean isTraversable(File file) { // a store is opened, not entered
                        return super.isTraversable(file) && !file.getName().toLowerCase().endsWith(".zarr");
                    }
                };
                chooser.setFileSelectionMode(JFileChooser.FILES_AND_DIRECTORIES);
                chooser.setDialogTitle("Open OME-Zarr: a folder, or a file .ozx");
                chooser.setAcceptAllFileFilterUsed(false);
                chooser.setFileFilter(new FileFilter() {
                    @Override
                    public boolean accept(File file) {
                        return file.isDirectory() || file.getName().toLowerCase().endsWith(".ozx");
                    }

                    @Override
                    public String getDescription() {
                        return "OME-Zarr";
                    }
                });
                if (chooser.showOpenDialog(IJ.getInstance()) == JFileChooser.APPROVE_OPTION)
                    chosen[0] = chooser.getSelectedFile().getPath();
            });
        } catch (InterruptedException | java.lang.reflect.InvocationTargetException e) {
            throw new IllegalStateException("the dialog cannot be shown: " + e.getMessage(), e);
        }
        if (chosen[0] != null)
            OpenDialog.setDefaultDirectory(new File(chosen[0]).getParent());
        return chosen[0];
    }

    static ImagePlus openByDialogs(String path) {
        if (path == null)
            return null;
        if (Recorder.record)
            Recorder.recordOption("path", path);
        String part = "";
        try (Ngff.Reader root = new Ngff.Reader(path, "")) {
            if (root.partCount() > 1 || root.levelCount() == 0)
                part = choosePart(root);
        }
        return part == null ? null : openLevel(path, part);
    }

    /** What a choice says before its colon. */
    private static String partOf(String choice) {
        return choice.split(": ", 2)[0];
    }

    private static String choosePart(Ngff.Reader root) {
        List<String> choices = new ArrayList<>();
        for (int i = 0; i < root.partCount(); i++)
            choices.add(root.partPath(i) + ": " + root.partTitle(i));
        if (choices.isEmpty())
            throw new IllegalArgumentException(root.path + " holds no image");
        GenericDialog dialog = new GenericDialog("Open OME-Zarr");
        dialog.addChoice("Image", choices.toArray(new String[0]), choices.get(0));
        dialog.showDialog();
        return dialog.wasCanceled() ? null : partOf(dialog.getNextChoice());
    }

    private static ImagePlus openLevel(String path, String part) {
        List<String> levels = new ArrayList<>();
        int standard;
        try (Ngff.Reader reader = new Ngff.Reader(path, part)) {
            for (int level = 0; level < reader.levelCount(); level++)
                levels.add(level + ": " + sizes(reader, level));
            standard = Opening.defaultLevel(reader);
        }
        if (levels.size() < 2)
            return OmeZarr.open(path, part, -1, null);
        GenericDialog dialog = new GenericDialog("Open OME-Zarr");
        dialog.addChoice("Level", levels.toArray(new String[0]), levels.get(standard));
        dialog.addCheckbox("Virtual", false);
        dialog.addMessage("Virtual: planes are read when they are looked at. Large images always are.");
        dialog.showDialog();
        if (dialog.wasCanceled())
            return null;
        int level = dialog.getNextChoiceIndex();
        return OmeZarr.open(path, part, level, dialog.getNextBoolean() ? Boolean.TRUE : null);
    }

    /** "x 2048, y 2048, z 50" */
    private static String sizes(Ngff.Reader reader, int level) {
        StringBuilder text = new StringBuilder();
        long[] shape = reader.levelShape(level);
        for (int i = shape.length - 1; i >= 0; i--)
            text.append(text.length() > 0 ? ", " : "").append(reader.dims().charAt(i)).append(' ').append(shape[i]);
        return text.toString();
    }
}
