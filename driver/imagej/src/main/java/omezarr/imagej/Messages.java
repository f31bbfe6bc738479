/* Messages.java: what the library says, in the words of ImageJ's user: its options are fields of a dialog there. */
package omezarr.imagej;

final class Messages {
    private Messages() {
    }

    /** The same exception, or one that says what to do in ImageJ. */
    static NgffException explained(NgffException e) {
        if (e.getStatus() != NgffException.EXISTS)
            return e;
        String text = e.getMessage().replace("use OVERWRITE=YES to replace it",
                                             "check \"Overwrite\" to replace it, or choose another name");
        return new NgffException(e.getStatus(), text);
    }
}
