/* Verifying.java: whether a store is whole, with all images that it lists. */
package omezarr.imagej;

import ij.IJ;
import ij.Macro;
import java.util.ArrayList;
import java.util.List;

final class Verifying {
    // What a finding is, and whether it is a fault; the numbers are pinned in ngff.h.
    private static final String[] words = {"note", "stray", "damage", "invalid", "advice", "invalid", "unread"};
    private static final boolean[] areFaults = {false, true, true, true, false, true, true};

    private Verifying() {
    }

    static List<String> verify(String path) {
        List<String> faults = new ArrayList<>(), parts = new ArrayList<>();
        IJ.resetEscape();
        try (Ngff.Reader root = new Ngff.Reader(path, "")) {
            parts.addAll(Opening.partsOf(root));
            if (root.levelCount() > 0) {
                if (!parts.isEmpty())
                    parts.remove(0); // itself
                verify(root, faults);
            }
        }
        for (String part : parts)
            try (Ngff.Reader reader = new Ngff.Reader(path, part)) {
                verify(reader, faults);
            } catch (NgffException e) {
                if (e.getStatus() == NgffException.CANCELLED)
                    throw e;
                faults.add("damage: " + e.getMessage());
            }
        IJ.showProgress(1.0);
        return faults;
    }

    private static void verify(Ngff.Reader reader, List<String> faults) {
        int before = faults.size();
        int status = reader.verify(
            (text, kind)
                -> {
                if (areFaults[kind])
                    faults.add(words[kind] + ": " + text);
                else
                    IJ.log("OME-Zarr: " + words[kind] + ": " + text);
            },
            share -> {
                IJ.showProgress(share);
                return !IJ.escapePressed();
            });
        if (status == NgffException.CANCELLED)
            throw new RuntimeException(Macro.MACRO_CANCELED);
        if (status == 0) // what the specification's own examples do, too
            faults.subList(before, faults.size()).clear();
        else if (faults.size() == before)
            throw new NgffException(status, reader.path + " cannot be verified: " + reader.error());
    }
}
