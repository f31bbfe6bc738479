/* NgffException.java: what the library says of a call that failed. */
package omezarr.imagej;

/** A call of the native library failed; the message names path and cause, in the library's words. */
public final class NgffException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    // The numbers are pinned in ngff.h.
    static final int ARGUMENT = -20, EXISTS = -50, STATE = -90, CANCELLED = -100;

    private final int status;

    NgffException(int status, String message) {
        super(message);
        this.status = status;
    }

    /** @return the status of ngff.h, a negative number */
    public int getStatus() {
        return status;
    }
}
