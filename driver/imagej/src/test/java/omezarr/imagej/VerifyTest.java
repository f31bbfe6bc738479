/* VerifyTest.java: a whole store, and one that is not. */
package omezarr.imagej;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ij.Macro;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyTest {
    @TempDir Path place;
    private Path store;

    @BeforeEach
    void save() {
        store = place.resolve("a.ome.zarr");
        OmeZarr.save(Images.hyperstack(), store.toString(), "BLOCKSIZE=16");
    }

    @AfterEach
    void forgetMacros() {
        Macro.setOptions(null);
        Thread.currentThread().setName("main");
    }

    @Test
    void whole_store_has_no_fault() {
        assertEquals(Collections.emptyList(), OmeZarr.verify(store.toString()));
    }

    @Test
    void missing_chunk_and_stray_file_are_named() throws Exception {
        Files.delete(store.resolve("scale0/image/c/1/0/0/0/1"));
        Files.write(store.resolve("ovr_2x/image/c/notes.txt"), new byte[] {1});
        List<String> faults = OmeZarr.verify(store.toString());
        assertEquals(2, faults.size(), faults.toString());
        assertTrue(faults.stream().anyMatch(fault -> fault.startsWith("damage: ") && fault.contains("c/1/0/0/0/1")),
                   faults.toString());
        assertTrue(faults.stream().anyMatch(fault -> fault.startsWith("stray: ") && fault.contains("notes.txt")),
                   faults.toString());
    }

    @Test
    void macro_ends_at_a_store_that_is_not_whole() throws Exception {
        Thread.currentThread().setName("Run$_Verify OME-Zarr...");
        Macro.setOptions("path=[" + store + "]");
        new VerifyCommand().run("");
        Files.delete(store.resolve("scale0/image/c/1/0/0/0/1"));
        Exception failure = assertThrows(RuntimeException.class, () -> new VerifyCommand().run(""));
        assertTrue(failure.getMessage().contains(store + " is not whole:\ndamage: "), failure.getMessage());
    }

    @Test
    void what_is_no_store_is_an_error() {
        assertTrue(assertThrows(NgffException.class, () -> OmeZarr.verify(place.toString()))
                       .getMessage()
                       .contains(place.toString()));
    }
}
