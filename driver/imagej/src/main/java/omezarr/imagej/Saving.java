/* Saving.java: the way of an image into a store: describe, plan, write plane after plane in the order that the library
 * names, publish. Each plane is read once. While that goes on, one thread shows how far it is and looks for Escape. */
package omezarr.imagej;

import ij.IJ;
import ij.ImagePlus;
import java.util.ArrayList;
import java.util.List;

final class Saving {
    private static final int milliseconds = 50; // between two looks at Escape

    private Saving() {
    }

    static void save(ImagePlus imp, String path, List<String> options) {
        List<String> losses = new ArrayList<>();
        Described described = new Described(imp);
        IJ.resetEscape();
        try (Ngff.Image image = described.image(losses);
             Ngff.Plan plan = new Ngff.Plan(image, options.toArray(new String[0]))) {
            plan.setSource(planeOf(described));
            for (String loss : losses)
                plan.addLoss(loss);
            losses.addAll(plan.warnings());
            try (Ngff.Writer writer = new Ngff.Writer(plan, path)) {
                String warning = write(described, writer);
                if (warning != null)
                    losses.add(warning);
            }
        }
        for (String text : losses)
            IJ.log("OME-Zarr: " + text);
    }

    /** What one plane of the stack holds. */
    private static long[] planeOf(Described described) {
        long[] block = new long[described.shape.length];
        for (int i = 0; i < block.length; i++) {
            char axis = described.dims.charAt(i);
            block[i] = axis == 'y' || axis == 'x' || axis == 'c' && described.isRgb ? described.shape[i] : 1;
        }
        return block;
    }

    private static String write(Described described, Ngff.Writer writer) {
        Thread watch = new Thread(() -> watch(writer), "OME-Zarr progress");
        watch.setDaemon(true);
        watch.start();
        try {
            Planes planes = new Planes(described);
            long[] origin = new long[described.shape.length], extent = origin.clone();
            while (writer.next(origin, extent))
                writeRegion(described, planes, writer, origin, extent);
            return writer.publish();
        } finally { // the writer must outlive the thread that asks it
            watch.interrupt();
            boolean isInterrupted = false;
            while (watch.isAlive())
                try {
                    watch.join();
                } catch (InterruptedException e) {
                    isInterrupted = true;
                }
            if (isInterrupted)
                Thread.currentThread().interrupt();
            IJ.showProgress(1.0);
        }
    }

    private static void watch(Ngff.Writer writer) {
        try {
            for (;; Thread.sleep(milliseconds)) {
                if (IJ.escapePressed())
                    writer.cancel();
                IJ.showProgress(writer.progress());
            }
        } catch (InterruptedException e) {
            return; // the writer is done
        }
    }

    private static long at(Described described, char axis, long[] values, long otherwise) {
        int i = described.dims.indexOf(axis);
        return i < 0 ? otherwise : values[i];
    }

    /** Each plane of a region. Where a region takes only some channels of RGB, the first takes the planes of all. */
    private static void writeRegion(Described described, Planes planes, Ngff.Writer writer, long[] origin,
                                    long[] extent) {
        int rank = described.shape.length, axisC = described.dims.indexOf('c');
        int nC = described.imp.getNChannels(), nZ = described.imp.getNSlices();
        if (described.isRgb && origin[axisC] > 0)
            return;
        long[] from = origin.clone(), size = extent.clone();
        long firstT = at(described, 't', origin, 0), firstC = at(described, 'c', origin, 0),
             firstZ = at(described, 'z', origin, 0);
        long nT = at(described, 't', extent, 1), nChannels = described.isRgb ? 1 : at(described, 'c', extent, 1);
        for (long t = firstT; t < firstT + nT; t++)
            for (long c = firstC; c < firstC + nChannels; c++)
                for (long z = firstZ; z < firstZ + at(described, 'z', extent, 1); z++) {
                    long[] position = {t, c, z};
                    for (int i = 0; i < rank - 2; i++) {
                        from[i] = position["tcz".indexOf(described.dims.charAt(i))];
                        size[i] = 1;
                    }
                    if (described.isRgb)
                        size[axisC] = 3;
                    planes.read((int) ((t * nZ + z) * nC + c) + 1);
                    if (IJ.escapePressed())
                        writer.cancel();
                    writePlane(described, planes, writer, from, size);
                }
    }

    private static void writePlane(Described described, Planes planes, Ngff.Writer writer, long[] from, long[] size) {
        int rank = described.shape.length, y = rank - 2, x = rank - 1;
        int bytes = described.isRgb ? 4 : Ngff.typeSize(described.type);
        long[] strides = new long[rank], origin = from.clone(), extent = size.clone();
        strides[x] = bytes;
        strides[y] = bytes * described.shape[x];
        long offset = from[x] * bytes;
        if (described.isRgb) { // 0xRRGGBB: the bytes blue, green, red
            strides[described.dims.indexOf('c')] = -1;
            offset += 2;
        }
        for (long end = from[y] + size[y]; origin[y] < end; origin[y] += extent[y]) {
            extent[y] = Math.min(planes.mostRows, end - origin[y]);
            planes.copy(origin[y], extent[y]);
            writer.write(origin, extent, planes.memory, offset, strides);
        }
    }
}
