package dev.caisson.cli;

import dev.caisson.client.Json;
import java.util.OptionalDouble;

/// One promise that `caisson bench` can measure.
///
/// @param meaning what is measured, and what it is held against
record Measure(String name, String meaning, Taking taking) {
    /// Takes the measure.
    interface Taking {
        Figure take(Bench bench) throws Exception;
    }

    /// What was measured.
    ///
    /// @param bare the same without us, in the same run; empty where there is no such thing or it cannot be had here
    /// @param target what `ours`, or where there is a bare figure and `ofRatio` the ratio, may be at most (or, with `atLeast`, at least)
    /// @param note what one has to know to read it; may be empty
    record Figure(double ours, OptionalDouble bare, String unit, double target, boolean ofRatio, boolean atLeast, String note) {
        static Figure atMost(double ours, String unit, double target) {
            return new Figure(ours, OptionalDouble.empty(), unit, target, false, false, "");
        }

        static Figure atLeast(double ours, String unit, double target) {
            return new Figure(ours, OptionalDouble.empty(), unit, target, false, true, "");
        }

        static Figure ratio(double ours, double bare, String unit, double target) {
            return new Figure(ours, OptionalDouble.of(bare), unit, target, true, false, "");
        }

        Figure noting(String what) {
            return new Figure(ours, bare, unit, target, ofRatio, atLeast, what);
        }

        OptionalDouble ratio() {
            return bare.isPresent() && bare.getAsDouble() > 0 ? OptionalDouble.of(ours / bare.getAsDouble()) : OptionalDouble.empty();
        }

        /// A ratio that cannot be had is a promise not kept.
        boolean met() {
            if (ofRatio && ratio().isEmpty()) {
                return false;
            }
            double value = ofRatio ? ratio().getAsDouble() : ours;
            return atLeast ? value >= target : value <= target;
        }

        Json.Obj json(String name) {
            var object = Json.object().put("name", name).put("ours", rounded(ours));
            object.put("bare", bare.isPresent() ? Json.of(rounded(bare.getAsDouble())) : new Json.Null());
            object.put("unit", unit).put("ratio", ratio().isPresent() ? Json.of(rounded(ratio().getAsDouble())) : new Json.Null());
            object.put("target", rounded(target)).put("met", met());
            return (note.isEmpty() ? object : object.put("note", note)).done();
        }

        String line(String name) {
            String against = bare.isPresent() ? ", bare " + rounded(bare.getAsDouble()) + " " + unit + ", ratio " + ratio().stream().mapToObj(each -> Double.toString(rounded(each))).findFirst().orElse("none") : "";
            String verdict = met() ? Console.paint(1, "32", "met") : Console.paint(1, "31", "MISSED");
            return name + ": " + rounded(ours) + " " + unit + against + ", target " + (atLeast ? ">= " : "<= ") + rounded(target) + (ofRatio ? " x bare" : " " + unit) + ", " + verdict + (note.isEmpty() ? "" : " (" + note + ")");
        }

        private static double rounded(double value) {
            return Math.round(value * 1000) / 1000.0;
        }
    }
}
