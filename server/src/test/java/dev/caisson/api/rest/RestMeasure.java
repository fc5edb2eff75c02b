package dev.caisson.api.rest;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/// Measures the door by itself, over fake sandboxes: not a test, a program. Prints one line a figure.
final class RestMeasure {
    private RestMeasure() {}

    public static void main(String[] arguments) throws IOException {
        long begin = System.nanoTime();
        Path directory = Files.createTempDirectory("rest-measure");
        try (var house = new House(directory)) {
            print("server start in a warm JVM, client and key store included", (System.nanoTime() - begin) / 1e6, "ms");
            var id = house.sandbox();
            String commands = "/v1/sandboxes/" + id + "/commands";
            roundTrips("GET /v1/health", 5_000, () -> house.get("/v1/health").is(200));
            roundTrips("GET /v1/sandboxes/{id} with a key", 5_000, () -> house.get("/v1/sandboxes/" + id).is(200));
            roundTrips("POST commands?wait=true", 5_000, () -> house.post(commands + "?wait=true", "{\"argv\":[\"@true\"]}").is(200));
            roundTrips("POST commands, frames", 5_000, () -> {
                try (InputStream in = house.open(house.run(id, true, "{\"argv\":[\"@true\"]}")).body()) {
                    in.readAllBytes();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            for (int round = 0; round < 3; round++) {
                throughput(house, house.run(id, true, "{\"argv\":[\"@flood\",\"4000000000\"]}"), "stdout, frames of 64 KiB");
            }
            for (int round = 0; round < 3; round++) {
                raw(house, commands, "{\"argv\":[\"@flood\",\"8000000000\"]}");
            }
            house.put("/v1/sandboxes/" + id + "/files?path=/big", new byte[512 << 20]).is(200);
            throughput(house, house.request("/v1/sandboxes/" + id + "/files?path=/big").GET(), "download");
            throughput(house, house.request("/v1/sandboxes/" + id + "/files?path=/big").GET(), "download");
        }
        System.exit(0);
    }

    /// With a client that only counts, so that the figure is the door's.
    private static void raw(House house, String path, String json) throws IOException {
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            socket.getOutputStream().write(("POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + house.key + "\r\nAccept: application/vnd.caisson.stream\r\n"
                    + "Content-Type: application/json\r\nContent-Length: " + json.length() + "\r\n\r\n" + json).getBytes(StandardCharsets.US_ASCII));
            long start = System.nanoTime();
            long bytes = 0;
            byte[] buffer = new byte[1 << 20];
            for (int count = socket.getInputStream().read(buffer); count >= 0; count = socket.getInputStream().read(buffer)) {
                bytes += count;
            }
            print("stdout, frames of 64 KiB, client that only counts", bytes / 1e6 / ((System.nanoTime() - start) / 1e9), "MB/s");
        }
    }

    private static void throughput(House house, java.net.http.HttpRequest.Builder request, String what) throws IOException {
        long start = System.nanoTime();
        long bytes = 0;
        try (InputStream in = house.open(request).body()) {
            byte[] buffer = new byte[1 << 20];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                bytes += count;
            }
        }
        print(what, bytes / 1e6 / ((System.nanoTime() - start) / 1e9), "MB/s");
    }

    private static void roundTrips(String what, int count, Runnable call) {
        for (int i = 0; i < count; i++) {
            call.run();
        }
        long[] nanos = new long[count];
        for (int i = 0; i < count; i++) {
            long start = System.nanoTime();
            call.run();
            nanos[i] = System.nanoTime() - start;
        }
        Arrays.sort(nanos);
        print(what + " p50", nanos[count / 2] / 1e3, "us");
        print(what + " p99", nanos[count * 99 / 100] / 1e3, "us");
    }

    private static void print(String what, double value, String unit) {
        System.out.printf("%-60s %10.1f %s%n", what, value, unit);
    }
}
