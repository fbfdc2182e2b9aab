package dataplatform.nifi;

import io.minio.MinioClient;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.TimeUnit;

/**
 * The object store and NiFi's own key for it, from a file that the platform writes. Whoever changes a flow can neither
 * name another file nor send the key's signatures to another address.
 */
record ObjectStore(String endpoint, String region, String accessKey, String secretKey) {
    /** System property that says where the file is. */
    static final String PLACE = "data.platform.object.store";

    /** What the file says now. */
    static ObjectStore read() throws IOException {
        String place = System.getProperty(PLACE);
        if (place == null) {
            throw new IOException("the system property " + PLACE + " does not say where the object store's file is");
        }
        Properties found = new Properties();
        try (Reader in = Files.newBufferedReader(Path.of(place), StandardCharsets.UTF_8)) {
            found.load(in);
        }
        return new ObjectStore(value(found, "endpoint"), value(found, "region"), value(found, "access.key"),
            value(found, "secret.key"));
    }

    private static String value(Properties found, String name) throws IOException {
        String value = found.getProperty(name, "");
        if (value.isBlank()) {
            throw new IOException("the object store's file says nothing of " + name);
        }
        return value;
    }

    MinioClient client() {
        MinioClient client = MinioClient.builder().endpoint(endpoint).region(region).credentials(accessKey, secretKey).build();
        client.setTimeout(TimeUnit.SECONDS.toMillis(10), TimeUnit.SECONDS.toMillis(60), TimeUnit.SECONDS.toMillis(60));
        return client;
    }

    /** Without the key: what is printed of a record is in logs. */
    @Override
    public String toString() {
        return endpoint;
    }
}
