package dev.caisson.api.rest;

import dev.caisson.json.Form;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.TerminalSize;
import java.io.IOException;

/// `/v1/sandboxes/{id}/commands` and below.
final class CommandHandlers {
    private final Tenants tenants;
    private final CommandStreaming streaming;
    private final StdinPump stdin;

    CommandHandlers(Tenants tenants, CommandStreaming streaming, Attachments attachments) {
        this.tenants = tenants;
        this.streaming = streaming;
        this.stdin = new StdinPump(attachments);
    }

    void run(Call call) throws IOException, InterruptedException {
        SandboxId id = call.sandbox();
        boolean wait = call.query().truth("wait", false);
        CommandSpec spec = whole(call, Forms.COMMAND_SPEC);
        if (wait) {
            call.acceptsOneOf(Call.JSON);
            // Nobody is told of its start before its end.
            streaming.wait(call, id, () -> tenants.of(call.caller()).run(id, spec.withBatched()));
        } else {
            streaming.stream(call, id, () -> tenants.of(call.caller()).run(id, spec), 0, 0);
        }
    }

    void attach(Call call) throws IOException, InterruptedException {
        SandboxId id = call.sandbox();
        CommandId command = call.command();
        long stdout = call.query().whole("stdout_offset", CommandStream.FROM_KEPT, Long.MAX_VALUE, 0);
        long stderr = call.query().whole("stderr_offset", CommandStream.FROM_KEPT, Long.MAX_VALUE, 0);
        streaming.stream(call, id, () -> tenants.of(call.caller()).attach(id, command, stdout, stderr), stdout, stderr);
    }

    void list(Call call) throws IOException {
        var commands = tenants.of(call.caller()).commands(call.sandbox());
        call.largeJson(out -> Json.writeList(out, "commands", commands, Forms.COMMAND_INFO));
    }

    void get(Call call) {
        call.json(200, Forms.COMMAND_INFO.bytes(find(call, call.sandbox(), call.command())));
    }

    void signal(Call call) throws IOException {
        SandboxId id = call.sandbox();
        CommandId command = call.command();
        JsonObject in = call.json();
        int signal = Signals.read(in);
        in.end();
        tenants.of(call.caller()).signal(id, command, signal);
        call.empty();
    }

    void resize(Call call) throws IOException {
        SandboxId id = call.sandbox();
        CommandId command = call.command();
        TerminalSize size = whole(call, Forms.TERMINAL_SIZE);
        tenants.of(call.caller()).resize(id, command, size);
        call.empty();
    }

    void writeStdin(Call call) throws IOException, InterruptedException {
        SandboxId id = call.sandbox();
        CommandId command = call.command();
        boolean end = call.query().truth("end", true);
        // The open streams know of no tenants.
        tenants.require(call.caller(), id);
        stdin.pump(tenants.of(call.caller()), call.request(), id, command, end);
        call.empty();
    }

    private CommandInfo find(Call call, SandboxId id, CommandId command) {
        return tenants.of(call.caller()).commands(id).stream().filter(info -> info.id().equals(command)).findFirst().orElseThrow(() ->
                Failure.Code.COMMAND_NOT_FOUND.with("there is no command " + command + " in " + id, "list them with GET /v1/sandboxes/" + id + "/commands"));
    }

    private static <T> T whole(Call call, Form<T> form) throws IOException {
        JsonObject in = call.json();
        T value = form.readKeys(in);
        in.end();
        return value;
    }
}
