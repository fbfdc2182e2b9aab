package dataplatform.nifi;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.zip.CRC32;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;

/** The one member of a zip archive. Nothing that the archive says of itself is trusted: all is counted. */
final class SingleMember {
    /** The table of contents of an archive with one member takes some hundred bytes; of a hostile one, all memory. */
    private static final long LARGEST_TABLE = 1024 * 1024;
    /** Below this a high ratio does no harm; short repetitive texts have one. */
    private static final long RATIO_COUNTS_FROM = 1_000_000;
    private static final int LONGEST_NAME = 200;
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
            List<ZipArchiveEntry> members = new ArrayList<>(Collections.list(zip.getEntries()));
            if (members.size() != 1) {
                throw new Refusal("the archive holds " + members.size() + " members" + some(members)
                    + "; it must hold exactly one");
            }
            ZipArchiveEntry member = members.get(0);
            refuseUnsafe(member);
            if (member.getGeneralPurposeBit().usesEncryption() || !zip.canReadEntryData(member)) {
                throw new Refusal("the archive's member " + Refusal.quoted(member.getName())
                    + " is encrypted or packed in a way that is not supported; use plain zip");
            }
            copy(zip, member, archive.size(), out);
            return member.getName();
        } catch (IOException | IllegalArgumentException error) {
            if (opening.exhausted) {
                throw new Refusal("the archive holds too many members; it must hold exactly one");
            }
            throw new Refusal("the archive is damaged or cut short, or it is no zip archive");
        }
    }

    private static String some(List<ZipArchiveEntry> members) {
        List<String> names = members.stream().limit(3).map(m -> Refusal.quoted(m.getName())).toList();
        return names.isEmpty() ? "" : " (" + String.join(", ", names) + (members.size() > 3 ? ", …)" : ")");
    }

    private void refuseUnsafe(ZipArchiveEntry member) throws Refusal {
        String name = member.getName();
        if (member.isUnixSymlink()) {
            throw new Refusal("the archive's member " + Refusal.quoted(name) + " is a symbolic link; it must be a file");
        }
        if (name.isEmpty() || name.startsWith(".") || name.matches("(?s).*[/\\\\:\\p{Cntrl}].*")) {
            throw new Refusal("the archive's member is called " + Refusal.quoted(name)
                + "; it must be a plain file name without folders");
        }
        if (name.length() > LONGEST_NAME) {
            throw new Refusal("the archive's member has a name of " + name.length() + " characters; the limit is "
                + LONGEST_NAME);
        }
        if (!name.toLowerCase(Locale.ROOT).endsWith(suffix)) {
            throw new Refusal("the archive's member is called " + Refusal.quoted(name) + "; its name must end in "
                + suffix);
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
