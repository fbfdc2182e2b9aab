package dataplatform.nifi;

import io.minio.MinioClient;
import io.minio.ObjectWriteResponse;
import io.minio.PutObjectArgs;
import io.minio.StatObjectArgs;
import io.minio.errors.ErrorResponseException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.nifi.annotation.behavior.DynamicProperty;
import org.apache.nifi.annotation.behavior.InputRequirement;
import org.apache.nifi.annotation.behavior.WritesAttribute;
import org.apache.nifi.annotation.behavior.WritesAttributes;
import org.apache.nifi.annotation.documentation.CapabilityDescription;
import org.apache.nifi.annotation.documentation.Tags;
import org.apache.nifi.annotation.lifecycle.OnScheduled;
import org.apache.nifi.annotation.lifecycle.OnStopped;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.components.Validator;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.AbstractProcessor;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.Relationship;
import org.apache.nifi.processor.util.StandardValidators;

@Tags({"s3", "object store", "put", "minio", "seaweedfs"})
@InputRequirement(InputRequirement.Requirement.INPUT_REQUIRED)
@CapabilityDescription("Puts a file's content as one object into a bucket of the platform's object store. An object that "
    + "exists can be left alone, so that the first arrival wins and repeating is safe. The store's address and the key "
    + "are the platform's, not the flow's.")
@DynamicProperty(name = "Name of a piece of user metadata: small letters, digits, hyphens", value = "Its value",
    expressionLanguageScope = ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    description = "Stored with the object; characters other than printable ASCII are percent-encoded")
@WritesAttributes({
    @WritesAttribute(attribute = "s3.bucket", description = "The bucket"),
    @WritesAttribute(attribute = "s3.key", description = "The object's key"),
    @WritesAttribute(attribute = "s3.existed", description = "true when an object was there and was left alone")})
public final class PutObjectS3 extends AbstractProcessor {
    static final PropertyDescriptor BUCKET = perFile("Bucket", "Bucket, which must exist.").build();
    static final PropertyDescriptor KEY = perFile("Object Key", "Key of the object.").defaultValue("${filename}").build();
    static final PropertyDescriptor TYPE = perFile("Content Type", "Type of the content.")
        .defaultValue("application/octet-stream").build();
    static final PropertyDescriptor KEEP = fixed("Keep Existing", "Leave an object of this key as it is.")
        .allowableValues("true", "false").defaultValue("true").build();

    static final Relationship SUCCESS = new Relationship.Builder().name("success")
        .description("The object is there.").build();
    static final Relationship FAILURE = new Relationship.Builder().name("failure")
        .description("The store could not be reached, or it refused; try again.").build();
    private static final int NOT_FOUND = 404;
    /**
     * What may be metadata. Flows of earlier versions have "Access Key", "Secret Key" and others: NiFi takes a property
     * that it does not know for a dynamic one, and none of them may go out with an object.
     */
    private static final Pattern METADATA = Pattern.compile("[a-z0-9]+(-[a-z0-9]+)*");

    private volatile ObjectStore store;
    private volatile MinioClient client;

    private static PropertyDescriptor.Builder fixed(String name, String description) {
        return new PropertyDescriptor.Builder().name(name).description(description).required(true)
            .expressionLanguageSupported(ExpressionLanguageScope.NONE)
            .addValidator(StandardValidators.NON_EMPTY_VALIDATOR);
    }

    private static PropertyDescriptor.Builder perFile(String name, String description) {
        return fixed(name, description).expressionLanguageSupported(ExpressionLanguageScope.FLOWFILE_ATTRIBUTES);
    }

    @Override
    protected List<PropertyDescriptor> getSupportedPropertyDescriptors() {
        return List.of(BUCKET, KEY, TYPE, KEEP);
    }

    /** Null for what may not be metadata: such a processor is invalid, and does not run. */
    @Override
    protected PropertyDescriptor getSupportedDynamicPropertyDescriptor(String name) {
        if (!METADATA.matcher(name).matches()) {
            return null;
        }
        return new PropertyDescriptor.Builder().name(name).dynamic(true).addValidator(Validator.VALID)
            .expressionLanguageSupported(ExpressionLanguageScope.FLOWFILE_ATTRIBUTES).build();
    }

    @Override
    public Set<Relationship> getRelationships() {
        return Set.of(SUCCESS, FAILURE);
    }

    @OnScheduled
    public void connect() throws IOException {
        store = ObjectStore.read();
        client = store.client();
    }

    @OnStopped
    public void disconnect() throws Exception {
        if (client != null) {
            client.close();
            client = null;
        }
    }

    @Override
    public void onTrigger(ProcessContext context, ProcessSession session) {
        FlowFile file = session.get();
        if (file == null) {
            return;
        }
        String bucket = context.getProperty(BUCKET).evaluateAttributeExpressions(file).getValue();
        String key = context.getProperty(KEY).evaluateAttributeExpressions(file).getValue();
        long started = System.nanoTime();
        try {
            boolean existed = context.getProperty(KEEP).asBoolean() && exists(bucket, key);
            if (!existed) {
                put(context, session, file, bucket, key);
            }
            file = session.putAllAttributes(file,
                Map.of("s3.bucket", bucket, "s3.key", key, "s3.existed", String.valueOf(existed)));
            session.getProvenanceReporter().send(file,
                store.endpoint() + "/" + bucket + "/" + key,
                existed ? "existed, left alone" : "put",
                TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started));
            session.transfer(file, SUCCESS);
        } catch (Exception error) {
            getLogger().error("{} could not be put as {}/{}: {}", file.getAttribute("filename"), bucket, key,
                error.getMessage() == null ? error.toString() : error.getMessage());
            getLogger().debug("The whole story", error);
            session.transfer(session.penalize(file), FAILURE);
        }
    }

    private boolean exists(String bucket, String key) throws Exception {
        try {
            client.statObject(StatObjectArgs.builder().bucket(bucket).object(key).build());
            return true;
        } catch (ErrorResponseException error) {
            if (error.response().code() == NOT_FOUND) {
                return false;
            }
            throw error;
        }
    }

    private void put(ProcessContext context, ProcessSession session, FlowFile file, String bucket, String key)
        throws Exception {
        Map<String, String> metadata = new TreeMap<>();
        for (PropertyDescriptor property : context.getProperties().keySet()) {
            if (property.isDynamic() && METADATA.matcher(property.getName()).matches()) {
                String value = context.getProperty(property).evaluateAttributeExpressions(file).getValue();
                metadata.put(property.getName(), ascii(value == null ? "" : value));
            }
        }
        try (InputStream content = session.read(file)) {
            ObjectWriteResponse done = client.putObject(PutObjectArgs.builder().bucket(bucket).object(key)
                .userMetadata(metadata)
                .contentType(context.getProperty(TYPE).evaluateAttributeExpressions(file).getValue())
                .stream(content, file.getSize(), -1)
                .build());
            getLogger().debug("{}/{} has the ETag {}", bucket, key, done.etag());
        }
    }

    /** Headers are ASCII: whatever is not printable ASCII is percent-encoded. */
    static String ascii(String value) {
        StringBuilder text = new StringBuilder();
        for (byte b : value.getBytes(StandardCharsets.UTF_8)) {
            if (b >= ' ' && b <= '~') {
                text.append((char) b);
            } else {
                text.append(String.format("%%%02X", b & 0xFF));
            }
        }
        return text.toString();
    }
}
