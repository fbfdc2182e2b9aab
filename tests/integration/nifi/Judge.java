package dataplatform.nifi;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** Judges files as the flow does, without a NiFi: zips by their one member, all others as text. One line a file. */
final class Judge {
    private Judge() {
    }

    public static void main(String[] files) throws Exception {
        StringBuilder said = new StringBuilder();
        for (String file : files) {
            said.append(judge(Path.of(file)).replace('\n', ' ')).append('\n');
        }
        Files.writeString(Path.of("said"), said);
    }

    private static String judge(Path file) throws Exception {
        try (InputStream content = Files.newInputStream(file); SeekableByteChannel zip = Files.newByteChannel(file)) {
            if (!file.toString().endsWith(".zip")) {
                DelimitedText.check(content, "Date");
                return "good";
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            String name = new SingleMember(1_000_000, 100, ".csv").unpack(zip, out);
            return "good " + name + " with " + out.size() + " bytes";
        } catch (Refusal refusal) {
            return "refused: " + refusal.getMessage();
        }
    }
}
