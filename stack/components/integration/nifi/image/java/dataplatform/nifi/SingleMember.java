package dataplatform.nifi;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.zip.CRC32;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;

/**
 * The one file in a zip archive. Nothing that the archive says of itself is trusted: all is counted. Folders are no files,
 * and neither is what file managers add without being asked; the name of the file is the last part of its path.
 */
final class SingleMember {
    /** The table of contents of an archive with one member takes some hundred bytes; of a hostile one, all memory. */
    private static final long LARGEST_TABLE = 1024 * 1024;
    /** Below this a high ratio does no harm; short repetitive texts have one. */
    private static final long RATIO_COUNTS_FROM = 1_000_000;
    private static final int LONGEST_NAME = 200;
    /** What file systems take. The store keeps 2 kB of metadata, in which a byte of a name may take three. */
    private static final int LONGEST_NAME_BYTES = 255;
    /** What macOS, Windows and KDE leave in folders, in lower case; macOS's `._name` and `__MACOSX/` besides. */
    private static final Set<String> ADDED = Set.of(".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db",
        "ehthumbs_vista.db", "desktop.ini", ".directory");
    private static final String ADDED_FOLDER = "__MACOSX";
    /** Code page 437 from 128 on, the encoding of names that do not say another one. This Java runtime lacks it. */
    private static final String CP437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
        + "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0";
    private static final int CHUNK = 64 * 1024;

    private final long maximumSize;
    private final long maximumRatio;
    private final String suffix;

    SingleMember(long maximumSize, long maximumRatio, String suffix) {
        this.maximumSize = maximumSize;
        this.maximumRatio = maximumRatio;
        this.suffix = suffix;
    }

    /** Writes the member's content and returns its name. An IOException of the output leaves as UncheckedIOException. */
    String unpack(SeekableByteChannel archive, OutputStream out) throws Refusal {
        Opening opening = new Opening(archive);
        try (ZipFile zip = ZipFile.builder().setSeekableByteChannel(opening).setIgnoreLocalFileHeader(true).get()) {
            opening.done = true;
            List<Member> members = Collections.list(zip.getEntries()).stream().map(Member::new)
                .filter(each -> !each.isAdded()).toList();
            if (members.size() != 1) {
                throw new Refusal("the archive holds " + members.size() + " members" + some(members)
                    + "; it must hold exactly one");
            }
            Member member = members.get(0);
            refuseUnsafe(member);
            if (member.entry.getGeneralPurposeBit().usesEncryption() || !zip.canReadEntryData(member.entry)) {
                throw new Refusal("the archive's member " + Refusal.quoted(member.path)
                    + " is encrypted or packed in a way that is not supported; use plain zip");
            }
            copy(zip, member.entry, archive.size(), out);
            return member.name();
        } catch (IOException | IllegalArgumentException error) {
            if (opening.exhausted) {
                throw new Refusal("the archive holds too many members; it must hold exactly one");
            }
            throw new Refusal("the archive is damaged or cut short, or it is no zip archive");
        }
    }

    private static String some(List<Member> members) {
        List<String> names = members.stream().limit(3).map(m -> Refusal.quoted(m.path)).toList();
        return names.isEmpty() ? "" : " (" + String.join(", ", names) + (members.size() > 3 ? ", …)" : ")");
    }

    private void refuseUnsafe(Member member) throws Refusal {
        String name = member.name();
        if (member.entry.isUnixSymlink()) {
            throw new Refusal("the archive's member " + Refusal.quoted(member.path)
                + " is a symbolic link; it must be a file");
        }
        if (!member.isPlain()) {
            throw new Refusal("the archive's member is called " + Refusal.quoted(member.path)
                + "; it must be a plain file name, in plain folders at most");
        }
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (name.length() > LONGEST_NAME || bytes > LONGEST_NAME_BYTES) {
            throw new Refusal("the archive's member has a name of " + name.length() + " characters in " + bytes
                + " bytes; the limit is " + LONGEST_NAME + " and " + LONGEST_NAME_BYTES);
        }
        if (name.toLowerCase(Locale.ROOT).endsWith(".zip")) {
            throw new Refusal("the archive's member " + Refusal.quoted(member.path)
                + " is a zip archive itself; pack the file alone");
        }
        if (!name.toLowerCase(Locale.ROOT).endsWith(suffix)) {
            throw new Refusal("the archive's member is called " + Refusal.quoted(member.path)
                + "; its name must end in " + suffix);
        }
    }

