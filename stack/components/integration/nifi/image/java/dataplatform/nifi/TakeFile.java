package dataplatform.nifi;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.nifi.annotation.behavior.InputRequirement;
import org.apache.nifi.annotation.behavior.TriggerSerially;
import org.apache.nifi.annotation.behavior.TriggerWhenEmpty;
import org.apache.nifi.annotation.behavior.WritesAttribute;
import org.apache.nifi.annotation.behavior.WritesAttributes;
import org.apache.nifi.annotation.documentation.CapabilityDescription;
import org.apache.nifi.annotation.documentation.Tags;
import org.apache.nifi.annotation.lifecycle.OnScheduled;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.components.ValidationContext;
import org.apache.nifi.components.ValidationResult;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.AbstractProcessor;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.Relationship;
import org.apache.nifi.processor.exception.ProcessException;
import org.apache.nifi.processor.util.StandardValidators;

@Tags({"files", "landing", "ingest", "get"})
@TriggerWhenEmpty
@TriggerSerially
@InputRequirement(InputRequirement.Requirement.INPUT_FORBIDDEN)
@CapabilityDescription("Takes files out of a landing folder: each is removed there once NiFi holds it on disk. Does what "
    + "NiFi's GetFile does, but only below the landing folders' root, and it follows no link. Leaves alone: folders, "
    + "links, hidden files, files of other names, files changed a moment ago or in the future, and names that are not "
    + "UTF-8, which could not be told again.")
@WritesAttributes({
    @WritesAttribute(attribute = "filename", description = "Name of the file"),
    @WritesAttribute(attribute = "path", description = "Always ./"),
    @WritesAttribute(attribute = "absolute.path", description = "The folder that it was taken from"),
    @WritesAttribute(attribute = "file.lastModifiedTime", description = "When it was last changed, in UTC")})
public final class TakeFile extends AbstractProcessor {
    static final PropertyDescriptor FOLDER = property("Input Directory", "Folder below the landing folders' root.")
        .addValidator(StandardValidators.NON_EMPTY_VALIDATOR).build();
    static final PropertyDescriptor FILTER = property("File Filter", "Regular expression that whole names must match.")
        .defaultValue("[^\\.].*").addValidator(StandardValidators.REGULAR_EXPRESSION_VALIDATOR).build();
    static final PropertyDescriptor AGE = property("Minimum File Age", "How long a file must have been left unchanged.")
        .defaultValue("2 sec").addValidator(StandardValidators.TIME_PERIOD_VALIDATOR).build();
    static final PropertyDescriptor BATCH = property("Batch Size", "Most files to take at a time.")
        .defaultValue("100").addValidator(StandardValidators.POSITIVE_INTEGER_VALIDATOR).build();

    static final Relationship SUCCESS = new Relationship.Builder().name("success").description("Files taken.").build();

    /** Names of which it was told that they are left alone; once is enough. */
    private final Set<Path> told = new HashSet<>();

    private static PropertyDescriptor.Builder property(String name, String description) {
        return new PropertyDescriptor.Builder().name(name).description(description).required(true)
            .expressionLanguageSupported(ExpressionLanguageScope.NONE);
    }

    @Override
    protected List<PropertyDescriptor> getSupportedPropertyDescriptors() {
        return List.of(FOLDER, FILTER, AGE, BATCH);
    }

    @Override
    public Set<Relationship> getRelationships() {
        return Set.of(SUCCESS);
    }

    @Override
    protected Collection<ValidationResult> customValidate(ValidationContext context) {
        return List.of(Landing.judge(FOLDER.getName(), context.getProperty(FOLDER).getValue()));
    }

    @OnScheduled
    public void forget() {
        told.clear();
    }

