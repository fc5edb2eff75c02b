package dev.caisson.sandbox;

import java.util.Optional;

/// A template that sandboxes can be made from.
///
/// @param digest of its root image, as `sha256:` and 64 hex digits; empty when it is not built here yet
/// @param size of that image; zero when it is not built
/// @param limits of a sandbox whose creator names none
/// @param start the command that runs in every new sandbox; may be empty
/// @param readyPort where something listens once a new sandbox is ready; 0 when it is ready at once
public record TemplateInfo(TemplateName name, Optional<String> digest, ByteSize size, Limits limits, String start, int readyPort) {}
