/* Opening.java: the way of an image out of a store: choose what to open, show its planes, and give ImageJ back what the
 * store says of them. Where the store keeps ImageJ's own words (Described.kept), they count as far as they agree with
 * what NGFF's metadata says, which others may have changed. */
package omezarr.imagej;

import ij.CompositeImage;
import ij.IJ;
import ij.ImagePlus;
import ij.ImageStack;
import ij.Macro;
import ij.gui.Overlay;
import ij.gui.Roi;
import ij.io.RoiDecoder;
import ij.measure.Calibration;
import ij.process.ImageProcessor;
import ij.process.LUT;
import java.io.File;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

final class Opening {
    private static final int mostComposite = 7; // channels that ImageJ shows at once

    private final Ngff.Reader reader;
    private final int level;
    private final Object kept;
    private final List<Ngff.Channel> channels;
    private final String dims;

    private Opening(Ngff.Reader reader, int level) {
        this.reader = reader;
        this.level = level;
        dims = reader.dims();
        kept = Json.parse(reader.attribute(Described.attribute));
        channels = reader.channels();
    }

    /**
     * @param level -1: the largest whose planes ImageJ can hold
     *  @param isVirtual null: where the pixels would take more than half of the memory that is free
     */
    static ImagePlus open(String path, String part, int level, Boolean isVirtual) {
        Ngff.Reader reader = new Ngff.Reader(path, part);
        boolean isOurs = true;
        try {
            if (reader.levelCount() == 0)
                throw new IllegalArgumentException(
                    path + " holds several images; say which: " + String.join(", ", partsOf(reader)));
            int wanted = level >= 0 ? level : defaultLevel(reader);
            if (wanted >= reader.levelCount())
                throw new IllegalArgumentException(path + " has no level " + wanted + "; its last is " +
                                                   (reader.levelCount() - 1));
            Opening opening = new Opening(reader, wanted);
            StoredStack stored = new StoredStack(reader, wanted, opening.isRgb());
            isOurs = false; // the stack closes it
            ImagePlus imp = opening.image(stored, isVirtual != null ? isVirtual : !fits(stored));
            for (String text; (text = reader.warning()) != null;)
                IJ.log("OME-Zarr: " + text);
            return imp;
        } finally {
            if (isOurs)
                reader.close();
        }
    }

    static List<String> partsOf(Ngff.Reader reader) {
        List<String> parts = new ArrayList<>();
        for (int i = 0; i < reader.partCount(); i++)
            parts.add(reader.partPath(i));
        return parts;
    }

    static int defaultLevel(Ngff.Reader reader) {
        int level = reader.partLevel();
        while (level + 1 < reader.levelCount() && StoredStack.problemOf(reader, level) != null)
            level++;
        return level;
    }

    private static boolean fits(StoredStack stored) {
        long bytes = (long) stored.getWidth() * stored.getHeight() * stored.getSize() *
                     (stored.getBitDepth() == 24 ? 4 : stored.getBitDepth() / 8);
        return bytes <= (IJ.maxMemory() - IJ.currentMemory()) / 2;
    }

    /** Three channels that were an RGB image of ImageJ. */
    private boolean isRgb() {
        int c = dims.indexOf('c');
        return "RGB".equals(Json.member(kept, "type")) && reader.dataType() == Ngff.UINT8 && c >= 0 &&
            reader.levelShape(level)[c] == 3;
    }

    private ImagePlus image(StoredStack stored, boolean isVirtual) {
        labelSlices(stored);
        ImagePlus imp = new ImagePlus(title(), isVirtual ? stored : inMemory(stored));
        imp.setDimensions(stored.nChannels, stored.nSlices, stored.nFrames);
        imp.setOpenAsHyperStack(true);
        calibrate(imp, stored.isSigned);
        String info = Json.string(Json.member(kept, "info"));
        if (info != null)
            imp.setProperty("Info", info);
        if (level == 0)
            setOverlay(imp);
        List<?> properties = Json.list(Json.member(kept, "properties"));
        if (!properties.isEmpty())
            imp.setProperties(properties.toArray(new String[0]));
        return stored.isRgb ? imp : withChannels(imp, stored);
    }

