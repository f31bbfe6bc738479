/* Ngff.java: the handles of ngff.h as Java objects. Every call of the library goes through here: lengths of arrays and
 * buffers are checked before it, its status after it, and a failure becomes an NgffException. A handle is freed once,
 * by close(). */
package omezarr.imagej;

import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.DoublePredicate;
import java.util.function.ObjIntConsumer;

final class Ngff {
    // Pixel types and kinds; the numbers are pinned in ngff.h.
    static final int UINT8 = 1, INT8 = 2, UINT16 = 3, INT16 = 4, UINT32 = 5, INT32 = 6, UINT64 = 7, INT64 = 8,
                     FLOAT16 = 9, FLOAT32 = 10, FLOAT64 = 11;
    static final int RGB = 1;

    static final int threads = Runtime.getRuntime().availableProcessors();

    // Without the encoding JNA would take the platform's, which is not UTF-8 everywhere.
    private static final NgffLibrary LIBRARY =
        Native.load("ngff", NgffLibrary.class,
                    Collections.singletonMap(Library.OPTION_STRING_ENCODING, StandardCharsets.UTF_8.name()));

    private Ngff() {
    }

    static String version() {
        return LIBRARY.ngff_version();
    }

    /** The option table as GDAL's XML. */
    static String optionsXml() {
        Pointer text = LIBRARY.ngff_options_text("gdal");
        if (text == null)
            throw new OutOfMemoryError("the native library's table of options");
        String xml = text.getString(0, StandardCharsets.UTF_8.name());
        LIBRARY.ngff_string_free(text);
        return xml;
    }

    /** The name that NGFF has for a unit of an axis, or null. */
    static String unitName(char axis, String spelling) {
        return spelling == null ? null : LIBRARY.ngff_unit_name(String.valueOf(axis), spelling);
    }

    static int typeSize(int dataType) {
        return LIBRARY.ngff_type_size(dataType);
    }

    static boolean isStore(String path) {
        return LIBRARY.ngff_identify(path) == 1;
    }

    private static void checkLength(int length, int rank) {
        if (length != rank)
            throw new IllegalArgumentException(length + " values for " + rank + " axes");
    }

    /** That the pixels of a box, strides bytes apart from offset on, lie in the buffer. */
    private static void checkBuffer(Memory buffer, long offset, long[] strides, long[] extent, int pixelSize) {
        long first = offset, last = offset + pixelSize;
        for (int i = 0; i < extent.length; i++) {
            if (extent[i] < 1)
                throw new IllegalArgumentException("an extent of " + extent[i]);
            long span = Math.multiplyExact(extent[i] - 1, strides[i]);
            first = Math.addExact(first, Math.min(span, 0));
            last = Math.addExact(last, Math.max(span, 0));
        }
        if (first < 0 || last > buffer.size())
            throw new IllegalArgumentException("pixels from byte " + first + " to " + last + " of a buffer of " +
                                               buffer.size());
    }

    private abstract static class Handle implements AutoCloseable {
        private Pointer pointer;

        Handle(Pointer pointer) {
            if (pointer == null)
                throw new OutOfMemoryError("the native library has no memory");
            this.pointer = pointer;
        }

        Pointer pointer() {
            if (pointer == null)
                throw new IllegalStateException("used after close()");
            return pointer;
        }

        abstract int status();

        abstract String error();

        abstract void free(Pointer handle);

        int check(int status) {
            if (status < 0)
                throw new NgffException(status, error());
            return status;
        }

        /** After opening: a handle that failed is freed. */
        void checkOpened() {
            try {
                check(status());
            } catch (NgffException e) {
                close();
                throw e;
            }
        }

        @Override
        public void close() {
            if (pointer != null)
                free(pointer);
            pointer = null;
        }
    }

    static final class Image extends Handle {
        final String dims;
        private final int pixelSize;

