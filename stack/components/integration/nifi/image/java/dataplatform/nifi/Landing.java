package dataplatform.nifi;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import org.apache.nifi.components.ValidationResult;

/**
 * The landing folders, all below one root. They are opened step by step, each from the one before and without following
 * a link, so what is opened is below the root also when somebody exchanges folders meanwhile.
 */
final class Landing {
    /** System property that says where the root is. */
    static final String ROOT = "data.platform.landing";

    private Landing() {
    }

    static Path root() throws IOException {
        String root = System.getProperty(ROOT, "");
        if (root.isBlank()) {
            throw new IOException("the system property " + ROOT + " does not say where the landing folders are");
        }
        return Path.of(root).toAbsolutePath().normalize();
    }

    /** A folder seen from the root; an IOException when it is none of the landing folders. */
    static Path below(String folder) throws IOException {
        Path root = root();
        Path whole;
        try {
            whole = root.resolve(folder).normalize();
        } catch (InvalidPathException error) {
            throw new IOException("the folder's name cannot be used: " + error.getReason());
        }
        if (!whole.startsWith(root) || whole.equals(root)) {
            throw new IOException(folder + " is none of the landing folders, which are below " + root);
        }
        return root.relativize(whole);
    }

    static ValidationResult judge(String subject, String folder) {
        ValidationResult.Builder result = new ValidationResult.Builder().subject(subject).input(folder);
        try {
            below(folder);
            return result.valid(true).build();
        } catch (IOException error) {
            return result.valid(false).explanation(error.getMessage()).build();
        }
    }

    /** Opens a folder that `below` gave; with `make` it is made when missing. */
    static SecureDirectoryStream<Path> open(Path below, boolean make) throws IOException {
        Path walked = root();
        SecureDirectoryStream<Path> at = secure(walked);
        try {
            for (Path name : below) {
                walked = walked.resolve(name);
                if (make) {
                    makeUnlessThere(walked);
                }
                SecureDirectoryStream<Path> next = next(at, name, walked);
                at.close();
                at = next;
            }
            return at;
        } catch (IOException | RuntimeException error) {
            at.close();
            throw error;
        }
    }

    private static SecureDirectoryStream<Path> secure(Path root) throws IOException {
        DirectoryStream<Path> opened = Files.newDirectoryStream(root);
        if (!(opened instanceof SecureDirectoryStream)) {
            opened.close();
            throw new IOException("this file system cannot open a folder without following links");
        }
        return (SecureDirectoryStream<Path>) opened;
    }

    private static SecureDirectoryStream<Path> next(SecureDirectoryStream<Path> at, Path name, Path walked)
        throws IOException {
        try {
            return at.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException error) {
            throw new NoSuchFileException(walked.toString());
        } catch (FileSystemException error) {
            throw new IOException(walked + " cannot be opened as a folder; links are not followed (" + error.getReason()
                + ")", error);
        }
    }

    private static void makeUnlessThere(Path folder) throws IOException {
        try {
            Files.createDirectory(folder);
        } catch (FileAlreadyExistsException there) {
            return;
        }
    }

    /** The name of a file directly in a folder, and nothing that leads elsewhere. */
    static Path plain(String name) throws IOException {
        if (name == null || name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('/') >= 0) {
            throw new IOException(Refusal.quoted(String.valueOf(name)) + " is no plain name of a file");
        }
        try {
            return Path.of(name);
        } catch (InvalidPathException error) {
            throw new IOException(Refusal.quoted(name) + " is no name of a file here: " + error.getReason());
        }
    }
}
