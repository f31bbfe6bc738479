/* Speed.java: the ImageJ side of autotest/bench/imagej.py: Speed virtual|constant|memory|tiff WIDTH HEIGHT DEPTH OUTPUT
 * [NAME=VALUE ...] makes planes by the formula of planes.c (constant: virtual ones of one value each), saves them, and prints seconds from the first plane to the
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

    private static final class Planes extends PlaneStack {
        private final short[] pixels, table; // rows are parts of the table, as in planes.c

        private final boolean isConstant;

        Planes(int width, int height, int depth, boolean isConstant) {
            super(width, height, depth);
            pixels = new short[width * height];
            this.isConstant = isConstant;
            table = new short[(1 << 22) + width];
            for (int i = 0; i < table.length; i++)
                table[i] = (short) (i % 8192 * 3 / 16 + ((i * 7919L ^ (i >> 8) * 104729L) >> 4 & 7));
        }

        @Override
        public ImageProcessor getProcessor(int n) {
            int width = getWidth();
            if (isConstant)
                Arrays.fill(pixels, (short) n);
            for (int y = 0; !isConstant && y < getHeight(); y++)
                System.arraycopy(table, (y * 257 + (n - 1) * 65793) & ((1 << 22) - 1), pixels, y * width, width);
            return new ShortProcessor(getWidth(), getHeight(), pixels, null);
        }
    }

    public static void main(String[] arguments) throws IOException {
        int width = Integer.parseInt(arguments[1]), height = Integer.parseInt(arguments[2]),
            depth = Integer.parseInt(arguments[3]);
        ImageStack stack = new Planes(width, height, depth, arguments[0].equals("constant"));
        if (!arguments[0].equals("virtual") && !arguments[0].equals("constant")) {
            ImageStack inMemory = new ImageStack(width, height);
            for (int n = 1; n <= depth; n++)
                inMemory.addSlice(null, stack.getProcessor(n).duplicate());
            stack = inMemory;
        }
        ImagePlus imp = new ImagePlus("planes", stack);
        Ngff.version(); // Java loads the library once in a session, with the first command
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