        Image(String dims, long[] shape, int dataType) {
            super(LIBRARY.ngff_image_create(dims, checked(shape, dims), dataType));
            this.dims = dims;
            pixelSize = typeSize(dataType);
            checkOpened();
        }

        private static long[] checked(long[] shape, String dims) {
            checkLength(shape.length, dims.length());
            return shape;
        }

        @Override
        int status() {
            return LIBRARY.ngff_image_status(pointer());
        }

        @Override
        String error() {
            return LIBRARY.ngff_image_error(pointer());
        }

        @Override
        void free(Pointer handle) {
            LIBRARY.ngff_image_free(handle);
        }

        void setScale(double[] scale) {
            checkLength(scale.length, dims.length());
            check(LIBRARY.ngff_image_set_scale(pointer(), scale));
        }

        void setTranslation(double[] translation) {
            checkLength(translation.length, dims.length());
            check(LIBRARY.ngff_image_set_translation(pointer(), translation));
        }

        void setUnit(int axis, String unit) {
            check(LIBRARY.ngff_image_set_unit(pointer(), axis, unit));
        }

        void setName(String name) {
            check(LIBRARY.ngff_image_set_name(pointer(), name));
        }

        void setKind(int kind) {
            check(LIBRARY.ngff_image_set_kind(pointer(), kind));
        }

        /** What the values mean: lists of "image-label", as JSON or null. */
        void setLabel(String colors, String properties) {
            check(LIBRARY.ngff_image_set_label(pointer(), colors, properties, 0));
        }

        /** The image will lie in the store of another, at this path. */
        void setLabelOf(Reader of, String name) {
            check(LIBRARY.ngff_image_set_label_of(pointer(), ((Handle) of).pointer(), name));
        }

        void setChannel(int channel, String label, String color) {
            check(LIBRARY.ngff_image_set_channel(pointer(), channel, label, color));
        }

        void setWindow(int channel, double start, double end) {
            check(LIBRARY.ngff_image_set_window(pointer(), channel, start, end));
        }

        void setInverted(int channel, boolean isInverted) {
            check(LIBRARY.ngff_image_set_inverted(pointer(), channel, isInverted ? 1 : 0));
        }

        void setActive(int channel, boolean isActive) {
            check(LIBRARY.ngff_image_set_active(pointer(), channel, isActive ? 1 : 0));
        }

        void setView(boolean hasColors) {
            check(LIBRARY.ngff_image_set_view(pointer(), -1, -1, hasColors ? 1 : 0));
        }

        void setAttribute(String name, String json) {
            check(LIBRARY.ngff_image_set_attribute(pointer(), name, json));
        }
    }

    static final class Plan extends Handle {
        private final int rank, pixelSize;

        /** @param options NAME=VALUE each */
        Plan(Image image, String[] options) {
            super(LIBRARY.ngff_plan_create(image.pointer(), options));
            rank = image.dims.length();
            pixelSize = image.pixelSize;
            checkOpened();
        }

        @Override
        int status() {
            return LIBRARY.ngff_plan_status(pointer());
        }

        @Override
        String error() {
            return LIBRARY.ngff_plan_error(pointer());
        }

        @Override
        void free(Pointer handle) {
            LIBRARY.ngff_plan_free(handle);
        }

        void setSource(long[] block) {
            checkLength(block.length, rank);
            check(LIBRARY.ngff_plan_set_source(pointer(), block, 1));
        }

        void addLoss(String text) {
            check(LIBRARY.ngff_plan_add_loss(pointer(), text));
        }

        List<String> warnings() {
            List<String> warnings = new ArrayList<>();
            for (String text; (text = LIBRARY.ngff_plan_warning(pointer(), warnings.size())) != null;)
                warnings.add(text);
            return warnings;
        }
    }

    static final class Writer extends Handle {
        private final int rank, pixelSize;

        Writer(Plan plan, String path) {
            super(LIBRARY.ngff_writer_open(plan.pointer(), path));
            rank = plan.rank;
            pixelSize = plan.pixelSize;
            checkOpened();
        }

