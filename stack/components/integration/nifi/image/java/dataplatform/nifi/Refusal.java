package dataplatform.nifi;

/** What a file was refused for: a sentence for the person who sent it. It carries no stack: it is no fault of ours. */
final class Refusal extends Exception {
    private static final long serialVersionUID = 1L;
    private static final int SHOWN = 60;

    Refusal(String reason) {
        super(reason, null, false, false);
    }

    /** Text from a file, fit to be shown: short, in quotes, without control characters. */
    static String quoted(String text) {
        String plain = text.replaceAll("\\p{Cntrl}", "?");
        return "'" + (plain.length() > SHOWN ? plain.substring(0, SHOWN) + "…" : plain) + "'";
    }

    /** A number of bytes as people write it. */
    static String size(long bytes) {
        return bytes < 1_000_000 ? bytes + " bytes" : String.format(java.util.Locale.ROOT, "%.0f MB", bytes / 1e6);
    }
}
