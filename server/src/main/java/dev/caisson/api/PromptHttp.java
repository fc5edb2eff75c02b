package dev.caisson.api;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpParser;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.internal.HttpConnection;

/// HTTP/1.1 in which the head of a request has to arrive within a time: the library's own timeout begins anew with every byte.
final class PromptHttp extends HttpConnectionFactory {
    private final Duration within;

    PromptHttp(HttpConfiguration configuration, Duration within) {
        super(configuration);
        this.within = within;
    }

    @Override
    public Connection newConnection(Connector connector, EndPoint endPoint) {
        var connection = new HttpConnection(getHttpConfiguration(), connector, endPoint) {
            private boolean timed;

            @Override
            public void onFillable() {
                super.onFillable();
                boolean begun = !getParser().isState(HttpParser.State.START) && (getParser().isStart() || getParser().inHeaderState());
                if (begun && !timed) {
                    timed = true;
                    long requests = getMessagesIn();
                    connector.getScheduler().schedule(() -> {
                        timed = false;
                        if (getMessagesIn() == requests && (getParser().isStart() || getParser().inHeaderState())) {
                            getEndPoint().close();
                        }
                    }, within.toMillis(), TimeUnit.MILLISECONDS);
                }
            }
        };
        return configure(connection, connector, endPoint);
    }
}
