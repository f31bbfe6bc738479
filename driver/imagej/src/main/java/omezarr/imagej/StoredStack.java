/* StoredStack.java: the planes of one level of a store as a virtual stack. A plane is decoded when ImageJ asks for it;
 * the chunks under it stay decoded for the planes behind it. What cannot be read is an exception, not a black plane. */
package omezarr.imagej;

import com.sun.jna.Memory;
import ij.IJ;
import ij.VirtualStack;
import ij.process.ByteProcessor;
import ij.process.ColorProcessor;
import ij.process.FloatProcessor;
import ij.process.ImageProcessor;
import ij.process.ShortProcessor;

final class StoredStack extends VirtualStack {
    private static final long leastCache = 64L << 20;

    final int level, nChannels, nSlices, nFrames, type;
    final boolean isRgb, isSigned;
    private final boolean isLabel;
    private final Ngff.Reader reader;
    private final String dims;
    private final long[] shape;
    private final String[] labels;
    private final Memory memory; // one plane as it is stored
    private boolean isRounded;   // a value that ImageJ cannot hold was seen, and told

    /**
     * Takes the reader over, and closes it when the stack is no longer used.
     *  @param isRgb the three channels are shown as one RGB image
     */
    StoredStack(Ngff.Reader reader, int level, boolean isRgb) {
        super(checkedSide(reader, level, 'x'), checkedSide(reader, level, 'y'), null, null);
        this.reader = reader;
        this.level = level;
        this.isRgb = isRgb;
        dims = reader.dims();
        shape = reader.levelShape(level);
        type = reader.dataType();
        isLabel = reader.isLabel();
        isSigned = type == Ngff.INT16 || type == Ngff.INT8;
        nChannels = isRgb ? 1 : size('c');
        nSlices = size('z');
        nFrames = size('t');
        setBitDepth(bitDepth(type, isRgb));
        long pixels = (long) getWidth() * getHeight() * (isRgb ? 3 : 1);
        memory = new Memory(pixels * Ngff.typeSize(type));
        labels = new String[Math.toIntExact((long) nChannels * nSlices * nFrames)];
        reader.setCache(Math.max(leastCache, Math.min(bytesUnderPlane(), Runtime.getRuntime().maxMemory() / 2)));
    }

    static int bitDepth(int type, boolean isRgb) {
        boolean isByte = type == Ngff.UINT8, isShort = type == Ngff.UINT16 || type == Ngff.INT16 || type == Ngff.INT8;
        return isRgb ? 24 : isByte ? 8 : isShort ? 16 : 32;
    }

    /** Why ImageJ cannot show a level, or null: its planes are arrays of Java. */
    static String problemOf(Ngff.Reader reader, int level) {
        long[] shape = reader.levelShape(level);
        long pixels = Math.multiplyExact(shape[shape.length - 1], shape[shape.length - 2]), planes = 1;
        for (int i = 0; i < shape.length - 2; i++)
            planes = Math.multiplyExact(planes, shape[i]);
        if (pixels > Integer.MAX_VALUE - 8)
            return "a plane has " + pixels + " pixels, and ImageJ opens at most 2147483639";
        return planes > Integer.MAX_VALUE ? "it has " + planes + " planes, and ImageJ opens at most 2147483647" : null;
    }

    private static int checkedSide(Ngff.Reader reader, int level, char axis) {
        String problem = problemOf(reader, level);
        if (problem == null && reader.dataType() > Ngff.FLOAT64)
            problem = "its pixels are complex numbers, which ImageJ has no type for";
        if (problem != null)
            throw new IllegalArgumentException(reader.path + ", level " + level + ", cannot be opened: " + problem);
        return (int) reader.levelShape(level)[reader.dims().indexOf(axis)];
    }

    private int size(char axis) {
        int i = dims.indexOf(axis);
        return i < 0 ? 1 : Math.toIntExact(shape[i]);
    }

    /** Of the decoded chunks that one plane meets: with them kept, no chunk is decoded again for the next plane. */
    private long bytesUnderPlane() {
        long[] chunk = reader.levelChunk(level);
        long bytes = Ngff.typeSize(type);
        for (int i = 0; i < chunk.length; i++) {
            boolean isWhole = i >= chunk.length - 2 || dims.charAt(i) == 'c' && isRgb;
            bytes = Math.multiplyExact(bytes, isWhole ? (shape[i] + chunk[i] - 1) / chunk[i] * chunk[i] : chunk[i]);
        }
        return bytes;
    }

    @Override
    public int getSize() {
        return labels == null ? 0 : labels.length; // ImageJ's constructor asks too
    }

    @Override
    public int size() {
        return getSize();
    }

    @Override
    public String getSliceLabel(int n) {
        return labels[n - 1];
    }

    @Override
    public void setSliceLabel(String label, int n) {
        labels[n - 1] = label;
    }

    @Override
    public Object getPixels(int n) {
        return getProcessor(n).getPixels();
    }