    private void setOverlay(ImagePlus imp) {
        Overlay overlay = new Overlay();
        for (Object text : Json.list(Json.member(kept, "overlay"))) {
            Roi roi = roiOf(text);
            if (roi != null)
                overlay.add(roi);
            else
                IJ.log("OME-Zarr: " + reader.path + ": a part of the overlay is no ROI of ImageJ, and is left out");
        }
        if (overlay.size() > 0)
            imp.setOverlay(overlay);
    }

    /** null for what others have put there, which RoiDecoder may refuse in any way. */
    private static Roi roiOf(Object text) {
        try {
            return RoiDecoder.openFromByteArray(Base64.getDecoder().decode((String) text));
        } catch (RuntimeException e) {
            return null;
        }
    }

    /** Labels of wide types are 16 bit if all of them fit, as ImageJ's own are: seen from the pixels, all of which come by. */
    private static ImageStack inMemory(StoredStack stored) {
        ImageStack stack = new ImageStack(stored.getWidth(), stored.getHeight());
        boolean isNarrow = stored.isWideLabel();
        IJ.resetEscape();
        try {
            for (int n = 1; n <= stored.getSize(); n++) {
                ImageProcessor plane = isNarrow ? stored.getNarrowProcessor(n) : stored.getProcessor(n);
                if (plane == null) {
                    isNarrow = false;
                    stack = widened(stack);
                    plane = stored.getProcessor(n);
                }
                stack.addSlice(stored.getSliceLabel(n), plane);
                IJ.showProgress(n, stored.getSize());
                if (IJ.escapePressed())
                    throw new RuntimeException(Macro.MACRO_CANCELED);
            }
        } finally {
            IJ.showProgress(1.0);
        }
        return stack;
    }

    private static ImageStack widened(ImageStack narrow) {
        ImageStack stack = new ImageStack(narrow.getWidth(), narrow.getHeight());
        for (int n = 1; n <= narrow.getSize(); n++)
            stack.addSlice(narrow.getSliceLabel(n), narrow.getProcessor(n).convertToFloatProcessor());
        return stack;
    }

    private String title() {
        String name = reader.name();
        if (name == null || name.equals("image") && kept == null)
            name = new File(reader.path).getName();
        return level == 0 ? name : name + " (" + reader.levelPath(level) + ")";
    }

    private void labelSlices(StoredStack stored) {
        List<?> labels = Json.list(Json.member(kept, "slice_labels"));
        boolean isWhole = labels.size() == stored.getSize();
        for (int n = 1; n <= stored.getSize(); n++) {
            String channel = kept == null && stored.nChannels > 1 ? channel((n - 1) % stored.nChannels).label : null;
            stored.setSliceLabel(isWhole ? Json.string(labels.get(n - 1)) : channel, n);
        }
    }

    /* -- Calibration ----------------------------------------------------------------------------------------------- */

    /** A number that was kept as text, because JSON has no NaN. */
    private static double keptNumber(Object text, double otherwise) {
        return text instanceof String ? Double.parseDouble((String) text) : otherwise;
    }

    private static double keptNumber(Object list, int index, double otherwise) {
        List<?> items = Json.list(list);
        return index < items.size() ? keptNumber(items.get(index), otherwise) : otherwise;
    }

    /** A unit as ImageJ writes it. */
    private static String unitInImageJ(String name, String otherwise) {
        if (name == null || name.isEmpty())
            return otherwise;
        switch (name) {
        case "micrometer":
            return "micron";
        case "nanometer":
            return "nm";
        case "millimeter":
            return "mm";
        case "centimeter":
            return "cm";
        case "meter":
            return "m";
        case "angstrom":
            return "\u00c5";
        case "second":
            return "sec";
        case "millisecond":
            return "ms";
        case "minute":
            return "min";
        default:
            return name;
        }
    }

