package dev.caisson.image;

/// A file of ours that goes into a root image; its owner is root.
///
/// @param path absolute, without `..`
/// @param mode permission bits in octal, such as `0644`
record AddedFile(String path, String mode, String content) {}
