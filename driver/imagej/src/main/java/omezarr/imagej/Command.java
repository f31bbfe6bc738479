/* Command.java: what the commands of the menu share: how they fail. */
package omezarr.imagej;

import ij.IJ;
import ij.ImagePlus;
import ij.Macro;
import ij.WindowManager;
import java.awt.GraphicsEnvironment;

final class Command {
    static final String title = "OME-Zarr";

    private Command() {
    }

    /** Runs a command. Escape is told in the status bar; all else that goes wrong in a dialog, and it ends a macro. */
    static void run(Runnable body) {
        try {
            Drops.install();
            body.run();
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            if (Macro.MACRO_CANCELED.equals(e.getMessage())) {
                IJ.showStatus(title + ": cancelled; nothing is left of the store");
                if (Macro.getOptions() != null)
                    throw e;
                return;
            }
            String message = messageOf(e);
            if (GraphicsEnvironment.isHeadless())
                throw new RuntimeException(message, e);
            IJ.error(title, message);
        }
    }

    /** What a macro says, "" where there is no display that could show a dialog; null: ask the user. */
    static String macroOptions() {
        String options = Macro.getOptions();
        return options == null && GraphicsEnvironment.isHeadless() ? "" : options;
    }

    /** Shows an image; without a display it becomes the current one of the macro that has opened it. */
    static void show(ImagePlus imp) {
        if (GraphicsEnvironment.isHeadless())
            WindowManager.setTempCurrentImage(imp);
        else
            imp.show();
    }

    private static String messageOf(Throwable e) {
        if (e instanceof NoClassDefFoundError && String.valueOf(e.getMessage()).contains("com/sun/jna"))
            return "The library JNA is missing, which Fiji has and plain ImageJ has not.\n"
                + "Put jna-5.14.0.jar into the folder plugins/jars of ImageJ, and start ImageJ again.";
        if (e instanceof LinkageError)
            return "The native library of OME-Zarr cannot be loaded on this machine:\n" + e.getMessage();
        if (e instanceof OutOfMemoryError)
            return "Memory is out: " + e.getMessage();
        return e.getMessage() != null ? e.getMessage() : e.toString();
    }
}
