/* Images.java: images whose pixels follow one formula, which autotest/imagej knows too. */
package omezarr.imagej;

import ij.CompositeImage;
import ij.ImagePlus;
import ij.ImageStack;
import ij.measure.Calibration;
import ij.process.ByteProcessor;
import ij.process.ColorProcessor;
import ij.process.FloatProcessor;
import ij.process.ImageProcessor;
import ij.process.LUT;
import ij.process.ShortProcessor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

final class Images {
    private Images() {
    }

    /** Where the readers of others look for a store; nothing is there yet. */
    static String store(String name) throws IOException {
        Path folder = Paths.get(System.getProperty("stores"));
        Files.createDirectories(folder);
        Path store = folder.resolve(name);
        deleteAll(store);
        return store.toString();
    }

    private static void deleteAll(Path path) throws IOException {
        if (Files.isDirectory(path))
            try (java.util.stream.Stream<Path> inside = Files.list(path)) {
                for (Path one : (Iterable<Path>) inside::iterator)
                    deleteAll(one);
            }
        Files.deleteIfExists(path);
    }

    static int value(int c, int z, int t, int y, int x) {
        return 1000 * t + 400 * c + 50 * z + 3 * y + x;
    }

    /** Plane number n (from 1) of a stack of nC channels and nZ slices. */
    static ImageProcessor plane(int bits, int width, int height, int nC, int nZ, int n) {
        int c = (n - 1) % nC, z = (n - 1) / nC % nZ, t = (n - 1) / (nC * nZ);
        ImageProcessor plane = bits == 8    ? new ByteProcessor(width, height)
                               : bits == 16 ? new ShortProcessor(width, height)
                               : bits == 24 ? new ColorProcessor(width, height)
                                            : new FloatProcessor(width, height);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                int value = value(c, z, t, y, x);
                if (bits == 32)
                    plane.setf(x, y, value / 4f - 100);
                else if (bits == 24)
                    plane.set(x, y, (value & 255) << 16 | (value + 1 & 255) << 8 | (value + 2 & 255));
                else
                    plane.set(x, y, bits == 8 ? value & 255 : value);
            }
        return plane;
    }

    static ImagePlus stack(String title, int bits, int width, int height, int nC, int nZ, int nT) {
        ImageStack stack = new ImageStack(width, height);
        for (int n = 1; n <= nC * nZ * nT; n++)
            stack.addSlice(plane(bits, width, height, nC, nZ, n));
        ImagePlus imp = new ImagePlus(title, stack);
        imp.setDimensions(nC, nZ, nT);
        imp.setOpenAsHyperStack(true);
        return imp;
    }

    /** Two channels, three slices, two frames, with all that ImageJ can say of them. */
    static ImagePlus hyperstack() {
        ImagePlus imp = stack("cells.tif", 16, 40, 30, 2, 3, 2);
        for (int n = 1; n <= 12; n++)
            imp.getStack().setSliceLabel(String.format("c:%d/2 z:%d/3 t:%d/2 - %s", (n - 1) % 2 + 1,
                                                       (n - 1) / 2 % 3 + 1, (n - 1) / 6 + 1,
                                                       n % 2 == 1 ? "DAPI" : "GFP, \"green\" \u00b5"),
                                         n);
        CompositeImage composite = new CompositeImage(imp, CompositeImage.COMPOSITE);
        LUT[] luts = {Described.ramp(0xff0000, false), Described.ramp(0x00ff80, false)};
        luts[0].min = 100;
        luts[0].max = 2000;
        luts[1].min = 50.5;
        luts[1].max = 900;
        composite.setLuts(luts);
        composite.getActiveChannels()[1] = false;
        Calibration calibration = composite.getCalibration();
        calibration.pixelWidth = 0.2;
        calibration.pixelHeight = 0.3;
        calibration.pixelDepth = 1.5;
        calibration.setUnit("micron");
        calibration.setZUnit("nm");
        calibration.xOrigin = 10;
        calibration.yOrigin = -4;
        calibration.zOrigin = 1;
        calibration.frameInterval = 2.5;
        calibration.setTimeUnit("sec");
        composite.setProperty("Info", "Acquired on a Monday\nby \"us\" \\ \u00e4\u65e5");
        composite.setProp("Objective", "63x/1.4");
        return composite;
    }

    /** A virtual stack that counts how often each plane is read, and gives the same array again and again. */
    static final class Counted extends PlaneStack {
        final List<Integer> reads = Collections.synchronizedList(new ArrayList<>());
        final int nC, nZ, nT;
        private final short[] pixels;
        Runnable onRead = () -> {};

        Counted(int width, int height, int nC, int nZ, int nT) {
            super(width, height, nC * nZ * nT);
            this.nC = nC;
            this.nZ = nZ;
            this.nT = nT;
            pixels = new short[width * height];
        }

        ImagePlus image(String title) {
            ImagePlus imp = new ImagePlus(title, this);
            imp.setDimensions(nC, nZ, nT);
            imp.setOpenAsHyperStack(true);
            reads.clear(); // ImageJ has shown the first plane
            return imp;
        }

        @Override
        public ImageProcessor getProcessor(int n) {
            reads.add(n);
            onRead.run();
            Object plane = plane(16, getWidth(), getHeight(), nC, nZ, n).getPixels();
            System.arraycopy(plane, 0, pixels, 0, pixels.length);
            return new ShortProcessor(getWidth(), getHeight(), pixels, null);
        }
    }
}
