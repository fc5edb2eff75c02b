package dev.caisson.image;

import java.time.Duration;

/// What runs in every new sandbox of a template, and when that sandbox is ready.
///
/// @param user whose it is in the guest
/// @param command a line for `/bin/sh`
/// @param port the sandbox is ready when something listens there
/// @param patience for that; later is a failure
public record StartCommand(String user, String command, int port, Duration patience) {}
