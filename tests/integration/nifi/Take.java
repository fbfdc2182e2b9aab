package dataplatform.nifi;

import java.io.InputStream;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.components.PropertyValue;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.logging.ComponentLog;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.ProcessorInitializationContext;
import org.apache.nifi.provenance.ProvenanceReporter;

/** Lets `TakeFile` look at a folder once, in a session that commits at once; says what it took. */
final class Take {
    private static final List<String> TOOK = new ArrayList<>();

    private Take() {
    }

    /** What is in `meanwhile` replaces files of the folder after they are read, and before they are removed. */
    public static void main(String[] words) throws Exception {
        Path folder = Path.of(words[0]);
        Path meanwhile = Path.of(words[1]);
        TakeFile processor = new TakeFile();
        processor.initialize(proxy(ProcessorInitializationContext.class, (made, method, given) ->
            method.getName().equals("getLogger") ? proxy(ComponentLog.class, (a, b, c) -> null)
                : method.getName().equals("getIdentifier") ? "take" : null));
        processor.updateScheduledTrue();
        processor.onTrigger(context(folder), session(folder, meanwhile));
        Files.write(Path.of("said"), TOOK);
    }

    private static ProcessContext context(Path folder) {
        Map<String, String> values = Map.of("Input Directory", folder.toString(), "File Filter",
            "(?s)[^\\.].*(?<!\\.part)", "Minimum File Age", "2 sec", "Batch Size", "3");
        return proxy(ProcessContext.class, (made, method, given) -> {
            if (!method.getName().equals("getProperty")) {
                return null;
            }
            String value = values.get(((PropertyDescriptor) given[0]).getName());
            return proxy(PropertyValue.class, (a, asked, b) -> switch (asked.getName()) {
                case "asTimePeriod" -> 2000L;
                case "asInteger" -> Integer.valueOf(value);
                default -> value;
            });
        });
    }

    private static ProcessSession session(Path folder, Path meanwhile) {
        FlowFile file = proxy(FlowFile.class, (made, method, given) -> null);
        return proxy(ProcessSession.class, (made, method, given) -> {
            switch (method.getName()) {
                case "importFrom" -> TOOK.add(new String(((InputStream) given[0]).readAllBytes()));
                case "commitAsync" -> {
                    try (var found = Files.newDirectoryStream(meanwhile)) {
                        for (Path each : found) {
                            Files.move(each, folder.resolve(each.getFileName()), StandardCopyOption.REPLACE_EXISTING);
                        }
                    }
                    ((Runnable) given[0]).run();
                }
                default -> { }
            }
            return method.getReturnType() == FlowFile.class ? file
                : method.getReturnType() == ProvenanceReporter.class
                    ? proxy(ProvenanceReporter.class, (a, b, c) -> null) : null;
        });
    }

    private static <T> T proxy(Class<T> kind, InvocationHandler does) {
        return kind.cast(Proxy.newProxyInstance(kind.getClassLoader(), new Class<?>[] {kind}, does));
    }
}
