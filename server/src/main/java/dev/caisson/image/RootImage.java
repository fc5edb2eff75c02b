package dev.caisson.image;

import dev.caisson.sandbox.TemplateName;
import java.nio.file.Path;

/// One template's root filesystem, ready to be used: verified and mounted.
///
/// @param digest SHA-256 of the image file, as `sha256:` and 64 hex digits
/// @param file the erofs image itself, for tiers that want a block device
/// @param directory where it is mounted, read-only, shared by all sandboxes
public record RootImage(TemplateName template, String digest, Path file, Path directory) {}
