package dev.caisson.sandbox;

/// Size of a terminal window. Unit: character cells, 1 to 4,096 each.
public record TerminalSize(int columns, int rows) {
    public TerminalSize {
        if (columns < 1 || columns > 4096 || rows < 1 || rows > 4096) {
            throw Failure.Code.OUT_OF_RANGE.with("a terminal is 1 to 4096 columns and rows, got " + columns + "x" + rows, "ask for a size in that range");
        }
    }
}
