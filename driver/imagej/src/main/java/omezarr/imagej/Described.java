/* Described.java: an image of ImageJ in the words of NGFF: its axes, calibration, channels, and what is kept so that
 * ImageJ gets it back.
 *
 * A stack's planes are c fastest, then z, then t; NGFF's axes are t, c, z, y, x, and those of size 1 are left out. An
 * RGB image has one channel in ImageJ and three here. */
package omezarr.imagej;

import ij.CompositeImage;
import ij.ImagePlus;
import ij.ImageStack;
import ij.gui.Roi;
import ij.io.RoiEncoder;
import ij.measure.Calibration;
import ij.process.LUT;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.IntFunction;

final class Described {
    static final String attribute = "imagej"; // its member of the store's block "omezarr"

    final ImagePlus imp;
    final boolean isRgb, isSigned;
    final int type, nChannels;
    final String dims;
    final long[] shape;

    Described(ImagePlus imp) {
        this.imp = imp;
        isRgb = imp.getBitDepth() == 24;
        isSigned = imp.getBitDepth() == 16 && imp.getLocalCalibration().isSigned16Bit();
        type = isSigned                  ? Ngff.INT16
               : imp.getBitDepth() == 16 ? Ngff.UINT16
               : imp.getBitDepth() == 32 ? Ngff.FLOAT32
                                         : Ngff.UINT8;
        nChannels = isRgb ? 3 * imp.getNChannels() : imp.getNChannels();
        if (isRgb && imp.getNChannels() > 1)
            throw new IllegalArgumentException(
                imp.getTitle() + ": an RGB image of " + imp.getNChannels() +
                " channels has no place in OME-Zarr; run Image > Color > Split Channels first");
        String letters = "";
        List<Long> sizes = new ArrayList<>();
        long[] all = {imp.getNFrames(), nChannels, imp.getNSlices(), imp.getHeight(), imp.getWidth()};
        for (int i = 0; i < all.length; i++)
            if (i >= 3 || all[i] > 1) {
                letters += "tczyx".charAt(i);
                sizes.add(all[i]);
            }
        dims = letters;
        shape = sizes.stream().mapToLong(Long::longValue).toArray();
    }

    /** The description for the library. losses: what of it the store will not hold. */
    Ngff.Image image(List<String> losses) {
        Ngff.Image image = new Ngff.Image(dims, shape, type);
        try {
            image.setName(imp.getTitle().isEmpty() ? "image" : imp.getTitle());
            if (isRgb)
                image.setKind(Ngff.RGB);
            setCalibration(image, imp.getLocalCalibration(), losses);
            setChannels(image);
            image.setAttribute(attribute, Json.write(kept()));
            return image;
        } catch (RuntimeException e) {
            image.close();
            throw e;
        }
    }

    /* -- Calibration ----------------------------------------------------------------------------------------------- */

    private static double positive(double value) {
        double size = Math.abs(value);
        return size > 0 && size <= Double.MAX_VALUE ? size : 1;
    }

    /** Seconds, or whatever the time unit is, from one frame to the next; 0 where it is not known. */
    static double frameInterval(Calibration calibration) {
        return calibration.frameInterval > 0 ? calibration.frameInterval
        : calibration.fps > 0                ? 1 / calibration.fps
                                             : 0;
    }

    private void setCalibration(Ngff.Image image, Calibration calibration, List<String> losses) {
        double[] size = {positive(frameInterval(calibration)), 1, calibration.pixelDepth, calibration.pixelHeight,
                         calibration.pixelWidth};
        double[] origin = {0, 0, calibration.zOrigin, calibration.yOrigin, calibration.xOrigin};
        String timeUnit =
            calibration.frameInterval > 0 ? calibration.getTimeUnit() : "s"; // frames are counted by the second
        String[] unit = {frameInterval(calibration) > 0 ? timeUnit : null, null, calibration.getZUnit(),
                         calibration.getYUnit(), calibration.getXUnit()};
        double[] scale = new double[shape.length], translation = new double[shape.length];
        for (int axis = 0; axis < shape.length; axis++) {
            int i = "tczyx".indexOf(dims.charAt(axis));
            scale[axis] = positive(size[i]);
            if (scale[axis] != size[i])
                losses.add(imp.getTitle() + ": the size of a pixel on axis " + dims.charAt(axis) + " is " + size[i] +
                           "; " + scale[axis] + " is stored");
            translation[axis] = origin[i] == 0 ? 0 : -origin[i] * scale[axis];
            String name = Ngff.unitName(dims.charAt(axis), unit[i]);
            if (name != null)
                image.setUnit(axis, name);
            else if (unit[i] != null && !unit[i].isEmpty() && !unit[i].startsWith("pixel"))
                losses.add(imp.getTitle() + ": NGFF has no unit \"" + unit[i] + "\", so that axis " +
                           dims.charAt(axis) + " has none; ImageJ gets it back");
        }
        image.setScale(scale);
        image.setTranslation(translation);
    }

