/* Drops.java: OME-Zarrs dropped onto ImageJ's window open as images; all else goes where it went before. ImageJ has no
 * list of handlers for what is dropped, so its own drop targets are wrapped, once in a session: by the first command of
 * ours, or by Plugins > OME-Zarr > Open Dropped OME-Zarr, which a macro AutoRun can name. */
package omezarr.imagej;

import ij.IJ;
import ij.ImageJ;
import ij.ImagePlus;
import ij.gui.Toolbar;
import ij.plugin.PlugIn;
import java.awt.Component;
import java.awt.datatransfer.DataFlavor;
import java.awt.datatransfer.UnsupportedFlavorException;
import java.awt.dnd.DnDConstants;
import java.awt.dnd.DropTarget;
import java.awt.dnd.DropTargetDragEvent;
import java.awt.dnd.DropTargetDropEvent;
import java.awt.dnd.DropTargetEvent;
import java.awt.dnd.DropTargetListener;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Plugins &gt; OME-Zarr &gt; Open Dropped OME-Zarr */
public final class Drops implements PlugIn {
    private static boolean isInstalled;

    @Override
    public void run(String argument) {
        Command.run(() -> IJ.showStatus("OME-Zarrs that are dropped onto this window are opened"));
    }

    static synchronized void install() {
        ImageJ window = IJ.getInstance();
        if (window == null || isInstalled)
            return;
        isInstalled = true;
        for (Component component : new Component[] {window, Toolbar.getInstance(), window.getStatusBar()})
            if (component.getDropTarget() != null)
                component.setDropTarget(new DropTarget(component, new Wrapped(component.getDropTarget())));
    }

    /** Those that are stores, if all are. */
    private static List<File> storesOf(DropTargetDropEvent event) {
        List<File> stores = new ArrayList<>();
        if (!event.isDataFlavorSupported(DataFlavor.javaFileListFlavor))
            return stores;
        try {
            for (Object file : (List<?>) event.getTransferable().getTransferData(DataFlavor.javaFileListFlavor)) {
                if (!Ngff.isStore(((File) file).getPath()))
                    return new ArrayList<>();
                stores.add((File) file);
            }
        } catch (UnsupportedFlavorException | IOException e) {
            stores.clear(); // ImageJ says what is wrong with it
        }
        return stores;
    }

    private static final class Wrapped implements DropTargetListener {
        private final DropTargetListener imagej;

        Wrapped(DropTargetListener imagej) {
            this.imagej = imagej;
        }

        @Override
        public void drop(DropTargetDropEvent event) {
            event.acceptDrop(DnDConstants.ACTION_COPY); // without it there is no data to look at
            List<File> stores = storesOf(event);
            if (stores.isEmpty()) {
                imagej.drop(event);
                return;
            }
            event.dropComplete(true);
            new Thread(() -> open(stores), "OME-Zarr drop")
                .start(); // not on the thread of the events, which dialogs need
        }

        private static void open(List<File> stores) {
            for (File store : stores)
                Command.run(() -> {
                    ImagePlus imp = OpenCommand.openByDialogs(store.getPath());
                    if (imp != null)
                        Command.show(imp);
                });
        }

        @Override
        public void dragEnter(DropTargetDragEvent event) {
            imagej.dragEnter(event);
        }

        @Override
        public void dragOver(DropTargetDragEvent event) {
            imagej.dragOver(event);
        }

        @Override
        public void dropActionChanged(DropTargetDragEvent event) {
            imagej.dropActionChanged(event);
        }

        @Override
        public void dragExit(DropTargetEvent event) {
            imagej.dragExit(event);
        }
    }
}