    @Override
    public synchronized ImageProcessor getProcessor(int n) {
        readPlane(n);
        ImageProcessor plane = processor();
        plane.setSliceNumber(n);
        return plane;
    }

    /** Whether pixels are labels of a type that ImageJ has only as floating point. */
    boolean isWideLabel() {
        return isLabel && type >= Ngff.UINT32 && type <= Ngff.INT64;
    }

    /** A plane of a wide label as 16 bit, or null if it has labels that are larger. */
    synchronized ImageProcessor getNarrowProcessor(int n) {
        readPlane(n);
        short[] pixels = new short[getWidth() * getHeight()];
        for (int i = 0; i < pixels.length; i++) {
            double label = number(i);
            if (label < 0 || label > 65535)
                return null;
            pixels[i] = (short) (int) label;
        }
        return new ShortProcessor(getWidth(), getHeight(), pixels, null);
    }

    private void readPlane(int n) {
        if (n < 1 || n > getSize())
            throw new IllegalArgumentException("Argument out of range: " + n);
        long[] origin = new long[shape.length], extent = shape.clone();
        int[] position = {(n - 1) / (nChannels * nSlices), (n - 1) % nChannels, (n - 1) / nChannels % nSlices};
        for (int i = 0; i < shape.length - 2; i++) {
            origin[i] = position["tcz".indexOf(dims.charAt(i))];
            extent[i] = dims.charAt(i) == 'c' && isRgb ? 3 : 1;
        }
        reader.read(level, origin, extent, memory);
    }

    private ImageProcessor processor() {
        int width = getWidth(), height = getHeight(), n = width * height;
        if (isRgb)
            return new ColorProcessor(width, height, packed(n));
        if (type == Ngff.UINT8)
            return new ByteProcessor(width, height, memory.getByteArray(0, n), null);
        if (getBitDepth() == 16)
            return new ShortProcessor(width, height, shorts(n), null);
        return new FloatProcessor(width, height, floats(n), null);
    }

    private int[] packed(int n) {
        byte[][] parts = new byte[3][];
        for (int part = 0; part < 3; part++)
            parts[part] = memory.getByteArray((long) part * n, n);
        int[] pixels = new int[n];
        for (int i = 0; i < n; i++)
            pixels[i] = 0xff000000 | (parts[0][i] & 255) << 16 | (parts[1][i] & 255) << 8 | parts[2][i] & 255;
        return pixels;
    }

    /** ImageJ keeps signed values with 32768 added. */
    private short[] shorts(int n) {
        if (type == Ngff.UINT16)
            return memory.getShortArray(0, n);
        short[] pixels = type == Ngff.INT16 ? memory.getShortArray(0, n) : new short[n];
        for (int i = 0; i < n; i++)
            pixels[i] = (short) ((type == Ngff.INT16 ? pixels[i] : memory.getByte(i)) ^ 0x8000);
        return pixels;
    }

    private float[] floats(int n) {
        if (type == Ngff.FLOAT32)
            return memory.getFloatArray(0, n);
        float[] pixels = new float[n];
        boolean isExact = true;
        for (int i = 0; i < n; i++) {
            double value = number(i);
            pixels[i] = (float) value;
            isExact &= pixels[i] == value || Double.isNaN(value);
        }
        if (!isExact && !isRounded)
            IJ.log("OME-Zarr: " + reader.path +
                   (isLabel ? ": labels above 16777216 are rounded, so that several may become one: ImageJ has no "
                                  + "type that holds them"
                            : ": values are rounded to 32-bit floating point, the widest type of ImageJ"));
        isRounded |= !isExact;
        return pixels;
    }

    private double number(long i) {
        switch (type) {
        case Ngff.INT32:
            return memory.getInt(4 * i);
        case Ngff.UINT32:
            return memory.getInt(4 * i) & 0xffffffffL;
        case Ngff.INT64:
            return memory.getLong(8 * i);
        case Ngff.UINT64:
            long value = memory.getLong(8 * i);
            return value >= 0 ? value : 2.0 * (value >>> 1 | value & 1); // the lowest bit stays for the rounding
        case Ngff.FLOAT16:
            return half(memory.getShort(2 * i));
        default:
            return memory.getDouble(8 * i);
        }
    }

    /** IEEE 754 binary16. */
    private static double half(short bits) {
        int exponent = bits >> 10 & 31, fraction = bits & 1023;
        double size = exponent == 0    ? fraction * 0x1p-24
                      : exponent == 31 ? fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN
                                       : (1024 + fraction) * Math.scalb(1.0, exponent - 25);
        return bits < 0 ? -size : size;
    }

    /** ImageJ does not tell a stack that it is no longer used. */
    @Override
    @SuppressWarnings("deprecation") // only from Java 9 on, which has another way
    protected synchronized void finalize() {
        if (reader != null)
            reader.close();
    }
}
