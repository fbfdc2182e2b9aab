package dataplatform.nifi;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.apache.nifi.annotation.behavior.InputRequirement;
import org.apache.nifi.annotation.behavior.SideEffectFree;
import org.apache.nifi.annotation.behavior.WritesAttribute;
import org.apache.nifi.annotation.behavior.WritesAttributes;
import org.apache.nifi.annotation.documentation.CapabilityDescription;
import org.apache.nifi.annotation.documentation.Tags;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.util.StandardValidators;

@Tags({"zip", "unpack", "bomb", "validate"})
@SideEffectFree
@InputRequirement(InputRequirement.Requirement.INPUT_REQUIRED)
@CapabilityDescription("Replaces a zip archive by its one member, and refuses archives that are damaged, hold more or "
    + "less than one member, have a member with an unsafe name, or unpack to too much, counted while unpacking.")
@WritesAttributes({
    @WritesAttribute(attribute = "zip.member", description = "Name of the member"),
    @WritesAttribute(attribute = JudgingProcessor.REASON, description = "Why it was refused, a sentence for people")})
public final class UnpackSingleMember extends JudgingProcessor {
    static final PropertyDescriptor MAXIMUM_RATIO = new PropertyDescriptor.Builder()
        .name("Maximum Ratio")
        .description("Largest accepted ratio of the unpacked size to the archive's.")
        .required(true)
        .expressionLanguageSupported(ExpressionLanguageScope.NONE)
        .addValidator(StandardValidators.POSITIVE_LONG_VALIDATOR)
        .build();
    static final PropertyDescriptor SUFFIX = new PropertyDescriptor.Builder()
        .name("Member Suffix")
        .description("What the member's name must end in, in lower case.")
        .required(true)
        .defaultValue(".csv")
        .expressionLanguageSupported(ExpressionLanguageScope.NONE)
        .addValidator(StandardValidators.NON_EMPTY_VALIDATOR)
        .build();
    private static final int SNIFFED = 512;

    @Override
    protected List<PropertyDescriptor> getSupportedPropertyDescriptors() {
        return List.of(MAXIMUM_SIZE, MAXIMUM_RATIO, SUFFIX);
    }

    @Override
    FlowFile judge(ProcessContext context, ProcessSession session, FlowFile file) throws Refusal {
        SingleMember limits = new SingleMember(
            maximumSize(context),
            context.getProperty(MAXIMUM_RATIO).asLong(),
            context.getProperty(SUFFIX).getValue());
        FlowFile member = session.create(file);
        try (SeekableByteChannel archive = copyOf(session, file); OutputStream out = session.write(member)) {
            String name = limits.unpack(archive, out);
            out.close();
            member = session.putAttribute(member, "zip.member", name);
        } catch (Refusal refusal) {
            session.remove(member);
            throw refusal;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        session.remove(file);
        return member;
    }

    /** A zip is read from its end, a flow file from its beginning: a copy that is gone when it is closed. */
    private static SeekableByteChannel copyOf(ProcessSession session, FlowFile file) throws IOException, Refusal {
        Path path = Path.of(System.getProperty("java.io.tmpdir"), "unpack-" + UUID.randomUUID() + ".zip");
        // On Linux it is unlinked at once, so that a killed NiFi leaves nothing behind.
        SeekableByteChannel copy = Files.newByteChannel(path, Set.of(StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE));
        try (InputStream content = session.read(file)) {
            byte[] head = content.readNBytes(SNIFFED);
            if (head.length == 0) {
                throw new Refusal("the file is empty");
            }
            if (DelimitedText.isHtml(head)) {
                throw new Refusal("the file is an HTML page, perhaps an error page of the server that it came from");
            }
            OutputStream out = Channels.newOutputStream(copy);
            out.write(head);
            content.transferTo(out);
            return copy.position(0);
        } catch (IOException | Refusal | RuntimeException error) {
            copy.close();
            throw error;
        }
    }
}
