package dev.caisson.app;

import dev.caisson.host.Home;
import dev.caisson.image.Images;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateName;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/// Builds what every installation has, the template `base`: `--home DIR [--check] [--rebuild NAME]`. Others are [TemplateMain]'s.
///
/// Progress goes to stderr, one `NAME DIGEST` line per built template to stdout. `--check` builds nothing: it exits 1 when the template is
/// missing. Any failure is one line on stderr and exit status 125.
public final class SetupMain {
    private SetupMain() {}

    public static void main(String[] arguments) {
        System.exit(run(List.of(arguments)));
    }

    private static int run(List<String> arguments) {
        try {
            var wish = Wish.parse(arguments);
            return wish.check ? check(wish.home) : build(Images.open(wish.home), wish.rebuild);
        } catch (SandboxException e) {
            System.err.println("error: " + e.failure().message() + " (" + e.failure().remedy() + ")");
            return 125;
        } catch (InterruptedException _) {
            return 125;
        }
    }

    private static int check(Home home) {
        var digest = Images.built(home, TemplateName.BASE);
        System.out.println(TemplateName.BASE + " " + digest.orElse("missing"));
        return digest.isEmpty() ? 1 : 0;
    }

    private static int build(Images images, List<TemplateName> rebuild) throws InterruptedException {
        for (var name : rebuild.isEmpty() ? List.of(TemplateName.BASE) : rebuild) {
            System.out.println(name + " " + images.build(name, !rebuild.isEmpty(), System.err::println));
        }
        return 0;
    }

    /// What the arguments say.
    private record Wish(Home home, boolean check, List<TemplateName> rebuild) {
        static Wish parse(List<String> arguments) {
            var home = "";
            boolean check = false;
            var rebuild = new ArrayList<TemplateName>();
            var left = arguments.iterator();
            while (left.hasNext()) {
                var argument = left.next();
                switch (argument) {
                    case "--home" -> home = next(left, argument);
                    case "--rebuild" -> rebuild.add(new TemplateName(next(left, argument)));
                    case "--check" -> check = true;
                    default -> throw Failure.Code.BAD_REQUEST.with("unknown argument: '" + Failure.shown(argument) + "'", "use --home DIR [--check] [--rebuild NAME]");
                }
            }
            return new Wish(new Home(Path.of(home)), check, rebuild);
        }

        private static String next(Iterator<String> left, String option) {
            if (!left.hasNext()) {
                throw Failure.Code.BAD_REQUEST.with(option + " needs a value", "use --home DIR [--check] [--rebuild NAME]");
            }
            return left.next();
        }
    }
}
