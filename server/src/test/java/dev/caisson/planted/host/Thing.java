package dev.caisson.planted.host;

public record Thing(String name) {}
