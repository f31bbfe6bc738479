/* Planes.java: the pixels of an image of ImageJ, one plane at a time, in memory that the library reads. A processor of
 * a virtual stack may be used again for the next plane, so its pixels are copied at once. */
package omezarr.imagej;

import com.sun.jna.Memory;
import ij.IJ;
import ij.ImageStack;
import ij.VirtualStack;
import ij.io.FileInfo;
import ij.plugin.FileInfoVirtualStack;
import java.io.File;
import java.lang.reflect.Field;

final class Planes {
    private final Described described;
    private final ImageStack stack;
    private final long nPixels;
    private final FileInfo[] files; // of a stack that reads a TIFF, or null
    final Memory memory;

    Planes(Described described) {
        this.described = described;
        stack = described.imp.getStack();
        nPixels = (long) stack.getWidth() * stack.getHeight();
        memory = new Memory(nPixels * (described.isRgb ? 4 : Ngff.typeSize(described.type)));
        files = filesOf(stack);
    }

    /** Reads plane number index (from 1) into the memory. */
    void read(int index) {
        String cause = problemOf(index), logged = IJ.getLog();
        Object pixels = cause == null ? stack.getPixels(index) : null;
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
        int n = (int) nPixels;
        if (pixels instanceof byte[])
            memory.write(0, (byte[]) checked(pixels, ((byte[]) pixels).length, index), 0, n);
        else if (pixels instanceof short[])
            memory.write(0, shorts((short[]) checked(pixels, ((short[]) pixels).length, index)), 0, n);
        else if (pixels instanceof int[])
            memory.write(0, (int[]) checked(pixels, ((int[]) pixels).length, index), 0, n);
        else
            memory.write(0, (float[]) checked(pixels, ((float[]) pixels).length, index), 0, n);
    }

    private Object checked(Object pixels, int length, int index) {
        int depth = pixels instanceof byte[] ? 8 : pixels instanceof short[] ? 16 : pixels instanceof int[] ? 24 : 32;
        if (length != nPixels || depth != described.imp.getBitDepth())
            throw new IllegalStateException(described.imp.getTitle() + ": plane " + index + " has " + length +
                                            " pixels of " + depth + " bits, and the image " + nPixels + " of " +
                                            described.imp.getBitDepth() + " bits");
        return pixels;
    }

    /** ImageJ keeps signed values with 32768 added. */
    private short[] shorts(short[] pixels) {
        if (!described.isSigned)
            return pixels;
        short[] signed = new short[pixels.length];
        for (int i = 0; i < signed.length; i++)
            signed[i] = (short) (pixels[i] ^ 0x8000);
        return signed;
    }

    /* -- Files that ImageJ would read as black ------------------------------------------------------------------------
     */

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
