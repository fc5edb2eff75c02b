package dev.caisson.image;

import dev.caisson.host.Home;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/// The templates of one installation: which there are, their images in the content store, and where those are mounted.
///
/// An image is verified against its digest before it is mounted, and then stays mounted, whatever happens to us: the kernel holds the very file
/// that was verified, so after a restart a mount of the store's own file is used as it is. Its file is not read again.
///
/// Threads: safe for many, also in several processes; one build at a time per installation.
/// Cleanup: mounts live until [#unmountAll].
public final class Images {
    /// Those that come with the program, in the order they are shown.
    private static final List<TemplateName> BUILT_IN = List.of(TemplateName.BASE, new TemplateName("code-interpreter-v1"));

    private final Map<TemplateName, Recipe> recipes = new TreeMap<>((a, b) -> a.value().compareTo(b.value()));
    private final ContentStore store;
    private final ImageMounts mounts;
    private final ImageBuilder builder;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<TemplateName, RootImage> ready = new HashMap<>();

    Images(Home home, List<Recipe> recipes) throws IOException {
        recipes.forEach(recipe -> this.recipes.put(recipe.name(), recipe));
        this.store = ContentStore.open(home.image());
        this.mounts = new ImageMounts(home.image().resolve("mnt"));
        this.builder = new ImageBuilder(home.image().resolve("build"), home.log());
    }

    /// Opens the store below a home and removes what a build that was killed left behind.
    ///
    /// Errors: [Failure.Code#HOST_UNFIT] when the store's directory cannot be made or read.
    public static Images open(Home home) {
        try {
            var images = look(home);
            images.sweep();
            return images;
        } catch (IOException e) {
            throw unopened(home, e);
        }
    }

    /// The digest of a template's image below a home, when it is built there; nothing is made or removed.
    ///
    /// Errors: [Failure.Code#TEMPLATE_NOT_FOUND]; [Failure.Code#HOST_UNFIT] when the store cannot be read.
    public static Optional<String> built(Home home, TemplateName name) {
        if (!Files.isDirectory(home.image().resolve("index")) || !Files.isDirectory(home.image().resolve("blobs/sha256"))) {
            return Optional.empty();
        }
        try {
            return look(home).built(name);
        } catch (IOException e) {
            throw unopened(home, e);
        }
    }

    private static Images look(Home home) throws IOException {
        return new Images(home, BUILT_IN.stream().map(Recipe::builtIn).toList());
    }

    private static SandboxException unopened(Home home, IOException e) {
        return Failure.Code.HOST_UNFIT.with("the image store " + home.image() + " cannot be opened: " + e.getMessage(), "run as root, with CAISSON_HOME on a writable disk", e);
    }

    /// All that can be named, and what is known of each.
    ///
    /// Errors: [Failure.Code#HOST_UNFIT] when the store cannot be read.
    public List<TemplateInfo> templates() {
        return recipes.values().stream().map(recipe -> {
            var digest = built(recipe.name());
            var size = new ByteSize(digest.map(known -> store.file(known).toFile().length()).orElse(0L));
            return new TemplateInfo(
                    recipe.name(), digest, size, recipe.limits(), recipe.start().map(StartCommand::command).orElse(""), recipe.start().map(StartCommand::port).orElse(0));
        }).toList();
    }

    /// What runs in every new sandbox of a template.
    ///
    /// Errors: [Failure.Code#TEMPLATE_NOT_FOUND].
    public Optional<StartCommand> start(TemplateName name) {
        return recipe(name).start();
    }

    /// The digest of a template's image when it is built from the recipe as it is now.
    ///
    /// Errors: [Failure.Code#TEMPLATE_NOT_FOUND].
    public Optional<String> built(TemplateName name) {
        try {
            return store.image(recipe(name)).filter(store::has);
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("the image store cannot be read: " + e.getMessage(), "run as root, with CAISSON_HOME on a healthy disk", e);
        }
    }

