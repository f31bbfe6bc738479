/* PlaneStack.java: a virtual stack of 16 bit whose planes are made when they are asked for. */
package omezarr.imagej;

import ij.VirtualStack;
import ij.process.ImageProcessor;

public abstract class PlaneStack extends VirtualStack {
    private final int size;

    protected PlaneStack(int width, int height, int size) {
        super(width, height, null, null);
        this.size = size;
        setBitDepth(16);
    }

    @Override public abstract ImageProcessor getProcessor(int n);

    @Override
    public int getSize() {
        return size;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public Object getPixels(int n) {
        return getProcessor(n).getPixels();
    }

    @Override
    public String getSliceLabel(int n) {
        return null;
    }
}
