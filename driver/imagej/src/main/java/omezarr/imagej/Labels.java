/* Labels.java: the areas of an image's overlay as a label image in its store, labels/overlay: the pixels of ROI number
 * n have the value n, and later ROIs lie over earlier ones. Its metadata has their names and colours. */
package omezarr.imagej;

import com.sun.jna.Memory;
import ij.IJ;
import ij.ImagePlus;
import ij.gui.Roi;
import ij.process.ImageProcessor;
import java.awt.Color;
import java.awt.Rectangle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

final class Labels {
    static final String option = "OVERLAY_AS_LABELS", path = "labels/overlay";

    private final ImagePlus imp;
    private final Roi[] areas; // null where a ROI is no area
    private final int width, height;
    private final Memory plane;

    private Labels(ImagePlus imp) {
        this.imp = imp;
        width = imp.getWidth();
        height = imp.getHeight();
        areas = new Roi[imp.getOverlay() == null ? 0 : imp.getOverlay().size()];
        int nAreas = 0;
        for (int i = 0; i < areas.length; i++) {
            Roi roi = imp.getOverlay().get(i);
            areas[i] = roi.isArea() ? roi : null;
            nAreas += roi.isArea() ? 1 : 0;
        }
        if (nAreas == 0)
            throw new IllegalArgumentException(
                imp.getTitle() + " has no areas in its overlay that could be labels; add some, or leave " +
                option.toLowerCase(Locale.ROOT).replace('_', ' ') + " out");
        plane = new Memory(4L * width * height);
    }

    /** That save can do it, before the image is written. */
    static void check(ImagePlus imp, String store) {
        if (store.toLowerCase(Locale.ROOT).endsWith(".ozx"))
            throw new IllegalArgumentException(store +
                                               " is one file, which takes no labels; save as a folder .ome.zarr");
        new Labels(imp);
    }

    /** Adds the labels to the store of the image. */
    static void save(ImagePlus imp, String store, List<String> options) {
        new Labels(imp).save(store, options);
    }

    private void save(String store, List<String> options) {
        Described described = new Described(imp);
        StringBuilder dims = new StringBuilder();
        List<Long> sizes = new ArrayList<>();
        for (int i = 0; i < described.shape.length; i++)
            if (described.dims.charAt(i) != 'c') {
                dims.append(described.dims.charAt(i));
                sizes.add(described.shape[i]);
            }
        long[] shape = sizes.stream().mapToLong(Long::longValue).toArray(), block = shape.clone();
        Arrays.fill(block, 0, shape.length - 2, 1);
        List<String> all = new ArrayList<>();
        all.add("LABELS=YES");
        for (String one : options) // the others describe the image, whose levels the labels have
            if (one.matches("(?i)(COMPRESS|NUM_THREADS|MEMORY)=.*"))
                all.add(one);
        try (Ngff.Reader of = new Ngff.Reader(store, "");
             Ngff.Image image = new Ngff.Image(dims.toString(), shape, Ngff.UINT32)) {
            image.setLabelOf(of, path);
            image.setLabel(colors(), properties());
            try (Ngff.Plan plan = new Ngff.Plan(image, all.toArray(new String[0]))) {
                plan.setSource(block);
                try (Ngff.Writer writer = new Ngff.Writer(plan, store)) {
                    writePlanes(writer, dims.toString(), shape);
                    writer.publish();
                }
            }
        }
    }

    private void writePlanes(Ngff.Writer writer, String dims, long[] shape) {
        int rank = shape.length;
        long[] origin = new long[rank], extent = new long[rank];
        long[] strides = new long[rank];
        strides[rank - 1] = 4;
        strides[rank - 2] = 4L * width;
        int axisT = dims.indexOf('t'), axisZ = dims.indexOf('z');
        while (writer.next(origin, extent)) {
            long[] from = origin.clone(), size = extent.clone();
            Arrays.fill(size, 0, rank - 2, 1);
            for (int t = 0; t < (axisT < 0 ? 1 : extent[axisT]); t++)
                for (int z = 0; z < (axisZ < 0 ? 1 : extent[axisZ]); z++) {
                    if (axisT >= 0)
                        from[axisT] = origin[axisT] + t;
                    if (axisZ >= 0)
                        from[axisZ] = origin[axisZ] + z;
                    paint(axisZ < 0 ? 1 : (int) from[axisZ] + 1, axisT < 0 ? 1 : (int) from[axisT] + 1);
                    if (IJ.escapePressed())
                        writer.cancel();
                    writer.write(from, size, plane, 4 * (from[rank - 2] * width + from[rank - 1]), strides);
                }
        }
    }

    /** True if a ROI lies on a slice and frame, from 1. Position 0 is all of them. */
    private boolean isOn(Roi roi, int slice, int frame) {
        if (roi.hasHyperStackPosition())
            return (roi.getZPosition() == 0 || roi.getZPosition() == slice) &&
                (roi.getTPosition() == 0 || roi.getTPosition() == frame);
        int[] position = roi.getPosition() == 0 ? null : imp.convertIndexToPosition(roi.getPosition());
        return position == null || position[1] == slice && position[2] == frame;
    }

    private void paint(int slice, int frame) {
        int[] pixels = new int[width * height];
        for (int i = 0; i < areas.length; i++) {
            if (areas[i] == null || !isOn(areas[i], slice, frame))
                continue;
            Rectangle box = areas[i].getBounds(), inside = box.intersection(new Rectangle(width, height));
            ImageProcessor mask = areas[i].getMask(); // null: all of the box
            for (int y = inside.y; y < inside.y + inside.height; y++)
                for (int x = inside.x; x < inside.x + inside.width; x++)
                    if (mask == null || mask.get(x - box.x, y - box.y) != 0)
                        pixels[y * width + x] = i + 1;
        }
        plane.write(0, pixels, 0, pixels.length);
    }

    private String properties() {
        List<Object> list = new ArrayList<>();
        for (int i = 0; i < areas.length; i++)
            if (areas[i] != null) {
                Map<String, Object> entry = entry(i);
                entry.put("name", areas[i].getName() != null ? areas[i].getName() : "ROI " + (i + 1));
                list.add(entry);
            }
        return Json.write(list);
    }

    /** As ImageJ shows them; null if none has a colour of its own. Readers want colours for all values or for none. */
    private String colors() {
        List<Object> list = new ArrayList<>();
        boolean hasOwn = false;
        for (int i = 0; i < areas.length; i++) {
            if (areas[i] == null)
                continue;
            Color own = areas[i].getFillColor() != null ? areas[i].getFillColor() : areas[i].getStrokeColor();
            Color color = own != null ? own : Roi.getColor();
            Map<String, Object> entry = entry(i);
            entry.put("rgba", Arrays.asList(color.getRed(), color.getGreen(), color.getBlue(), 255));
            list.add(entry);
            hasOwn |= own != null;
        }
        return hasOwn ? Json.write(list) : null;
    }

    private static Map<String, Object> entry(int i) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("label-value", i + 1);
        return entry;
    }
}