    /** The unit of an axis: as ImageJ had it, if that means the same. */
    private String unit(char axis, String keptText, String otherwise) {
        int i = dims.indexOf(axis);
        String name = i < 0 ? null : reader.axisUnit(i);
        boolean isSame = keptText != null && (name == null || name.equals(Ngff.unitName(axis, keptText)));
        return isSame ? keptText : unitInImageJ(name, otherwise);
    }

    private void calibrate(ImagePlus imp, boolean isSigned) {
        Object measured = Json.member(kept, "calibration");
        double[] scale = reader.levelScale(level), translation = reader.levelTranslation(level), size = {1, 1, 1},
                 origin = {0, 0, 0};
        for (int i = 0; i < 3; i++) {
            int axis = dims.indexOf("xyz".charAt(i));
            double keptSize = keptNumber(Json.member(measured, "pixel_size"), i, 1);
            double keptOrigin = keptNumber(Json.member(measured, "origin"), i, 0);
            if (axis < 0 || Math.abs(keptSize) == scale[axis]) { // a single plane has a depth in ImageJ only
                size[i] = keptSize;
                boolean isSame = axis < 0 || keptOrigin == 0 && translation[axis] == 0 ||
                                 -keptOrigin * scale[axis] == translation[axis];
                origin[i] = isSame ? keptOrigin : -translation[axis] / scale[axis];
            } else {
                size[i] = scale[axis];
                origin[i] = translation[axis] == 0 ? 0 : -translation[axis] / scale[axis];
            }
        }
        Calibration calibration = new Calibration(imp);
        calibration.pixelWidth = size[0];
        calibration.pixelHeight = size[1];
        calibration.pixelDepth = size[2];
        calibration.xOrigin = origin[0];
        calibration.yOrigin = origin[1];
        calibration.zOrigin = origin[2];
        String unit = Json.string(Json.member(measured, "unit")), y = Json.string(Json.member(measured, "y_unit")),
               z = Json.string(Json.member(measured, "z_unit"));
        calibration.setUnit(unit('x', unit, "pixel"));
        calibration.setYUnit(different(unit('y', y != null ? y : unit, calibration.getUnit()), calibration.getUnit()));
        calibration.setZUnit(different(unit('z', z != null ? z : unit, calibration.getUnit()), calibration.getUnit()));
        int t = dims.indexOf('t');
        String timeUnit = t >= 0 ? reader.axisUnit(t) : null;
        calibration.fps = keptNumber(Json.member(measured, "fps"), 0);
        calibration.frameInterval = keptNumber(Json.member(measured, "frame_interval"), 0);
        calibration.setTimeUnit(unit('t', Json.string(Json.member(measured, "time_unit")), "sec"));
        if (t >= 0 && Described.frameInterval(calibration) != scale[t] && (timeUnit != null || scale[t] != 1)) {
            calibration.frameInterval = scale[t];
            calibration.setTimeUnit(unitInImageJ(timeUnit, "sec"));
        }
        calibration.setInvertY(Boolean.TRUE.equals(Json.member(measured, "invert_y")));
        calibration.info = Json.string(Json.member(measured, "info"));
        calibrateValues(calibration, measured, isSigned);
        imp.setCalibration(calibration);
    }

    private static String different(String unit, String from) {
        return unit.equals(from) ? null : unit;
    }

    private static void calibrateValues(Calibration calibration, Object measured, boolean isSigned) {
        String unit = Json.string(Json.member(measured, "value_unit"));
        calibration.setValueUnit(unit);
        int function = (int) Json.number(Json.member(measured, "function"), Calibration.NONE);
        List<?> table = Json.list(Json.member(measured, "table"));
        List<?> coefficients = Json.list(Json.member(measured, "coefficients"));
        if (isSigned) {
            calibration.setSigned16BitCalibration();
        } else if (!table.isEmpty()) {
            float[] values = new float[table.size()];
            for (int i = 0; i < values.length; i++)
                values[i] = (float) keptNumber(table.get(i), 0);
            calibration.setCTable(values, unit);
        } else if (function != Calibration.NONE) {
            double[] numbers = coefficients.stream().mapToDouble(text -> keptNumber(text, 0)).toArray();
            calibration.setFunction(function, numbers.length > 0 ? numbers : null, unit,
                                    Boolean.TRUE.equals(Json.member(measured, "zero_clip")));
        }
    }

