package dev.caisson.client;

import java.util.ArrayList;
import java.util.LinkedHashMap;

/// Reads one JSON value from text; strict, with bounded depth.
final class JsonReader {
    private final String text;
    private int at;
    private int depth;

    JsonReader(String text) {
        this.text = text;
    }

    Json read() {
        space();
        var value = value();
        space();
        if (at != text.length()) {
            throw wrong("something after the value");
        }
        return value;
    }

    private Json value() {
        return switch (peek()) {
            case '{' -> object();
            case '[' -> array();
            case '"' -> new Json.Text(string());
            case 't' -> word("true", new Json.Bool(true));
            case 'f' -> word("false", new Json.Bool(false));
            case 'n' -> word("null", new Json.Null());
            default -> number();
        };
    }

    private Json object() {
        enter();
        var members = new LinkedHashMap<String, Json>();
        space();
        if (!take('}')) {
            do {
                space();
                if (peek() != '"') {
                    throw wrong("a name in quotes is missing");
                }
                String name = string();
                space();
                expect(':');
                space();
                if (members.putIfAbsent(name, value()) != null) {
                    throw wrong("a name is repeated");
                }
                space();
            } while (take(','));
            expect('}');
        }
        depth--;
        return new Json.Obj(members);
    }

    private Json array() {
        enter();
        var values = new ArrayList<Json>();
        space();
        if (!take(']')) {
            do {
                space();
                values.add(value());
                space();
            } while (take(','));
            expect(']');
        }
        depth--;
        return new Json.Array(values);
    }

    private void enter() {
        if (++depth > Json.MAX_DEPTH) {
            throw wrong("more than " + Json.MAX_DEPTH + " levels");
        }
        at++;
    }

    private String string() {
        int start = ++at;
        while (peek() != '"' && peek() != '\\') {
            plain();
        }
        if (take('"')) {
            return text.substring(start, at - 1);
        }
        var out = new StringBuilder(text.substring(start, at));
        while (!take('"')) {
            if (take('\\')) {
                out.append(escaped());
            } else {
                out.append(plain());
            }
        }
        return out.toString();
    }

    private char plain() {
        char c = peek();
        if (c < 0x20) {
            throw wrong("a bare control character");
        }
        at++;
        return c;
    }

    private char escaped() {
        char c = peek();
        at++;
        return switch (c) {
            case '"', '\\', '/' -> c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> hex();
            default -> throw wrong("an unknown escape");
        };
    }

    private char hex() {
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = peek() < 128 ? Character.digit(peek(), 16) : -1;
            if (digit < 0) {
                throw wrong("\\u wants four hexadecimal digits");
            }
            value = value << 4 | digit;
            at++;
        }
        return (char) value;
    }

    private Json number() {
        int start = at;
        take('-');
        if (!take('0')) {
            digits();
        }
        if (take('.')) {
            digits();
        }
        if (take('e') || take('E')) {
            if (!take('+')) {
                take('-');
            }
            digits();
        }
        if (at - start > 64) {
            throw wrong("a number of more than 64 characters");
        }
        return new Json.Number(text.substring(start, at));
    }

    private void digits() {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (start == at) {
            throw wrong("a value is missing");
        }
    }

    private Json word(String word, Json value) {
        if (!text.startsWith(word, at)) {
            throw wrong("an unknown word");
        }
        at += word.length();
        return value;
    }

    private char peek() {
        if (at >= text.length()) {
            throw wrong("it ends too soon");
        }
        return text.charAt(at);
    }

    private boolean take(char c) {
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private void expect(char c) {
        if (!take(c)) {
            throw wrong("'" + c + "' is missing");
        }
    }

    private void space() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private IllegalArgumentException wrong(String what) {
        return new IllegalArgumentException("not JSON: " + what + " at character " + at);
    }
}