    /// A template's root image, verified and mounted. Cheap after the first call for a name.
    ///
    /// Errors: [Failure.Code#TEMPLATE_NOT_FOUND]; [Failure.Code#HOST_UNFIT] when it is not built yet or cannot be mounted;
    /// [Failure.Code#IMAGE_CORRUPT] when the file is not what its digest says.
    public RootImage resolve(TemplateName name) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            var known = ready.get(name);
            if (known != null && store.knows(recipe(name))) {
                return known;
            }
            var digest = built(name).orElseThrow(() -> Failure.Code.HOST_UNFIT.with("template " + name + " is not built on this machine", remedy(name)));
            var file = store.file(digest);
            var image = new RootImage(name, digest, file, mounted(name, digest, file));
            ready.put(name, image);
            return image;
        } finally {
            lock.unlock();
        }
    }

    private static String remedy(TemplateName name) {
        return name.equals(TemplateName.BASE) ? "run 'caisson setup'" : "run 'caisson template build " + name + "' there";
    }

    private Path mounted(TemplateName name, String digest, Path file) throws InterruptedException {
        try (var _ = store.lock(ContentStore.Work.MOUNT)) {
            var mount = mounts.find(digest, file);
            if (mount.isPresent()) {
                return mount.get();
            }
            store.verify(digest, name);
            return mounts.mount(digest, file);
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("image " + file + " cannot be mounted: " + e.getMessage(), "run 'caisson doctor'", e);
        }
    }

    /// Builds a template's image unless it is there; takes a minute or two.
    ///
    /// @param again build it even if it is there
    /// @param progress hears one line per step
    /// @return its digest
    /// Errors: [Failure.Code#TEMPLATE_NOT_FOUND]; [Failure.Code#HOST_DISK_FULL]; [Failure.Code#HOST_UNFIT] with the last words of the program that
    /// failed. Nothing half-made is left.
    public String build(TemplateName name, boolean again, Consumer<String> progress) throws InterruptedException {
        var recipe = recipe(name);
        lock.lockInterruptibly();
        try (var _ = store.lock(ContentStore.Work.BUILD)) {
            var there = built(name);
            if (there.isPresent() && !again) {
                return there.get();
            }
            builder.sweep();
            try {
                var built = builder.build(recipe, progress);
                var digest = store.put(built.image(), recipe, built.packages());
                ready.remove(name);
                collect();
                return digest;
            } finally {
                builder.sweep();
            }
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("template " + name + " could not be built: " + e.getMessage(), "see " + builder.log(recipe) + ", then " + remedy(name), e);
        } finally {
            lock.unlock();
        }
    }

    /// Removes a template's image. Sandboxes made from it live on; while it is mounted its file stays, until a later removal or build.
    ///
    /// @return false when it was not built
    /// Errors: [Failure.Code#TEMPLATE_NOT_FOUND]; [Failure.Code#HOST_UNFIT] when the store cannot be written.
    public boolean remove(TemplateName name) throws InterruptedException {
        var recipe = recipe(name);
        lock.lockInterruptibly();
        try (var _ = store.lock(ContentStore.Work.BUILD)) {
            boolean there = store.remove(recipe);
            ready.remove(name);
            collect();
            return there;
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("template " + name + " could not be removed: " + e.getMessage(), "run as root, with CAISSON_HOME on a healthy disk", e);
        } finally {
            lock.unlock();
        }
    }

    /// Unmounts every image, for when nothing of this installation runs any more; one that is in use all the same goes with its last user.
    public void unmountAll() throws InterruptedException {
        lock.lockInterruptibly();
        try (var _ = store.lock(ContentStore.Work.MOUNT)) {
            ready.clear();
            mounts.unmountAll();
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("an image cannot be unmounted: " + e.getMessage(), "see what is below " + store.root(), e);
        } finally {
            lock.unlock();
        }
    }

    /// Removes what a killed build left; does nothing while another process builds.
    void sweep() throws IOException {
        var held = store.tryLock(ContentStore.Work.BUILD);
        if (held.isPresent()) {
            try (var _ = held.get()) {
                builder.sweep();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void collect() throws IOException, InterruptedException {
        try (var _ = store.lock(ContentStore.Work.MOUNT)) {
            store.collect(mounts.mounted());
        }
    }

    private Recipe recipe(TemplateName name) {
        var recipe = recipes.get(name);
        if (recipe == null) {
            var there = new ArrayList<String>();
            recipes.keySet().forEach(known -> there.add(known.value()));
            throw Failure.Code.TEMPLATE_NOT_FOUND.with("there is no template '" + name + "'", "templates here: " + String.join(", ", there));
        }
        return recipe;
    }
}