        @Override
        int status() {
            return LIBRARY.ngff_writer_status(pointer());
        }

        @Override
        String error() {
            return LIBRARY.ngff_writer_error(pointer());
        }

        @Override
        void free(Pointer handle) {
            LIBRARY.ngff_writer_free(handle);
        }

        /** The next region into origin and extent; false after the last. */
        boolean next(long[] origin, long[] extent) {
            checkLength(origin.length, rank);
            checkLength(extent.length, rank);
            return check(LIBRARY.ngff_writer_next(pointer(), origin, extent)) == 1;
        }

        /** strides: bytes per axis; offset: the byte of the buffer where the first pixel begins. */
        void write(long[] origin, long[] extent, Memory pixels, long offset, long[] strides) {
            checkLength(origin.length, rank);
            checkLength(extent.length, rank);
            checkLength(strides.length, rank);
            checkBuffer(pixels, offset, strides, extent, pixelSize);
            check(LIBRARY.ngff_writer_write(pointer(), origin, extent, pixels.share(offset), strides, null, 0));
        }

        /** From 0 to 1; for any thread. */
        double progress() {
            return LIBRARY.ngff_writer_progress(pointer());
        }

        /** For any thread. */
        void cancel() {
            LIBRARY.ngff_writer_cancel(pointer());
        }

        /** Finishes and publishes the store. What went wrong beside it, or null. */
        String publish() {
            check(LIBRARY.ngff_writer_close(pointer()));
            return LIBRARY.ngff_writer_warning(pointer());
        }
    }

    /** How viewers show a channel: null, or NaN, where the store does not say it. */
    static final class Channel {
        static final Channel unknown = new Channel(null, null, Double.NaN, Double.NaN, true, false);

        final String label, color; // six hexadecimal digits
        final double start, end;
        final boolean isActive, isInverted;

        Channel(String label, String color, double start, double end, boolean isActive, boolean isInverted) {
            this.label = label;
            this.color = color;
            this.start = start;
            this.end = end;
            this.isActive = isActive;
            this.isInverted = isInverted;
        }
    }

    static final class Reader extends Handle {
        final String path;
        private final int rank;

        /** @param part one of the parts of a store, "" for what is at its root */
        Reader(String path, String part) {
            super(LIBRARY.ngff_reader_open_part(path, part, new String[0]));
            this.path = path;
            checkOpened();
            rank = levelCount() > 0 ? dims().length() : 0;
        }

        @Override
        int status() {
            return LIBRARY.ngff_reader_status(pointer());
        }

        @Override
        String error() {
            return LIBRARY.ngff_reader_error(pointer());
        }

        @Override
        void free(Pointer handle) {
            LIBRARY.ngff_reader_free(handle);
        }

        int partCount() {
            return LIBRARY.ngff_reader_part_count(pointer());
        }

        String partPath(int index) {
            return LIBRARY.ngff_reader_part_path(pointer(), index);
        }

        String partTitle(int index) {
            return LIBRARY.ngff_reader_part_title(pointer(), index);
        }

        /** The level that the part named, 0 where it named none. */
        int partLevel() {
            return LIBRARY.ngff_reader_part_level(pointer());
        }

        String dims() {
            return LIBRARY.ngff_reader_dims(pointer());
        }

        String axisUnit(int axis) {
            return LIBRARY.ngff_reader_axis_unit(pointer(), axis);
        }

        /** The image's, or null. */
        String name() {
            String name = LIBRARY.ngff_reader_name(pointer());
            check(status());
            return name;
        }

        /** True where viewers show the image in grey. */
        boolean isGray() {
            int[] hasColors = new int[1];
            check(LIBRARY.ngff_reader_view(pointer(), null, null, hasColors));
            return hasColors[0] == 0;
        }

        boolean isLabel() {
            return LIBRARY.ngff_reader_is_label(pointer()) == 1;
        }

