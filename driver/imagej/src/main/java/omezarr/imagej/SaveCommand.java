/* SaveCommand.java: File > Save As > OME-Zarr... A macro gives the path, and any option of the library by its name in
 * small letters: run("OME-Zarr...", "path=/data/a.ome.zarr compress=zstd blocksize=z:1,y:512,x:512 overwrite"); No
 * dialog is made for a macro, so that it also runs without a display. */
package omezarr.imagej;

import ij.IJ;
import ij.ImagePlus;
import ij.WindowManager;
import ij.gui.GenericDialog;
import ij.io.OpenDialog;
import ij.plugin.PlugIn;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** File &gt; Save As &gt; OME-Zarr... */
public final class SaveCommand implements PlugIn {
    /** What the dialog offers; a macro may give any other option too. */
    private static final String[] offered = {
        "NGFF_VERSION",   "COMPRESS",      "LEVEL",       "BLOCKSIZE", "SHARD",      "OVERVIEW_RESAMPLING",
        "OVERVIEW_COUNT", "SCALE_FACTORS", "NUM_THREADS", "OVERWRITE", Labels.option};

    @Override
    public void run(String argument) {
        Command.run(SaveCommand::save);
    }

    private static void save() {
        ImagePlus imp = WindowManager.getCurrentImage(); // IJ.getImage() ends the process where there is no window
        if (imp == null)
            throw new IllegalStateException("There is no image open that could be saved");
        List<String> options = new ArrayList<>();
        String macro = Command.macroOptions(), path = macro != null ? ofMacro(macro, options) : ofDialog(imp, options);
        if (path == null)
            return;
        if (!imp.lock())
            throw new IllegalStateException(imp.getTitle() +
                                            " is in use by another command; try again when that is done");
        try {
            IJ.showStatus("Saving " + path);
            OmeZarr.save(imp, path, options.toArray(new String[0]));
            IJ.showStatus("");
        } finally {
            imp.unlock();
        }
    }

    private static String ofMacro(String macro, List<String> options) {
        Map<String, String> values = Options.ofMacro(macro);
        String path = values.remove("path");
        if (path == null || path.isEmpty())
            throw new IllegalArgumentException("Say where to: run(\"OME-Zarr...\", \"path=[/data/a.ome.zarr]\")");
        for (Map.Entry<String, String> value : values.entrySet()) {
            Options.Option option = Options.table().get(value.getKey());
            if (option == null)
                throw new IllegalArgumentException("OME-Zarr has no option \"" + value.getKey() +
                                                   "\"; there are: path, " +
                                                   String.join(", ", Options.table().keySet()));
            if (isGiven(value.getValue()))
                options.add(option.name + "=" + value.getValue());
        }
        return withExtension(path);
    }

    /** Labels are the options' names, so that ImageJ records them as the keys that a macro has. */
    private static String ofDialog(ImagePlus imp, List<String> options) {
        GenericDialog dialog = new GenericDialog("Save as OME-Zarr");
        String directory = OpenDialog.getDefaultDirectory();
        dialog.addFileField("Path", (directory != null ? directory : "") + nameOf(imp), 40);
        StringBuilder help = new StringBuilder("<html><body style='width: 500px'>");
        List<Options.Option> shown = new ArrayList<>();
        for (String name : offered)
            if (!name.equals(Labels.option) || imp.getOverlay() != null)
                shown.add(Options.table().get(name.toLowerCase(Locale.ROOT)));
        for (Options.Option option : shown) {
            String name = option.name;
            String label = name.charAt(0) + option.key().substring(1),
                   standard = name.equals("COMPRESS") ? "ZSTD" : option.standard;
            help.append("<p><b>").append(label.replace('_', ' ')).append("</b>: ").append(option.help).append("</p>");
            if (option.isYesNo)
                dialog.addCheckbox(label, false);
            else if (!option.values.isEmpty())
                dialog.addChoice(label, choicesOf(option), standard);
            else
                dialog.addStringField(label, standard, 24);
        }
        dialog.addHelp(help.append("</body></html>").toString());
        dialog.showDialog();
        if (dialog.wasCanceled())
            return null;
        String path = dialog.getNextString().trim();
        for (Options.Option option : shown) {
            String value = option.isYesNo             ? (dialog.getNextBoolean() ? "YES" : "")
                           : !option.values.isEmpty() ? dialog.getNextChoice()
                                                      : dialog.getNextString().trim();
            if (isGiven(value))
                options.add(option.name + "=" + value);
        }
        if (path.isEmpty())
            throw new IllegalArgumentException("Say where the store is to be: the field Path is empty");
        return withExtension(path);
    }

    /**
     * The first choice where the library's default depends on the image; as such it also stands in a recorded macro.
     */
    private static final String byImage = "default";

    private static boolean isGiven(String value) {
        return !value.isEmpty() && !value.equals(byImage);
    }

    private static String[] choicesOf(Options.Option option) {
        List<String> choices = new ArrayList<>(option.values);
        if (option.standard.isEmpty())
            choices.add(0, byImage);
        return choices.toArray(new String[0]);
    }

    private static String nameOf(ImagePlus imp) {
        return imp.getTitle().replaceFirst("(?i)\\.(ome\\.)?(tiff?|zarr|ozx)$", "").replaceAll("[/\\\\:*?\"<>|]", "_") +
            ".ome.zarr";
    }

    private static String withExtension(String path) {
        return path.matches("(?i).*\\.(zarr|ozx)[/\\\\]?") ? path : path + ".ome.zarr";
    }
}
