/* VerifyCommand.java: Plugins > OME-Zarr > Verify OME-Zarr... says whether a store is whole.
 *   run("Verify OME-Zarr...", "path=[/data/a.ome.zarr]");
 * A macro goes on if it is. */
package omezarr.imagej;

import ij.IJ;
import ij.plugin.PlugIn;
import ij.plugin.frame.Recorder;
import java.util.List;

/** Plugins &gt; OME-Zarr &gt; Verify OME-Zarr... */
public final class VerifyCommand implements PlugIn {
    private static final int mostShown = 10;

    @Override
    public void run(String argument) {
        Command.run(() -> {
            String macro = Command.macroOptions();
            String path = macro != null ? Options.ofMacro(macro).get("path") : OpenCommand.choosePath();
            if (path == null && macro != null)
                throw new IllegalArgumentException(
                    "Say which: run(\"Verify OME-Zarr...\", \"path=[/data/a.ome.zarr]\")");
            if (path == null)
                return;
            if (macro == null && Recorder.record)
                Recorder.recordOption("path", path);
            tell(path, OmeZarr.verify(path), macro != null);
        });
    }

    private static void tell(String path, List<String> faults, boolean isMacro) {
        if (faults.isEmpty() && isMacro)
            IJ.log(path + " is whole");
        else if (faults.isEmpty())
            IJ.showMessage(Command.title, path + " is whole");
        if (faults.isEmpty())
            return;
        if (faults.size() > mostShown)
            for (String fault : faults)
                IJ.log(fault);
        throw new IllegalStateException(
            path + " is not whole:\n" + String.join("\n", faults.subList(0, Math.min(mostShown, faults.size()))) +
            (faults.size() > mostShown ? "\nand " + (faults.size() - mostShown) + " more, see the log" : ""));
    }
}