        /** One for each channel that the store says something of, from the first on. */
        List<Channel> channels() {
            List<Channel> channels = new ArrayList<>();
            for (long n = LIBRARY.ngff_reader_channel_count(pointer()); channels.size() < n;)
                channels.add(channel(channels.size()));
            check(status());
            return channels;
        }

        private Channel channel(int index) {
            PointerByReference label = new PointerByReference(), color = new PointerByReference();
            double[] window = new double[4];
            int[] isActive = new int[1], isInverted = new int[1];
            check(LIBRARY.ngff_reader_channel(pointer(), index, label, color, window, isActive, isInverted));
            return new Channel(text(label), text(color), window[0], window[1], isActive[0] != 0, isInverted[0] == 1);
        }

        private static String text(PointerByReference to) {
            Pointer text = to.getValue();
            return text == null ? null : text.getString(0, StandardCharsets.UTF_8.name());
        }

        int levelCount() {
            return LIBRARY.ngff_reader_level_count(pointer());
        }

        int dataType() {
            return LIBRARY.ngff_reader_data_type(pointer());
        }

        String levelPath(int level) {
            return LIBRARY.ngff_reader_level_path(pointer(), level);
        }

        long[] levelShape(int level) {
            long[] shape = new long[rank];
            check(LIBRARY.ngff_reader_level_shape(pointer(), level, shape));
            return shape;
        }

        long[] levelChunk(int level) {
            long[] chunk = new long[rank];
            check(LIBRARY.ngff_reader_level_chunk(pointer(), level, chunk));
            return chunk;
        }

        double[] levelScale(int level) {
            double[] scale = new double[rank];
            check(LIBRARY.ngff_reader_level_scale(pointer(), level, scale));
            return scale;
        }

        double[] levelTranslation(int level) {
            double[] translation = new double[rank];
            check(LIBRARY.ngff_reader_level_translation(pointer(), level, translation));
            return translation;
        }

        /** A member of the block "omezarr" as JSON, or null. */
        String attribute(String name) {
            String json = LIBRARY.ngff_reader_attribute(pointer(), name);
            check(status());
            return json;
        }

        /** The next thing that the store's user should know, or null. */
        String warning() {
            return LIBRARY.ngff_reader_warning(pointer());
        }

        void setCache(long bytes) {
            LIBRARY.ngff_reader_set_cache(pointer(), bytes);
        }

        /** A box of a level, dense in C order, into the buffer. */
        void read(int level, long[] origin, long[] extent, Memory pixels) {
            checkLength(origin.length, rank);
            checkLength(extent.length, rank);
            int size = typeSize(dataType());
            checkBuffer(pixels, 0, denseStrides(extent, size), extent, size);
            byte[] message = new byte[4096];
            int status = LIBRARY.ngff_reader_read(pointer(), level, origin, extent, pixels, null, threads, message,
                                                  message.length);
            if (status < 0)
                throw new NgffException(status, Native.toString(message, StandardCharsets.UTF_8.name()));
        }

        /**
         * Looks at every object of the store. tell gets the kind of each finding and its line; goOn says whether to,
         *  with the share that is done. Returns the status: damage and Escape are no exceptions.
         */
        int verify(ObjIntConsumer<String> tell, DoublePredicate goOn) {
            NgffLibrary.Finding finding = (user, kind, text) -> tell.accept(text, kind);
            NgffLibrary.Progress progress = (user, share) -> goOn.test(share) ? 1 : 0;
            return LIBRARY.ngff_reader_verify(pointer(), threads, finding, progress, null);
        }
    }

    /** Bytes per axis of a box in C order. */
    static long[] denseStrides(long[] extent, int pixelSize) {
        long[] strides = new long[extent.length];
        long next = pixelSize;
        for (int i = extent.length - 1; i >= 0; i--) {
            strides[i] = next;
            next = Math.multiplyExact(next, extent[i]);
        }
        return strides;
    }
}