    private void copy(ZipFile zip, ZipArchiveEntry member, long packed, OutputStream out) throws IOException, Refusal {
        CRC32 crc = new CRC32();
        byte[] chunk = new byte[CHUNK];
        long size = 0;
        try (InputStream in = zip.getInputStream(member)) {
            for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
                size += count;
                if (size > maximumSize) {
                    throw new Refusal("the archive unpacks to more than " + Refusal.size(maximumSize) + ", the limit");
                }
                if (size > RATIO_COUNTS_FROM && size / packed >= maximumRatio) {
                    throw new Refusal("the archive unpacks to more than " + maximumRatio
                        + " times its size, as decompression bombs do");
                }
                crc.update(chunk, 0, count);
                write(out, chunk, count);
            }
        }
        if (crc.getValue() != member.getCrc() || size != member.getSize()) {
            throw new Refusal("the archive is damaged: its member's checksum or length is wrong");
        }
    }

    private static void write(OutputStream out, byte[] chunk, int count) {
        try {
            out.write(chunk, 0, count);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** An entry, with its path as people read it. Some programs write backslashes between its parts. */
    private record Member(ZipArchiveEntry entry, String path, List<String> parts) {
        Member(ZipArchiveEntry entry) {
            this(entry, readable(entry));
        }

        private Member(ZipArchiveEntry entry, String path) {
            this(entry, path, Arrays.asList(path.split("[/\\\\]", -1)));
        }

        /** Many programs write UTF-8 without saying so; bytes that are none are of code page 437. */
        private static String readable(ZipArchiveEntry entry) {
            if (entry.getGeneralPurposeBit().usesUTF8ForNames()) {
                return entry.getName();
            }
            try {
                return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(entry.getRawName())).toString();
            } catch (CharacterCodingException none) {
                StringBuilder text = new StringBuilder();
                for (byte each : entry.getRawName()) {
                    text.append(each >= 0 ? (char) each : CP437.charAt(each & 0x7F));
                }
                return text.toString();
            }
        }

        String name() {
            return parts.get(parts.size() - 1);
        }

        /** Whether it is a folder, or was added by a file manager. A folder with content is neither. */
        boolean isAdded() {
            return name().isEmpty() && entry.getSize() == 0
                || parts.get(0).equals(ADDED_FOLDER)
                || name().startsWith("._")
                || ADDED.contains(name().toLowerCase(Locale.ROOT));
        }

        /** Whether it stays where it is unpacked, and is visible there. */
        boolean isPlain() {
            return !path.matches("(?s).*[:\\p{Cntrl}].*") && !name().startsWith(".")
                && parts.stream().noneMatch(part -> part.isEmpty() || part.equals(".."));
        }
    }

    /** The archive, of which no more than the largest table may be read while it is being opened. */
    private static final class Opening implements SeekableByteChannel {
        private final SeekableByteChannel archive;
        private long read;
        private boolean done;
        private boolean exhausted;

        Opening(SeekableByteChannel archive) {
            this.archive = archive;
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            int count = archive.read(target);
            read += count;
            if (!done && read > LARGEST_TABLE) {
                exhausted = true;
                throw new IOException("its table of contents is too large");
            }
            return count;
        }

        @Override
        public int write(ByteBuffer source) {
            throw new UnsupportedOperationException("it is only read");
        }

        @Override
        public long position() throws IOException {
            return archive.position();
        }

        @Override
        public SeekableByteChannel position(long position) throws IOException {
            archive.position(position);
            return this;
        }

        @Override
        public long size() throws IOException {
            return archive.size();
        }

        @Override
        public SeekableByteChannel truncate(long size) {
            throw new UnsupportedOperationException("it is only read");
        }

        @Override
        public boolean isOpen() {
            return archive.isOpen();
        }

        @Override
        public void close() throws IOException {
            archive.close();
        }
    }
}
