/* Saving.java: the way of an image into a store: describe, plan, write plane after plane in the order that the library
 * names, publish. Each plane is read once, ahead of the one that is written. While that goes on, one thread shows how far it is and looks for Escape. */
package omezarr.imagej;

import ij.IJ;
import ij.ImagePlus;
import java.util.ArrayDeque;
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
            try (Planes planes = new Planes(described)) {
                writePlanes(described, planes, writer);
            }
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

    /** A plane, and the part of it that is written. */
    private static final class Step {
        int plane;
        long[] origin, extent;
    }

    /** The planes in the order in which the library wants them, region after region. */
    private static final class Steps {
        private final Described described;
        private final Ngff.Writer writer;
        private final long[] origin, extent;
        private final ArrayDeque<Step> ofRegion = new ArrayDeque<>();

        Steps(Described described, Ngff.Writer writer) {
            this.described = described;
            this.writer = writer;
            origin = new long[described.shape.length];
            extent = origin.clone();
        }

        /** null after the last. */
        Step next() {
            while (ofRegion.isEmpty())
                if (writer.next(origin, extent))
                    fill();
                else
                    return null;
            return ofRegion.remove();
        }

        private long at(char axis, long[] values, long otherwise) {
            int i = described.dims.indexOf(axis);
            return i < 0 ? otherwise : values[i];
        }

        /** Where a region takes only some channels of RGB, the first takes the planes of all. */
        private void fill() {
            int nC = described.imp.getNChannels(), nZ = described.imp.getNSlices();
            if (described.isRgb && at('c', origin, 0) > 0)
                return;
            long firstT = at('t', origin, 0), firstC = at('c', origin, 0), firstZ = at('z', origin, 0);
            long endT = firstT + at('t', extent, 1), endZ = firstZ + at('z', extent, 1),
                 endC = firstC + (described.isRgb ? 1 : at('c', extent, 1));
            for (long t = firstT; t < endT; t++)
                for (long c = firstC; c < endC; c++)
                    for (long z = firstZ; z < endZ; z++)
                        ofRegion.add(step((int) ((t * nZ + z) * nC + c) + 1, t, c, z));
        }

        private Step step(int plane, long... position) {
            Step step = new Step();
            step.plane = plane;
            step.origin = origin.clone();
            step.extent = extent.clone();
            for (int i = 0; i < origin.length - 2; i++) {
                char axis = described.dims.charAt(i);
                step.origin[i] = position["tcz".indexOf(axis)];
                step.extent[i] = axis == 'c' && described.isRgb ? 3 : 1;
            }
            return step;
        }
    }

    private static void writePlanes(Described described, Planes planes, Ngff.Writer writer) {
        Steps steps = new Steps(described, writer);
        Step step = steps.next();
        if (step != null)
            planes.begin(step.plane);
        while (step != null) {
            Step following = steps.next();
            planes.take();
            if (IJ.escapePressed())
                writer.cancel();
            else if (following != null)
                planes.begin(following.plane);
            writePlane(described, planes, writer, step.origin, step.extent);
            step = following;
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
            long first = planes.rows(origin[y], extent[y]);
            writer.write(origin, extent, planes.memory(), first + offset, strides);
        }
    }
}