    /* -- Channels -------------------------------------------------------------------------------------------------- */

    private static int brightness(LUT lut, int index) {
        return lut.getRed(index) + lut.getGreen(index) + lut.getBlue(index);
    }

    static boolean isInverted(LUT lut) {
        return brightness(lut, 0) > brightness(lut, 255);
    }

    static String color(LUT lut) {
        return String.format("%06X", lut.getRGB(isInverted(lut) ? 0 : 255) & 0xffffff);
    }

    /** The table that a viewer makes of one colour: from black to it, or back. */
    static LUT ramp(int rgb, boolean isInverted) {
        byte[][] tables = new byte[3][256];
        for (int i = 0; i < 256; i++)
            for (int part = 0; part < 3; part++)
                tables[part][isInverted ? 255 - i : i] = (byte) ((rgb >> (16 - 8 * part) & 255) * i / 255);
        return new LUT(tables[0], tables[1], tables[2]);
    }

    static String hex(LUT lut) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 256; i++)
            text.append(String.format("%06x", lut.getRGB(i) & 0xffffff));
        return text.toString();
    }

    private boolean isComposite() {
        return imp instanceof CompositeImage;
    }

    private boolean isGray() {
        return isComposite() ? ((CompositeImage) imp).getMode() == CompositeImage.GRAYSCALE : true;
    }

    private LUT[] luts() {
        LUT[] luts = imp.getLuts();
        if (!isComposite() && luts.length > 0) {
            luts[0].min = imp.getDisplayRangeMin();
            luts[0].max = imp.getDisplayRangeMax();
        }
        return luts;
    }

    private void setChannels(Ngff.Image image) {
        if (isRgb)
            return; // red, green and blue from 0 to 255 are the library's own
        String[] names = channelNames();
        LUT[] luts = luts();
        for (int c = 0; c < nChannels; c++) {
            LUT lut = luts.length == 0 ? null : luts[Math.min(c, luts.length - 1)];
            boolean isPlain =
                lut == null || !isComposite() && nChannels > 1 && hex(lut).equals(hex(ramp(0xffffff, false)));
            image.setChannel(c, names[c],
                             isPlain ? null : color(lut)); // of several grey ones the library makes colours
            if (lut == null)
                continue;
            image.setInverted(c, isInverted(lut));
            double zero = isSigned ? 32768 : 0;
            if (lut.min < lut.max && Math.abs(lut.min) <= Double.MAX_VALUE && Math.abs(lut.max) <= Double.MAX_VALUE)
                image.setWindow(c, lut.min - zero, lut.max - zero);
        }
        if (nChannels == 1)
            return;
        image.setView(!isGray());
        if (isComposite() && ((CompositeImage) imp).getMode() == CompositeImage.COMPOSITE)
            for (int c = 0; c < nChannels; c++)
                image.setActive(c, ((CompositeImage) imp).getActiveChannels()[c]);
    }

    /** A slice label without the position that Bio-Formats and ImageJ put before it ("c:1/2 z:1/5 - DAPI"). */
    static String shortLabel(String label) {
        if (label == null)
            return "";
        String line = label.split("\n", 2)[0].trim();
        return line.replaceFirst("^([czt]:\\d+/\\d+[; ]*)+(- *)?", "").trim();
    }

    /**
     * What all planes of a channel are called; "Channel n" where they have several names, or all channels have the
     * same.
     */
    private String[] channelNames() {
        ImageStack stack = imp.getStack();
        String[] names = new String[nChannels];
        for (int c = 0; c < nChannels; c++) {
            names[c] = shortLabel(stack.getSliceLabel(imp.getStackIndex(c + 1, 1, 1)));
            for (int i = 0; i < imp.getNSlices() * imp.getNFrames(); i++)
                if (!names[c].equals(shortLabel(stack.getSliceLabel(1 + c + i * imp.getNChannels()))))
                    names[c] = "";
        }
        boolean areSame = nChannels == 1 || Arrays.stream(names).distinct().count() == 1;
        for (int c = 0; c < nChannels; c++)
            if (areSame || names[c].isEmpty())
                names[c] = "Channel " + (c + 1);
        return names;
    }

    /* -- What ImageJ gets back ------------------------------------------------------------------------------------- */

    private static <T> List<T> list(int n, IntFunction<T> item) {
        List<T> items = new ArrayList<>();
        for (int i = 0; i < n; i++)
            items.add(item.apply(i));
        return items;
    }

    private static String finite(double value) {
        return String.valueOf(value); // JSON has no NaN
    }

    private Map<String, Object> kept() {
        Map<String, Object> kept = new LinkedHashMap<>();
        Calibration calibration = imp.getLocalCalibration();
        Map<String, Object> measured = new LinkedHashMap<>();
        measured.put("unit", calibration.getXUnit());
        if (!calibration.getYUnit().equals(calibration.getXUnit()))
            measured.put("y_unit", calibration.getYUnit());
        if (!calibration.getZUnit().equals(calibration.getXUnit()))
            measured.put("z_unit", calibration.getZUnit());
        measured.put("time_unit", calibration.getTimeUnit());
        measured.put("pixel_size", list(3,
                                        i
                                        -> finite(new double[] {calibration.pixelWidth, calibration.pixelHeight,
                                                                calibration.pixelDepth}[i])));
        measured.put(
            "origin",
            list(3, i -> finite(new double[] {calibration.xOrigin, calibration.yOrigin, calibration.zOrigin}[i])));
        measured.put("frame_interval", finite(calibration.frameInterval));
        measured.put("fps", finite(calibration.fps));
        measured.put("invert_y", calibration.getInvertY());
        if (calibration.info != null)
            measured.put("info", calibration.info);
        measured.put("value_unit", calibration.getValueUnit());
        if (calibration.calibrated()) {
            measured.put("function", calibration.getFunction());
            double[] coefficients = calibration.getCoefficients();
            if (coefficients != null)
                measured.put("coefficients", list(coefficients.length, i -> finite(coefficients[i])));
            if (calibration.getFunction() == Calibration.CUSTOM) {
                float[] table = calibration.getCTable();
                measured.put("table", list(table.length, i -> String.valueOf(table[i])));
            }
            measured.put("zero_clip", calibration.zeroClip());
        }
        kept.put("calibration", measured);
        kept.put("type", isRgb ? "RGB" : imp.getBitDepth() + "-bit");
        if (isComposite())
            kept.put("mode", ((CompositeImage) imp).getModeAsString());
        if (!isRgb) {
            LUT[] luts = luts();
            kept.put("luts", list(luts.length, c -> isRamp(luts[c]) ? null : hex(luts[c])));
            kept.put("ranges", list(luts.length, c -> list(2, i -> finite(i == 0 ? luts[c].min : luts[c].max))));
        }
        ImageStack stack = imp.getStack();
        List<String> labels = list(imp.getStackSize(), i -> stack.getSliceLabel(i + 1));
        if (labels.stream().anyMatch(Objects::nonNull))
            kept.put("slice_labels", labels);
        if (imp.getInfoProperty() != null)
            kept.put("info", imp.getInfoProperty());
        if (imp.getOverlay() != null)
            kept.put("overlay", list(imp.getOverlay().size(), i -> textOf(imp.getOverlay().get(i))));
        String[] properties = imp.getPropertiesAsArray();
        if (properties != null)
            kept.put("properties", Arrays.asList(properties));
        return kept;
    }

    /** A ROI as ImageJ's files have it, in base64. */
    private static String textOf(Roi roi) {
        return Base64.getEncoder().encodeToString(RoiEncoder.saveAsByteArray(roi));
    }

    private static boolean isRamp(LUT lut) {
        return hex(lut).equals(hex(ramp(Integer.parseInt(color(lut), 16), isInverted(lut))));
    }
}
