package dataplatform.nifi;

import java.util.Map;
import java.util.Set;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.AbstractProcessor;
import org.apache.nifi.processor.DataUnit;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.Relationship;
import org.apache.nifi.processor.util.StandardValidators;

/**
 * A processor that lets a file pass or refuses it with a reason. A fault of the machine (disk full) is neither: it
 * leaves as an exception, NiFi puts the file back into its queue and tries again later.
 */
abstract class JudgingProcessor extends AbstractProcessor {
    static final String REASON = "refusal.reason";

    static final PropertyDescriptor MAXIMUM_SIZE = new PropertyDescriptor.Builder()
        .name("Maximum Size")
        .description("Largest accepted content, unpacked, such as 512 MB.")
        .required(true)
        .expressionLanguageSupported(ExpressionLanguageScope.NONE)
        .addValidator(StandardValidators.DATA_SIZE_VALIDATOR)
        .build();

    static final Relationship SUCCESS = new Relationship.Builder().name("success").description("Files to go on with.").build();
    static final Relationship REFUSED = new Relationship.Builder().name("refused")
        .description("Files that were refused, unchanged, with the attribute " + REASON + ".").build();

    @Override
    public Set<Relationship> getRelationships() {
        return Set.of(SUCCESS, REFUSED);
    }

    static long maximumSize(ProcessContext context) {
        return context.getProperty(MAXIMUM_SIZE).asDataSize(DataUnit.B).longValue();
    }

    /** Judges the file and returns what goes on; on a refusal the session must hold the given file unchanged. */
    abstract FlowFile judge(ProcessContext context, ProcessSession session, FlowFile file) throws Refusal;

    @Override
    public void onTrigger(ProcessContext context, ProcessSession session) {
        FlowFile file = session.get();
        if (file == null) {
            return;
        }
        try {
            if (file.getSize() > maximumSize(context)) {
                throw new Refusal("the file has " + Refusal.size(file.getSize()) + "; the limit is "
                    + Refusal.size(maximumSize(context)));
            }
            session.transfer(judge(context, session, file), SUCCESS);
        } catch (Refusal refusal) {
            getLogger().info("Refused {}: {}", file.getAttribute("filename"), refusal.getMessage());
            session.transfer(session.putAllAttributes(file, Map.of(REASON, refusal.getMessage())), REFUSED);
        }
    }
}
