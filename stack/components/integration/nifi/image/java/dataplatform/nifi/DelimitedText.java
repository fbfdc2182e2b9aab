package dataplatform.nifi;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;

/**
 * Whether a stream is comma-separated UTF-8 text whose first column has the right name. One pass, constant memory.
 * What is in the rows is not looked at.
 */
final class DelimitedText {
    private static final int CHUNK = 64 * 1024;
    private static final int SNIFFED = 512;
    private static final int LONGEST_NAME = 200;
    private static final char BOM = '\uFEFF';

    private final String firstColumn;
    private final StringBuilder cell = new StringBuilder();
    private boolean inFirstCell = true;
    private long characters;
    private long line = 1;

    private DelimitedText(String firstColumn) {
        this.firstColumn = firstColumn;
    }

    /** Reads the stream to its end, or to the first thing that is wrong with it. */
    static void check(InputStream in, String firstColumn) throws IOException, Refusal {
        byte[] head = in.readNBytes(SNIFFED);
        refuseOtherKinds(head);
        new DelimitedText(firstColumn).read(new SequenceInputStream(new ByteArrayInputStream(head), in));
    }

    /** Names the kinds of file that arrive by mistake most often, before saying something vague about them. */
    static void refuseOtherKinds(byte[] head) throws Refusal {
        if (head.length == 0) {
            throw new Refusal("the file is empty");
        }
        if (startsWith(head, 'P', 'K', 3, 4) || startsWith(head, 'P', 'K', 5, 6)) {
            throw new Refusal("the file is a zip archive, but its name does not end in .zip");
        }
        if (startsWith(head, 0x1F, 0x8B)) {
            throw new Refusal("the file is compressed by gzip; send it as .csv or .zip");
        }
        if (startsWith(head, 0xFF, 0xFE) || startsWith(head, 0xFE, 0xFF)) {
            throw new Refusal("the file is UTF-16 text; save it with the encoding UTF-8");
        }
        if (isHtml(head)) {
            throw new Refusal("the file is an HTML page, perhaps an error page of the server that it came from");
        }
    }

    static boolean isHtml(byte[] head) {
        String text = new String(head, StandardCharsets.ISO_8859_1).replace("\u00EF\u00BB\u00BF", "").strip()
            .toLowerCase(Locale.ROOT);
        return text.startsWith("<!doctype html") || text.startsWith("<html");
    }

    private static boolean startsWith(byte[] head, int... wanted) {
        byte[] bytes = new byte[wanted.length];
        for (int i = 0; i < wanted.length; i++) {
            bytes[i] = (byte) wanted[i];
        }
        return head.length >= bytes.length && Arrays.equals(head, 0, bytes.length, bytes, 0, bytes.length);
    }

    private void read(InputStream in) throws IOException, Refusal {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
        ByteBuffer bytes = ByteBuffer.allocate(CHUNK);
        CharBuffer text = CharBuffer.allocate(CHUNK);
        boolean end = false;
        while (!end) {
            int count = in.read(bytes.array(), bytes.position(), bytes.remaining());
            end = count < 0;
            bytes.position(bytes.position() + Math.max(count, 0)).flip();
            // A chunk never decodes to more characters than it has bytes, so there is no overflow.
            CoderResult result = decoder.decode(bytes, text, end);
            look(text.flip());
            if (result.isError()) {
                throw new Refusal("line " + line + " is not UTF-8 text; save the file with the encoding UTF-8");
            }
            text.clear();
            bytes.compact();
        }
        if (characters == 0) {
            throw new Refusal("the file holds nothing but a byte order mark");
        }
        if (inFirstCell) {
            endOfFirstCell('\n');
        }
    }

    private void look(CharBuffer text) throws Refusal {
        while (text.hasRemaining()) {
            char c = text.get();
            if (c == '\0') {
                throw new Refusal("line " + line + " holds a NUL character: the file is damaged, or it is no text");
            }
            if (c == BOM && line == 1 && cell.isEmpty() && characters == 0) {
                continue;
            }
            characters++;
            if (inFirstCell) {
                firstCell(c);
            }
            if (c == '\n') {
                line++;
            }
        }
    }

    private void firstCell(char c) throws Refusal {
        if (",;\t|\r\n".indexOf(c) >= 0 || cell.length() >= LONGEST_NAME) {
            endOfFirstCell(c);
        } else {
            cell.append(c);
        }
    }

    private void endOfFirstCell(char end) throws Refusal {
        inFirstCell = false;
        String other = switch (end) {
            case ';' -> "semicolons";
            case '\t' -> "tabs";
            case '|' -> "vertical bars";
            default -> null;
        };
        if (other != null) {
            throw new Refusal("the columns are separated by " + other + "; they must be separated by commas");
        }
        // Blanks beside a comma are no part of a name, as for the load.
        String name = cell.toString().replace('\u00A0', ' ').strip();
        if (!firstColumn.equals(name)) {
            throw new Refusal("the first column is called " + Refusal.quoted(name) + "; it must be called "
                + Refusal.quoted(firstColumn));
        }
        if (end != ',') {
            throw new Refusal("the first line has one column only, " + Refusal.quoted(firstColumn)
                + "; columns must be separated by commas");
        }
    }
}
