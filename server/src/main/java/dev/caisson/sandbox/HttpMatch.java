package dev.caisson.sandbox;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/// HTTP requests by method and path.
///
/// @param methods such as `GET`, exactly as sent; empty means every one
/// @param paths as sent, up to the query; `*` stands for any characters; empty means every one
public record HttpMatch(Set<String> methods, List<String> paths) {
    private static final Pattern METHOD = Pattern.compile("[A-Z]{1,32}");
    private static final Pattern PATH = Pattern.compile("/[\\x21-\\x7e]{0,1023}");
    private static final int MAX = 64;

    public HttpMatch {
        methods = java.util.Collections.unmodifiableSet(new TreeSet<>(methods));
        paths = List.copyOf(paths);
        if (methods.isEmpty() && paths.isEmpty()) {
            throw Failure.Code.BAD_REQUEST.with("a kind of requests names neither methods nor paths", "name one of them, or leave it away");
        }
        if (methods.size() > MAX || paths.size() > MAX) {
            throw Failure.Code.OUT_OF_RANGE.with("a rule has too many methods or paths", "at most " + MAX + " of each");
        }
        for (String method : methods) {
            if (!METHOD.matcher(method).matches()) {
                throw Failure.Code.BAD_REQUEST.with("not an HTTP method: '" + Failure.shown(method) + "'", "write it in capitals, such as GET");
            }
        }
        for (String path : paths) {
            if (!PATH.matcher(path).matches() || path.indexOf('?') >= 0 || path.indexOf('#') >= 0) {
                throw Failure.Code.BAD_REQUEST.with("not a path: '" + Failure.shown(path) + "'", "start it with /, without a query; * stands for any characters");
            }
        }
    }

    /// @param path as sent, without its query; dot segments and encoded slashes have been refused before
    public boolean fits(String method, String path) {
        return (methods.isEmpty() || methods.contains(method)) && (paths.isEmpty() || paths.stream().anyMatch(pattern -> glob(pattern, path)));
    }

    /// Without backtracking beyond the last star: linear in the path for each star.
    private static boolean glob(String pattern, String path) {
        int p = 0;
        int s = 0;
        int star = -1;
        int resume = 0;
        while (s < path.length()) {
            if (p < pattern.length() && pattern.charAt(p) == '*') {
                star = p++;
                resume = s;
            } else if (p < pattern.length() && pattern.charAt(p) == path.charAt(s)) {
                p++;
                s++;
            } else if (star >= 0) {
                p = star + 1;
                s = ++resume;
            } else {
                return false;
            }
        }
        while (p < pattern.length() && pattern.charAt(p) == '*') {
            p++;
        }
        return p == pattern.length();
    }
}
