package dev.caisson.app;

import dev.caisson.host.Home;
import dev.caisson.image.Images;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// `caisson template`: what sandboxes of this installation can be made from. Its first two arguments are `--home DIR`.
///
/// Progress goes to stderr, answers to stdout: with `--json` one object, else lines for people. Any failure is one line on stderr and exit status 125.
public final class TemplateMain {
    private static final String USAGE = "use: caisson template list [--json] | build NAME [--again] [--json] | remove NAME [--json]";

    private TemplateMain() {}

    public static void main(String[] arguments) {
        System.exit(run(List.of(arguments)));
    }

    private static int run(List<String> arguments) {
        try {
            var words = new ArrayList<>(arguments);
            boolean json = words.remove("--json");
            boolean again = words.remove("--again");
            if (words.size() < 3 || !words.getFirst().equals("--home")) {
                throw misused("no word given");
            }
            var images = Images.open(new Home(Path.of(words.get(1))));
            var word = words.get(2);
            if (word.equals("list") && words.size() == 3 && !again) {
                list(images, json);
            } else if (word.equals("build") && words.size() == 4) {
                var name = new TemplateName(words.get(3));
                images.build(name, again, System.err::println);
                tell(info(images, name), json);
            } else if (word.equals("remove") && words.size() == 4 && !again) {
                var name = new TemplateName(words.get(3));
                if (!images.remove(name)) {
                    throw Failure.Code.TEMPLATE_NOT_FOUND.with("template " + name + " is not built here", "see 'caisson template list'");
                }
                tell(info(images, name), json);
            } else {
                throw misused("not understood: " + Failure.shown(String.join(" ", words.subList(2, words.size()))));
            }
            return 0;
        } catch (SandboxException e) {
            System.err.println("error: " + e.failure().message() + " (" + e.failure().remedy() + ")");
            return 125;
        } catch (InterruptedException _) {
            return 125;
        }
    }

    private static SandboxException misused(String what) {
        return Failure.Code.BAD_REQUEST.with(what, USAGE);
    }

    private static void list(Images images, boolean json) {
        if (json) {
            print(Json.object(out -> Json.writeList(out, "templates", images.templates(), Forms.TEMPLATE_INFO)));
        } else {
            images.templates().forEach(template -> tell(template, false));
        }
    }

    private static TemplateInfo info(Images images, TemplateName name) {
        return images.templates().stream().filter(template -> template.name().equals(name)).findFirst().orElseThrow();
    }

    private static void tell(TemplateInfo template, boolean json) {
        if (json) {
            print(Forms.TEMPLATE_INFO.bytes(template));
        } else {
            var state = template.digest().map(digest -> digest + "  " + (template.size().bytes() >> 20) + " MiB").orElse("not built");
            System.out.printf("%-24s %s%n", template.name(), state);
        }
    }

    private static void print(byte[] document) {
        System.out.println(new String(document, StandardCharsets.UTF_8));
    }
}
