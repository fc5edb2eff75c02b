package dev.caisson.architecture;

import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import java.lang.reflect.AnnotatedElement;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.NullMarked;

/// The rules of the house, each a question that answers with its violations.
///
/// @param root package of the rooms, such as `dev.caisson`
record Rooms(String root, JavaClasses classes) {
    /// What each room may use of the others; docs/architecture.md has the same table for people.
    static final Map<String, Set<String>> MAY_USE = new TreeMap<>(Map.ofEntries(
            Map.entry("sandbox", Set.of()),
            Map.entry("json", Set.of("sandbox")),
            Map.entry("link", Set.of()),
            Map.entry("host", Set.of("sandbox")),
            Map.entry("guest", Set.of("sandbox", "link")),
            Map.entry("image", Set.of("sandbox", "host")),
            Map.entry("runtime", Set.of("sandbox", "host", "guest", "json")),
            Map.entry("egress", Set.of("sandbox", "json", "link", "host")),
            Map.entry("policy", Set.of("sandbox")),
            Map.entry("node", Set.of("sandbox", "json", "link", "host", "guest", "image", "runtime", "egress")),
            Map.entry("remote", Set.of("sandbox", "json", "link")),
            Map.entry("api", Set.of("sandbox", "json", "policy")),
            Map.entry("edge", Set.of("sandbox", "json", "policy", "api")),
            Map.entry("app", Set.of("sandbox", "json", "link", "host", "guest", "image", "runtime", "egress", "policy", "node", "remote", "api", "edge"))));

    private static final Set<String> CLOCKS = Set.of(
            "java.time.Instant.now", "java.lang.System.currentTimeMillis", "java.time.Clock.systemUTC", "java.time.Clock.systemDefaultZone", "java.time.InstantSource.system",
            "java.time.LocalDateTime.now", "java.time.ZonedDateTime.now", "java.time.OffsetDateTime.now", "java.util.UUID.randomUUID", "java.lang.Math.random",
            "java.util.concurrent.ThreadLocalRandom.current", "java.security.SecureRandom.<init>", "java.util.Random.<init>", "java.util.Date.<init>");

    private static final List<String> BAD_ENDINGS = List.of("Util", "Utils", "Helper", "Helpers", "Manager", "Impl");

    /// Arrows that the table does not have.
    Set<String> forbiddenArrows() {
        var found = new TreeSet<String>();
        for (JavaClass from : classes) {
            String room = room(from);
            if (room.isEmpty()) {
                continue;
            }
            if (!MAY_USE.containsKey(room)) {
                found.add("room " + room + " is not in the table");
                continue;
            }
            from.getDirectDependenciesFromSelf().forEach(dependency -> {
                String to = room(dependency.getTargetClass());
                if (!to.isEmpty() && !to.equals(room) && !MAY_USE.get(room).contains(to)) {
                    found.add(room + " → " + to + ": " + dependency.getDescription());
                }
            });
        }
        return found;
    }

    Set<String> childProcessesOutsideHost() {
        return uses("host", access -> access.getTargetOwner().getName().equals("java.lang.ProcessBuilder") || target(access).equals("java.lang.Runtime.exec"));
    }

    Set<String> clocksAndRandomOutsideApp() {
        return uses("app", access -> CLOCKS.contains(target(access)));
    }

    Set<String> standardStreamsOutsideApp() {
        return uses("app", access -> Set.of("java.lang.System.out", "java.lang.System.err", "java.lang.System.in").contains(target(access)));
    }

    Set<String> namesThatSayNothing() {
        var found = new TreeSet<String>();
        for (JavaClass type : classes) {
            BAD_ENDINGS.stream().filter(type.getSimpleName()::endsWith).forEach(_ -> found.add(type.getName()));
        }
        return found;
    }

    Set<String> packagesNotNullMarked() {
        var found = new TreeSet<String>();
        for (JavaClass type : classes) {
            // The wire classes are generated.
            if (!type.getPackageName().endsWith(".wire") && !((AnnotatedElement) type.reflect().getPackage()).isAnnotationPresent(NullMarked.class)) {
                found.add(type.getPackageName());
            }
        }
        return found;
    }

    private Set<String> uses(String exceptIn, java.util.function.Predicate<JavaAccess<?>> bad) {
        var found = new TreeSet<String>();
        for (JavaClass type : classes) {
            if (!room(type).equals(exceptIn)) {
                type.getAccessesFromSelf().stream().filter(bad).forEach(access -> found.add(access.getDescription()));
            }
        }
        return found;
    }

    private static String target(JavaAccess<?> access) {
        return access.getTargetOwner().getName() + "." + access.getTarget().getName();
    }

    /// The room a class is in; empty for a class that is in none.
    private String room(JavaClass type) {
        String name = type.getPackageName();
        if (!name.startsWith(root + ".")) {
            return "";
        }
        String rest = name.substring(root.length() + 1);
        int dot = rest.indexOf('.');
        return dot < 0 ? rest : rest.substring(0, dot);
    }
}
