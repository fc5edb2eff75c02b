package dev.caisson.runtime;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Pattern;

/// The tests' own small agent: it takes a line and answers with what it printed and `=STATUS`.
final class ScriptVoice implements Voice {
    private static final Duration BOUND = Duration.ofSeconds(30);

    private final SocketChannel agent;

    private ScriptVoice(SocketChannel agent) {
        this.agent = agent;
    }

    static ScriptVoice greet(SocketChannel visitor) throws IOException {
        visitor.configureBlocking(false);
        var voice = new ScriptVoice(visitor);
        voice.readUntil("hello\n");
        return voice;
    }

    @Override
    public Answer run(String line, String user) throws IOException {
        send(user.equals("root") ? line : user + " " + line);
        var text = readUntil("=[0-9]+\n");
        int at = text.lastIndexOf('=');
        return new Answer(text.substring(0, at), Integer.parseInt(text.substring(at + 1).strip()));
    }

    @Override
    public void send(String line) throws IOException {
        agent.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
    }

    @Override
    public boolean awaitEnd() throws IOException {
        try {
            readUntil("(?!)");
            return false;
        } catch (IOException e) {
            return "the agent hung up".equals(e.getMessage());
        }
    }

    private String readUntil(String ending) throws IOException {
        var text = new StringBuilder();
        var buffer = ByteBuffer.allocate(65_536);
        var pattern = Pattern.compile("(?s).*" + ending);
        while (!pattern.matcher(text).matches()) {
            await(agent, SelectionKey.OP_READ);
            int count;
            try {
                count = agent.read(buffer.clear());
            } catch (IOException e) {
                count = -1;
            }
            if (count < 0) {
                throw new IOException("the agent hung up");
            }
            text.append(new String(buffer.array(), 0, count, StandardCharsets.UTF_8));
        }
        return text.toString();
    }

    static void await(SelectableChannel channel, int operation) throws IOException {
        try (var selector = Selector.open()) {
            channel.register(selector, operation);
            if (selector.select(BOUND.toMillis()) == 0) {
                throw new IOException("nothing for " + BOUND.toSeconds() + " s");
            }
        }
    }

    @Override
    public void close() throws IOException {
        agent.close();
    }
}
