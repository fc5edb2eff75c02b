package main

import (
	"io"
	"net"
)

// relayRound passes connections on: the kernel moves the bytes (splice), nobody looks at them.
func relayRound(target string) func([]string) float64 {
	_, port, err := net.SplitHostPort(target)
	must(target, err)
	listen(":"+port, func(client net.Conn) {
		server := dial(target)
		defer server.Close()
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(client, server)
	})
	return func([]string) float64 { return 0 }
}
