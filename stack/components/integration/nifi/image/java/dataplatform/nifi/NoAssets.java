package dataplatform.nifi;

import java.io.File;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.apache.nifi.asset.Asset;
import org.apache.nifi.asset.AssetManager;
import org.apache.nifi.asset.AssetManagerInitializationContext;

/** Keeps no file that a client sends for a parameter. A flow that names one is read all the same, without the file. */
public final class NoAssets implements AssetManager {
    @Override
    public void initialize(AssetManagerInitializationContext context) {
        // There is nothing to prepare.
    }

    @Override
    public Asset createAsset(String context, String name, InputStream content) {
        throw new IllegalStateException("This NiFi takes no assets from its clients");
    }

    @Override
    public Optional<Asset> getAsset(String id) {
        return Optional.empty();
    }

    @Override
    public List<Asset> getAssets(String context) {
        return List.of();
    }

    @Override
    public Asset createMissingAsset(String context, String name) {
        return new Missing(UUID.nameUUIDFromBytes((context + "/" + name).getBytes(StandardCharsets.UTF_8)).toString(), context, name);
    }

    @Override
    public Optional<Asset> deleteAsset(String id) {
        return Optional.empty();
    }

    private record Missing(String id, String context, String name) implements Asset {
        @Override
        public String getIdentifier() {
            return id;
        }

        @Override
        public String getParameterContextIdentifier() {
            return context;
        }

        @Override
        public String getName() {
            return name;
        }

        /** A place where there is never a file, whatever the asset's name says. */
        @Override
        public File getFile() {
            return new File("/dev/null/assets", id);
        }

        @Override
        public Optional<String> getDigest() {
            return Optional.empty();
        }
    }
}
