/* NgffLibrary.java: the functions of ngff.h that the plugin calls, as JNA declares them. Nothing else: what they
 * promise stands in ngff.h, and Ngff.java is the only caller. */
package omezarr.imagej;

import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;

interface NgffLibrary extends Library {
    String ngff_version();
    Pointer ngff_options_text(String format);
    void ngff_string_free(Pointer text);
    String ngff_unit_name(String axis, String spelling);
    int ngff_type_size(int dataType);

    Pointer ngff_image_create(String dims, long[] shape, int dataType);
    void ngff_image_free(Pointer image);
    int ngff_image_status(Pointer image);
    String ngff_image_error(Pointer image);
    int ngff_image_set_scale(Pointer image, double[] scale);
    int ngff_image_set_translation(Pointer image, double[] translation);
    int ngff_image_set_unit(Pointer image, int axis, String unit);
    int ngff_image_set_name(Pointer image, String name);
    int ngff_image_set_kind(Pointer image, int kind);
    int ngff_image_set_label(Pointer image, String colors, String properties, int isTable);
    int ngff_image_set_label_of(Pointer image, Pointer of, String name);
    int ngff_image_set_channel(Pointer image, long channel, String label, String color);
    int ngff_image_set_window(Pointer image, long channel, double start, double end);
    int ngff_image_set_inverted(Pointer image, long channel, int isInverted);
    int ngff_image_set_active(Pointer image, long channel, int isActive);
    int ngff_image_set_view(Pointer image, long t, long z, int hasColors);
    int ngff_image_set_attribute(Pointer image, String name, String json);

    Pointer ngff_plan_create(Pointer image, String[] options);
    void ngff_plan_free(Pointer plan);
    int ngff_plan_status(Pointer plan);
    String ngff_plan_error(Pointer plan);
    int ngff_plan_set_source(Pointer plan, long[] block, int nReaders);
    int ngff_plan_add_loss(Pointer plan, String text);
    String ngff_plan_warning(Pointer plan, int index);

    Pointer ngff_writer_open(Pointer plan, String path);
    void ngff_writer_free(Pointer writer);
    int ngff_writer_status(Pointer writer);
    String ngff_writer_error(Pointer writer);
    int ngff_writer_next(Pointer writer, long[] origin, long[] extent);
    int ngff_writer_write(Pointer writer, long[] origin, long[] extent, Pointer pixels, long[] strides, Pointer mask,
                          long maskStride);
    double ngff_writer_progress(Pointer writer);
    void ngff_writer_cancel(Pointer writer);
    int ngff_writer_close(Pointer writer);
    String ngff_writer_warning(Pointer writer);

    int ngff_identify(String path);
    Pointer ngff_reader_open_part(String path, String part, String[] options);
    void ngff_reader_free(Pointer reader);
    int ngff_reader_status(Pointer reader);
    String ngff_reader_error(Pointer reader);
    int ngff_reader_part_count(Pointer reader);
    String ngff_reader_part_path(Pointer reader, int index);
    String ngff_reader_part_title(Pointer reader, int index);
    int ngff_reader_part_level(Pointer reader);
    String ngff_reader_dims(Pointer reader);
    String ngff_reader_axis_unit(Pointer reader, int axis);
    String ngff_reader_name(Pointer reader);
    int ngff_reader_view(Pointer reader, long[] t, long[] z, int[] hasColors);
    int ngff_reader_is_label(Pointer reader);
    long ngff_reader_channel_count(Pointer reader);
    int ngff_reader_channel(Pointer reader, long channel, PointerByReference label, PointerByReference color,
                            double[] window, int[] isActive, int[] isInverted);
    int ngff_reader_level_count(Pointer reader);
    int ngff_reader_data_type(Pointer reader);
    String ngff_reader_level_path(Pointer reader, int level);
    int ngff_reader_level_shape(Pointer reader, int level, long[] shape);
    int ngff_reader_level_chunk(Pointer reader, int level, long[] chunk);
    int ngff_reader_level_scale(Pointer reader, int level, double[] scale);
    int ngff_reader_level_translation(Pointer reader, int level, double[] translation);
    String ngff_reader_attribute(Pointer reader, String name);
    String ngff_reader_warning(Pointer reader);
    int ngff_reader_read(Pointer reader, int level, long[] origin, long[] extent, Pointer pixels, long[] strides,
                         int nThreads, byte[] error, long errorSize);
    void ngff_reader_set_cache(Pointer reader, long sizeBytes);

    /* What ngff_reader_verify calls. */
    interface Finding extends Callback {
        void call(Pointer user, int kind, String text);
    }

    interface Progress extends Callback {
        int call(Pointer user, double share);
    }

    int ngff_reader_verify(Pointer reader, int nThreads, Finding finding, Progress progress, Pointer user);
}
