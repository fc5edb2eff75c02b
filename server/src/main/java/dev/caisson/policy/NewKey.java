package dev.caisson.policy;

/// A key just made: the only moment at which its text exists here.
public record NewKey(ApiKey key, KeyText text) {}
