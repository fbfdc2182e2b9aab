package dataplatform.nifi;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.nifi.annotation.behavior.InputRequirement;
import org.apache.nifi.annotation.documentation.CapabilityDescription;
import org.apache.nifi.annotation.documentation.Tags;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.AbstractProcessor;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.Relationship;
import org.apache.nifi.processor.util.StandardValidators;

@Tags({"files", "landing", "dead letter", "put"})
@InputRequirement(InputRequirement.Requirement.INPUT_REQUIRED)
@CapabilityDescription("Keeps a file below the landing folders' root, under its own name, where it appears in one step. "
    + "A file of that name is replaced. Does what NiFi's PutFile does, but nowhere else, and it follows no link.")
public final class KeepFile extends AbstractProcessor {
    static final PropertyDescriptor FOLDER = new PropertyDescriptor.Builder()
        .name("Directory")
        .description("Folder below the landing folders' root; made when missing.")
        .required(true)
        .expressionLanguageSupported(ExpressionLanguageScope.FLOWFILE_ATTRIBUTES)
        .addValidator(StandardValidators.NON_EMPTY_VALIDATOR)
        .build();

    static final Relationship SUCCESS = new Relationship.Builder().name("success").description("It is kept.").build();
    static final Relationship FAILURE = new Relationship.Builder().name("failure")
        .description("It could not be written, or its name or folder leads elsewhere.").build();

    @Override
    protected List<PropertyDescriptor> getSupportedPropertyDescriptors() {
        return List.of(FOLDER);
    }

    @Override
    public Set<Relationship> getRelationships() {
        return Set.of(SUCCESS, FAILURE);
    }

    @Override
    public void onTrigger(ProcessContext context, ProcessSession session) {
        FlowFile file = session.get();
        if (file == null) {
            return;
        }
        long started = System.nanoTime();
        try {
            Path below = Landing.below(context.getProperty(FOLDER).evaluateAttributeExpressions(file).getValue());
            Path name = Landing.plain(file.getAttribute("filename"));
            try (SecureDirectoryStream<Path> folder = Landing.open(below, true)) {
                write(session, file, folder, name);
            }
            session.getProvenanceReporter().send(file,
                Landing.root().resolve(below).resolve(name).toFile().toURI().toString(),
                TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started));
            session.transfer(file, SUCCESS);
        } catch (IOException error) {
            getLogger().error("{} could not be kept: {}", file.getAttribute("filename"), error.toString());
            session.transfer(session.penalize(file), FAILURE);
        }
    }

    private static void write(ProcessSession session, FlowFile file, SecureDirectoryStream<Path> folder, Path name)
        throws IOException {
        Path draft = Path.of("." + UUID.randomUUID() + ".part");
        try {
            try (SeekableByteChannel channel = folder.newByteChannel(draft,
                    Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
                OutputStream out = Channels.newOutputStream(channel)) {
                session.exportTo(file, out);
                if (channel instanceof FileChannel written) {
                    written.force(true);
                }
            }
            folder.move(draft, folder, name);
        } catch (IOException | RuntimeException error) {
            try {
                folder.deleteFile(draft);
            } catch (NoSuchFileException gone) {
                error.addSuppressed(gone);
            }
            throw error;
        }
    }
}
