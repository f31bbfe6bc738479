/* Speed.java: the ImageJ side of autotest/bench/imagej.py: Speed virtual|memory|tiff WIDTH HEIGHT DEPTH OUTPUT
 * [NAME=VALUE ...] makes planes by the formula of planes.c, saves them, and prints seconds from the first plane to the
 * end, processor time, and the most memory. */
package omezarr.imagej;

import ij.ImagePlus;
import ij.ImageStack;
import ij.io.FileSaver;
import ij.process.ImageProcessor;
import ij.process.ShortProcessor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;

final class Speed {
    private Speed() {
    }

    private static void fill(short[] pixels, int width, int z) {
        for (int y = 0, i = 0; i < pixels.length; y++)
            for (int x = 0; x < width; x++, i++)
                pixels[i] = (short) ((x * 3 + y * 5 + z * 7) / 16 + ((x * 7919 ^ y * 104729 ^ z * 1299709) >>> 4 & 7));
    }

    private static final class Planes extends PlaneStack {
        private final short[] pixels;

        Planes(int width, int height, int depth) {
            super(width, height, depth);
            pixels = new short[width * height];
        }

        @Override
        public ImageProcessor getProcessor(int n) {
            fill(pixels, getWidth(), n - 1);
            return new ShortProcessor(getWidth(), getHeight(), pixels, null);
        }
    }

    public static void main(String[] arguments) throws IOException {
        int width = Integer.parseInt(arguments[1]), height = Integer.parseInt(arguments[2]),
            depth = Integer.parseInt(arguments[3]);
        ImageStack stack = new Planes(width, height, depth);
        if (!arguments[0].equals("virtual")) {
            ImageStack inMemory = new ImageStack(width, height);
            for (int n = 1; n <= depth; n++)
                inMemory.addSlice(null, stack.getProcessor(n).duplicate());
            stack = inMemory;
        }
        ImagePlus imp = new ImagePlus("planes", stack);
        long begin = System.nanoTime();
        if (arguments[0].equals("tiff"))
            new FileSaver(imp).saveAsTiffStack(arguments[4]);
        else
            OmeZarr.save(imp, arguments[4], Arrays.copyOfRange(arguments, 5, arguments.length));
        double seconds = (System.nanoTime() - begin) / 1e9;
        String most = Files.readAllLines(Paths.get("/proc/self/status"))
                          .stream()
                          .filter(line -> line.startsWith("VmHWM"))
                          .findFirst()
                          .orElse("")
                          .replaceAll("[^0-9]", "");
        System.out.printf("%-8s %6.2f s, VmHWM %5d MiB%n", arguments[0], seconds, Long.parseLong(most) / 1024);
    }
}
