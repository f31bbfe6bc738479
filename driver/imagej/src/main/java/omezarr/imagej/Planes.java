/* Planes.java: the pixels of an image of ImageJ, one plane at a time, in memory that the library can read. A virtual
 * stack's is made ahead, by a thread for that, while the library works at the one before. Of planes that are too large for
 * that memory there are some rows at a time, and none is made ahead. */
package omezarr.imagej;

import com.sun.jna.Memory;
import ij.IJ;
import ij.ImageStack;
import ij.VirtualStack;
import ij.io.FileInfo;
import ij.plugin.FileInfoVirtualStack;
import java.io.File;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

final class Planes implements AutoCloseable {
    static long mostBytes = 64 << 20; // of one memory

    private final Described described;

    private final ImageStack stack;
    private final long nPixels;
    private final FileInfo[] files; // of a stack that reads a TIFF, or null
    private final long rowBytes;
    final int mostRows;                  // that a memory holds
    private Memory memory, spare;        // of the plane that was taken, and of the one that is made ahead
    private final ExecutorService maker; // null: planes are not made ahead
    private Future<?> made;
    private int begun;     // the number of the plane that take() gives
    private Object pixels; // of the plane that was read last

    Planes(Described described) {
        this.described = described;
        stack = described.imp.getStack();
        nPixels = (long) stack.getWidth() * stack.getHeight();
        rowBytes = stack.getWidth() * (described.isRgb ? 4L : Ngff.typeSize(described.type));
        mostRows = (int) Math.min(stack.getHeight(), Math.max(1, mostBytes / rowBytes));
        memory = new Memory(mostRows * rowBytes);
        files = filesOf(stack);
        boolean isAhead = stack.isVirtual() && mostRows == stack.getHeight();
        spare = isAhead ? new Memory(mostRows * rowBytes) : null;
        maker = isAhead ? Executors.newSingleThreadExecutor(Planes::thread) : null;
    }

    private static Thread thread(Runnable work) {
        Thread thread = new Thread(work, "OME-Zarr planes");
        thread.setDaemon(true);
        return thread;
    }

    /** Plane number index (from 1) is the next one to take. */
    void begin(int index) {
        begun = index;
        Memory to = spare;
        if (maker != null)
            made = maker.submit(() -> {
                read(index);
                copy(0, mostRows, to);
            });
    }

    /** The rows are now those of the plane that was begun. */
    void take() {
        if (maker == null) {
            read(begun);
            return;
        }
        waitFor(made);
        Memory taken = spare;
        spare = memory;
        memory = taken;
    }

    private static void waitFor(Future<?> work) {
        boolean isInterrupted = false;
        try {
            for (;;)
                try {
                    work.get();
                    return;
                } catch (InterruptedException e) { // a plane that is being made cannot be left alone
                    isInterrupted = true;
                }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error)
                throw(Error) e.getCause();
            throw(RuntimeException) e.getCause();
        } finally {
            if (isInterrupted)
                Thread.currentThread().interrupt();
        }
    }

    /** Ends with the plane that is being made: the stack is left alone afterwards. */
    @Override
    public void close() {
        if (maker == null)
            return;
        Future<?> last = maker.submit(() -> {});
        maker.shutdown();
        waitFor(last);
    }

    /** At most mostRows rows of the plane that was taken are in memory(), from the byte that is returned on. */
    long rows(long firstRow, long nRows) {
        if (maker != null)
            return firstRow * rowBytes;
        copy(firstRow, nRows, memory);
        return 0;
    }

    Memory memory() {
        return memory;
    }

    /** The pixels count until the next plane: a virtual stack may use its processor again. */
    private void read(int index) {
        String cause = problemOf(index), logged = IJ.getLog();
        pixels = cause == null ? stack.getPixels(index) : null;
        // ImageJ's stacks log what they cannot read, and give a black plane.
        String log = IJ.getLog();
        if (cause == null && log != null && !log.equals(logged) &&
            log.contains("Read error or file not found (" + index + ")"))
            cause = "read error, or file not found";
        if (cause == null && pixels == null)
            cause = "it has no pixels";
        if (cause != null)
            throw new IllegalStateException(described.imp.getTitle() + ": plane " + index + " of " + stack.getSize() +
                                            " cannot be read: " + cause);
        check(index);
    }

    private void check(int index) {
        int length = Array.getLength(pixels);
        int depth = pixels instanceof byte[] ? 8 : pixels instanceof short[] ? 16 : pixels instanceof int[] ? 24 : 32;
        if (length != nPixels || depth != described.imp.getBitDepth())
            throw new IllegalStateException(described.imp.getTitle() + ": plane " + index + " has " + length +
                                            " pixels of " + depth + " bits, and the image " + nPixels + " of " +
                                            described.imp.getBitDepth() + " bits");
    }

    private void copy(long firstRow, long nRows, Memory to) {
        int width = stack.getWidth(), first = Math.toIntExact(firstRow * width), n = Math.toIntExact(nRows * width);
        if (pixels instanceof byte[])
            to.write(0, (byte[]) pixels, first, n);
        else if (pixels instanceof short[] && described.isSigned)
            to.write(0, signed((short[]) pixels, first, n), 0, n);
        else if (pixels instanceof short[])
            to.write(0, (short[]) pixels, first, n);
        else if (pixels instanceof int[])
            to.write(0, (int[]) pixels, first, n);
        else
            to.write(0, (float[]) pixels, first, n);
    }

    /** ImageJ keeps signed values with 32768 added. */
    private static short[] signed(short[] pixels, int first, int n) {
        short[] signed = new short[n];
        for (int i = 0; i < n; i++)
            signed[i] = (short) (pixels[first + i] ^ 0x8000);
        return signed;
    }

    /* -- Files that ImageJ would read as black --------------------------------------------------------------------- */

    /** The class has no other way to ask for them. */
    private static FileInfo[] filesOf(ImageStack stack) {
        if (!(stack instanceof FileInfoVirtualStack))
            return null;
        try {
            Field info = FileInfoVirtualStack.class.getDeclaredField("info");
            info.setAccessible(true);
            return (FileInfo[]) info.get(stack);
        } catch (ReflectiveOperationException | RuntimeException e) {
            return null; // another version of ImageJ: what it logs is still seen
        }
    }

    /** Why a plane that is read from a file cannot be whole, or null: the end of a file is pixels of 0 to ImageJ. */
    private String problemOf(int index) {
        if (files != null && files[index - 1] != null)
            return problemOf(files[index - 1]);
        if (stack.getClass() == VirtualStack.class && ((VirtualStack) stack).getDirectory() != null) {
            VirtualStack folder = (VirtualStack) stack;
            File file = new File(folder.getDirectory(), folder.getFileName(index));
            return file.isFile() ? null : file + " is not there";
        }
        return null;
    }

    private static String problemOf(FileInfo info) {
        if (info.directory == null || info.fileName == null || info.url != null && !info.url.isEmpty())
            return null;
        File file = new File(info.getFilePath());
        if (!file.isFile())
            return file + " is not there";
        long end = 0;
        if (info.stripOffsets != null && info.stripLengths != null && info.stripOffsets.length > 1)
            for (int i = 0; i < info.stripOffsets.length; i++)
                end = Math.max(end, (info.stripOffsets[i] & 0xffffffffL) + info.stripLengths[i]);
        else if (info.compression == FileInfo.COMPRESSION_NONE)
            end = info.getOffset() + (long) info.width * info.height * info.getBytesPerPixel();
        return end > file.length() ? file + " has " + file.length() + " bytes, and the plane ends at byte " + end
                                   : null;
    }
}