    @Override
    public void onTrigger(ProcessContext context, ProcessSession session) {
        try {
            Path below = Landing.below(context.getProperty(FOLDER).getValue());
            List<Taken> taken = new ArrayList<>();
            try (SecureDirectoryStream<Path> folder = Landing.open(below, false)) {
                Path whole = Landing.root().resolve(below);
                if (!Files.isWritable(whole)) {
                    throw new IOException(whole + " may not be changed, so files cannot be removed once they are taken");
                }
                take(context, session, folder, whole, taken);
            }
            if (taken.isEmpty()) {
                context.yield();
            } else {
                session.commitAsync(() -> remove(below, taken));
            }
        } catch (IOException error) {
            throw new ProcessException(error.getMessage(), error);
        }
    }

    /** Takes what may be taken now. A file that cannot be read does not count, or many of them would stop the others. */
    private void take(ProcessContext context, ProcessSession session, SecureDirectoryStream<Path> folder, Path whole,
        List<Taken> taken) throws IOException {
        Pattern filter = Pattern.compile(context.getProperty(FILTER).getValue());
        long newest = System.currentTimeMillis() - context.getProperty(AGE).asTimePeriod(TimeUnit.MILLISECONDS);
        int most = context.getProperty(BATCH).asInteger();
        for (Path entry : folder) {
            if (taken.size() == most || !isScheduled()) {
                break;
            }
            Path name = entry.getFileName();
            String text = name.toString();
            if (text.startsWith(".") || !filter.matcher(text).matches()) {
                continue;
            }
            if (text.indexOf('\uFFFD') >= 0) {
                tellOnce(name, "has a name that is not UTF-8 and is left alone");
                continue;
            }
            try {
                BasicFileAttributes seen = look(folder, name);
                if (seen.isSymbolicLink()) {
                    tellOnce(name, "is a link and is left alone: links are not followed");
                } else if (seen.isRegularFile() && seen.lastModifiedTime().toMillis() <= newest
                    && take(session, folder, whole, name)) {
                    taken.add(new Taken(name, seen));
                }
            } catch (NoSuchFileException gone) {
                continue;
            }
        }
    }

    private static BasicFileAttributes look(SecureDirectoryStream<Path> folder, Path name) throws IOException {
        return folder.getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS).readAttributes();
    }

    private boolean take(ProcessSession session, SecureDirectoryStream<Path> folder, Path whole, Path name) {
        long started = System.nanoTime();
        Map<String, String> attributes = new HashMap<>();
        attributes.put("filename", name.toString());
        attributes.put("path", "./");
        attributes.put("absolute.path", whole + "/");
        FlowFile file;
        try (InputStream content = Channels.newInputStream(folder.newByteChannel(name,
            Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)))) {
            attributes.put("file.lastModifiedTime", look(folder, name).lastModifiedTime().toString());
            file = session.importFrom(content, session.create());
        } catch (IOException error) {
            tellOnce(name, "cannot be read and is left alone: " + error);
            return false;
        }
        file = session.putAllAttributes(file, attributes);
        session.getProvenanceReporter().receive(file, whole.resolve(name).toFile().toURI().toString(),
            TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started));
        session.transfer(file, SUCCESS);
        return true;
    }

    /** NiFi holds them now. One that cannot be removed is taken again; what it holds is stored once all the same. */
    private void remove(Path below, List<Taken> taken) {
        try (SecureDirectoryStream<Path> folder = Landing.open(below, false)) {
            for (Taken each : taken) {
                try {
                    if (each.equals(new Taken(each.name, look(folder, each.name)))) {
                        folder.deleteFile(each.name);
                    } else {
                        getLogger().info("{} was changed or replaced while it was taken, and is taken again", each.name);
                    }
                } catch (NoSuchFileException gone) {
                    continue;
                }
            }
        } catch (IOException error) {
            getLogger().error("Files that were taken could not be removed from {}: {}", below, error.toString());
        }
    }

    /** By what a file that was taken is known again: another one may have come under its name. */
    private record Taken(Path name, Object file, FileTime changed, long size) {
        Taken(Path name, BasicFileAttributes seen) {
            this(name, seen.fileKey(), seen.lastModifiedTime(), seen.size());
        }
    }

    private void tellOnce(Path name, String what) {
        if (told.add(name)) {
            getLogger().warn("{} {}", name, what);
        }
    }
}
