/* Shown.java: what ImageJ makes of stores, for autotest/imagej: Shown FOLDER STORE[:PART] ... writes the planes of
 * store number i as raw 32-bit floats into FOLDER/i, and prints a line of its sizes (x, y, c, z, t), pixel size, unit
 * and display colours. */
package omezarr.imagej;

import ij.ImagePlus;
import ij.measure.Calibration;
import ij.process.LUT;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

final class Shown {
    private Shown() {
    }

    public static void main(String[] arguments) throws IOException {
        for (int i = 1; i < arguments.length; i++) {
            String[] name = arguments[i].split(":", 2);
            ImagePlus imp = OmeZarr.open(name[0], name.length > 1 ? name[1] : "", -1, null);
            try (FileChannel file = FileChannel.open(Paths.get(arguments[0], String.valueOf(i - 1)),
                                                     StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                for (int n = 1; n <= imp.getStackSize(); n++) {
                    float[] plane = (float[]) imp.getStack().getProcessor(n).convertToFloatProcessor().getPixels();
                    ByteBuffer bytes = ByteBuffer.allocate(4 * plane.length).order(ByteOrder.LITTLE_ENDIAN);
                    bytes.asFloatBuffer().put(plane);
                    file.write(bytes);
                }
            }
            Calibration calibration = imp.getCalibration();
            List<Object> sizes = new ArrayList<>(), colors = new ArrayList<>();
            Arrays.stream(imp.getDimensions()).forEach(sizes::add);
            for (LUT lut : imp.getLuts())
                colors.add(String.format("%06X", lut.getRGB(255) & 0xffffff));
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("sizes", sizes);
            line.put("bits", imp.getBitDepth());
            line.put("pixel", Arrays.asList(calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth));
            line.put("unit", calibration.getUnit());
            line.put("colors", colors);
            System.out.println("shown " + Json.write(line));
        }
    }
}
