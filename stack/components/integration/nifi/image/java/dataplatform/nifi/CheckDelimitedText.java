package dataplatform.nifi;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import org.apache.nifi.annotation.behavior.InputRequirement;
import org.apache.nifi.annotation.behavior.SideEffectFree;
import org.apache.nifi.annotation.behavior.WritesAttribute;
import org.apache.nifi.annotation.documentation.CapabilityDescription;
import org.apache.nifi.annotation.documentation.Tags;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.util.StandardValidators;

@Tags({"csv", "utf-8", "check", "validate"})
@SideEffectFree
@InputRequirement(InputRequirement.Requirement.INPUT_REQUIRED)
@CapabilityDescription("Lets comma-separated UTF-8 text with the right first column pass, and refuses other files with "
    + "a reason. Reads the content once, in constant memory; rows are not judged.")
@WritesAttribute(attribute = JudgingProcessor.REASON, description = "Why it was refused, a sentence for people")
public final class CheckDelimitedText extends JudgingProcessor {
    static final PropertyDescriptor FIRST_COLUMN = new PropertyDescriptor.Builder()
        .name("First Column")
        .description("Name that the first column must have.")
        .required(true)
        .expressionLanguageSupported(ExpressionLanguageScope.NONE)
        .addValidator(StandardValidators.NON_EMPTY_VALIDATOR)
        .build();

    @Override
    protected List<PropertyDescriptor> getSupportedPropertyDescriptors() {
        return List.of(FIRST_COLUMN, MAXIMUM_SIZE);
    }

    @Override
    FlowFile judge(ProcessContext context, ProcessSession session, FlowFile file) throws Refusal {
        try (InputStream content = session.read(file)) {
            DelimitedText.check(content, context.getProperty(FIRST_COLUMN).getValue());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return file;
    }
}
