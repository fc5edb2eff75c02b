import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/// Makes the classes of a jar fit for an AOT cache: `java Archivable.java JAR`.
///
/// A cache holds no class from before Java 6, whose verification needs the old verifier; such a class is loaded and verified anew with every start. Each is
/// written again as one of Java 8 with the stack maps that the new verifier reads; nothing else of it changes. The jar is replaced when it is whole.
void main(String[] args) throws IOException {
    Path jar = Path.of(args[0]);
    Path draft = Path.of(args[0] + ".new");
    try (var loader = new URLClassLoader(new URL[] {jar.toUri().toURL()});
            var in = new ZipInputStream(Files.newInputStream(jar));
            var out = new ZipOutputStream(Files.newOutputStream(draft))) {
        var classes = ClassFile.of(
                ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                ClassFile.ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(loader).orElse(ClassHierarchyResolver.defaultResolver())));
        for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
            byte[] bytes = in.readAllBytes();
            out.putNextEntry(new ZipEntry(entry.getName()));
            out.write(entry.getName().endsWith(".class") && majorVersion(bytes) < ClassFile.JAVA_6_VERSION ? modern(classes, bytes) : bytes);
            out.closeEntry();
        }
    }
    Files.move(draft, jar, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
}

/// Bytes 6 and 7 of a class file.
int majorVersion(byte[] bytes) {
    return (bytes[6] & 0xff) << 8 | bytes[7] & 0xff;
}

/// Code that is passed on piece by piece is assembled anew, with its stack maps.
byte[] modern(ClassFile classes, byte[] bytes) {
    var assembled = ClassTransform.transformingMethodBodies((to, piece) -> to.with(piece));
    return classes.transformClass(classes.parse(bytes), assembled.andThen(ClassTransform.endHandler(to -> to.withVersion(ClassFile.JAVA_8_VERSION, 0))));
}
