package dataplatform.nifi;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.InputStream;
import java.util.Set;
import org.apache.nifi.bundle.BundleCoordinate;
import org.apache.nifi.nar.NarPersistenceContext;
import org.apache.nifi.nar.NarPersistenceInfo;
import org.apache.nifi.nar.NarPersistenceProvider;
import org.apache.nifi.nar.NarPersistenceProviderInitializationContext;

/** Keeps no NAR that a client sends, and knows none that one sent before: code comes with the platform alone. */
public final class NoNars implements NarPersistenceProvider {
    private static final String WHY = "This NiFi takes no NAR from its clients: what it can run comes with the platform";

    @Override
    public void initialize(NarPersistenceProviderInitializationContext context) {
        // There is nothing to prepare.
    }

    /** The first thing that is asked of an upload, before any of it is read. */
    @Override
    public File createTempFile(InputStream content) {
        throw new IllegalStateException(WHY);
    }

    @Override
    public NarPersistenceInfo saveNar(NarPersistenceContext context, File file) {
        throw new IllegalStateException(WHY);
    }

    @Override
    public void deleteNar(BundleCoordinate nar) throws FileNotFoundException {
        throw new FileNotFoundException(WHY);
    }

    @Override
    public InputStream readNar(BundleCoordinate nar) throws FileNotFoundException {
        throw new FileNotFoundException(WHY);
    }

    @Override
    public NarPersistenceInfo getNarInfo(BundleCoordinate nar) throws FileNotFoundException {
        throw new FileNotFoundException(WHY);
    }

    @Override
    public boolean exists(BundleCoordinate nar) {
        return false;
    }

    @Override
    public Set<NarPersistenceInfo> getAllNarInfo() {
        return Set.of();
    }

    @Override
    public void shutdown() {
        // There is nothing to end.
    }
}