    /* -- Channels -------------------------------------------------------------------------------------------------- */

    private Ngff.Channel channel(int c) {
        return c < channels.size() ? channels.get(c) : Ngff.Channel.unknown;
    }

    private static LUT lutOf(String hex) {
        byte[][] tables = new byte[3][256];
        for (int i = 0; i < 3 * 256; i++)
            tables[i % 3][i / 3] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        return new LUT(tables[0], tables[1], tables[2]);
    }

    /**
     * What ImageJ had, if the store still says the same of it; else black to the channel's colour. The range is NaN
     * where there is none.
     */
    private LUT lut(int c, double zero) {
        Ngff.Channel channel = channel(c);
        boolean isInverted = channel.isInverted;
        int rgb = channel.color != null ? Integer.parseInt(channel.color, 16) : 0xffffff;
        List<?> tables = Json.list(Json.member(kept, "luts"));
        String table = c < tables.size() ? Json.string(tables.get(c)) : null;
        LUT lut = Described.ramp(rgb, isInverted);
        if (table != null && (Described.color(lutOf(table)).equals(Described.color(lut)) &&
                              Described.isInverted(lutOf(table)) == isInverted))
            lut = lutOf(table);
        lut.min = channel.start + zero;
        lut.max = channel.end + zero;
        List<?> ranges = Json.list(Json.member(kept, "ranges"));
        double min = c < ranges.size() ? keptNumber(ranges.get(c), 0, Double.NaN) : Double.NaN;
        double max = c < ranges.size() ? keptNumber(ranges.get(c), 1, Double.NaN) : Double.NaN;
        if (min >= max) { // NGFF cannot say this, so the store says something else
            lut.min = min;
            lut.max = max;
        }
        return lut;
    }

    private ImagePlus withChannels(ImagePlus imp, StoredStack stored) {
        double zero = stored.isSigned ? 32768 : 0;
        LUT[] luts = new LUT[stored.nChannels];
        for (int c = 0; c < luts.length; c++)
            luts[c] = lut(c, zero);
        String mode = Json.string(Json.member(kept, "mode"));
        boolean isComposite = stored.nChannels > 1 && (kept == null || mode != null) || "composite".equals(mode);
        if (!isComposite) {
            boolean isPlain =
                stored.nChannels > 1 && Json.list(Json.member(kept, "luts")).stream().allMatch(table -> table == null);
            imp.getProcessor().setColorModel(isPlain ? Described.ramp(0xffffff, false) : luts[0]);
            if (imp.getStackSize() > 1)
                imp.getStack().setColorModel(imp.getProcessor().getColorModel());
            if (luts[0].min == luts[0].min && luts[0].max == luts[0].max)
                imp.setDisplayRange(luts[0].min, luts[0].max);
            return imp;
        }
        int wanted = "color".equals(mode)               ? CompositeImage.COLOR
                     : reader.isGray()                  ? CompositeImage.GRAYSCALE
                     : stored.nChannels > mostComposite ? CompositeImage.COLOR
                                                        : CompositeImage.COMPOSITE;
        CompositeImage composite = new CompositeImage(imp, wanted);
        composite.setOpenAsHyperStack(true);
        for (int c = 0; c < luts.length; c++) {
            LUT lut = luts[c];
            if (lut.min != lut.min || lut.max != lut.max) { // the store has no range: ImageJ's own, of the first plane
                lut.min = composite.getLuts()[c].min;
                lut.max = composite.getLuts()[c].max;
            }
            composite.setChannelLut(lut, c + 1);
        }
        for (int c = 0; wanted == CompositeImage.COMPOSITE && c < luts.length; c++)
            composite.getActiveChannels()[c] = channel(c).isActive;
        return composite;
    }
}
