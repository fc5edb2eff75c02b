package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const reusePort = 15

// serveSites opens the ports of 192.0.2.0/24 and 2001:db8::/64; which site a connection reached is told by its local address.
func serveSites(events *Events, authority *Authority, packages http.Handler, git string) {
	config := func(protocols ...string) *tls.Config {
		return &tls.Config{NextProtos: protocols, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			local := hello.Conn.LocalAddr().(*net.TCPAddr)
			events.tell(Event{Kind: "tls", From: hello.Conn.RemoteAddr().String(), To: local.IP.String(), Port: local.Port, Name: hello.ServerName, What: strings.Join(hello.SupportedProtos, ",")})
			name := hello.ServerName
			if name == "" {
				name = local.IP.String()
			}
			return authority.of(name), nil
		}}
	}
	site := &Site{events: events, mux: http.NewServeMux()}
	site.routes(packages, git)
	quiet := log.New(io.Discard, "", 0)
	server := &http.Server{Handler: site, TLSConfig: config("h2", "http/1.1"), ErrorLog: quiet}
	for _, port := range []int{80, 8080} {
		go func() { must("http", server.Serve(listen("", port))) }()
	}
	for _, port := range []int{443, 8443} {
		go func() { must("https", server.ServeTLS(listen("", port), "", "")) }()
	}

	// What parses nothing: every byte it got is in the log.
	accept(tls.NewListener(listen("192.0.2.18", 443), config("http/1.1")), func(c net.Conn) { raw(c, events) })
	accept(listen("192.0.2.18", 80), func(c net.Conn) { raw(c, events) })
	accept(listen("", 7000), echo)
	// Takes connections and says nothing.
	accept(listen("", 7001), func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	// Speaks first.
	accept(listen("", 7002), func(c net.Conn) { _, _ = io.WriteString(c, "hello from "+c.LocalAddr().String()+"\n"); echo(c) })

	host, err := ssh.NewSignerFromKey(authority.key)
	must("ssh", err)
	shell := &ssh.ServerConfig{NoClientAuth: true}
	shell.AddHostKey(host)
	accept(listen("", 22), func(c net.Conn) { serveShell(c, shell) })

	calls := grpc.NewServer(grpc.Creds(credentials.NewTLS(config("h2"))))
	grpc_health_v1.RegisterHealthServer(calls, health.NewServer())
	go func() { must("grpc", calls.Serve(listen("192.0.2.17", 443))) }()
}

// listen shares ports, so that one address may have a site of its own at a port that all have.
func listen(address string, port int) net.Listener {
	shared := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { must("listen", syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, reusePort, 1)) })
	}}
	listener, err := shared.Listen(context.Background(), "tcp", net.JoinHostPort(address, fmt.Sprint(port)))
	must("listen", err)
	return listener
}

func accept(listener net.Listener, serve func(net.Conn)) {
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				continue
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// raw answers the first blank line, so that a client which waits goes on, and keeps reading for what else there is.
func raw(c net.Conn, events *Events) {
	local := c.LocalAddr().(*net.TCPAddr)
	var got []byte
	buffer := make([]byte, 65536)
	answered := 0
	for len(got) < 1<<20 {
		_ = c.SetDeadline(time.Now().Add(2 * time.Second))
		n, err := c.Read(buffer)
		got = append(got, buffer[:n]...)
		for heads := strings.Count(string(got), "\r\n\r\n"); answered < heads; answered++ {
			_, _ = io.WriteString(c, badAnswer(string(got)))
		}
		if err != nil {
			break
		}
	}
	text := string(got)
	events.tell(Event{Kind: "raw", From: c.RemoteAddr().String(), To: local.IP.String(), Port: local.Port, What: text[:min(len(text), 8192)]})
}

// badAnswer is a plain one, or what the path asks for: upstreams lie as well.
func badAnswer(request string) string {
	_, path, _ := strings.Cut(request, " ")
	path, _, _ = strings.Cut(path, " ")
	switch path {
	case "/answer/two":
		return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
	case "/answer/lengths":
		return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\none"
	case "/answer/both":
		return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"
	case "/answer/chunk":
		return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n"
	case "/answer/head":
		return "HTTP/1.1 200 OK\r\nX-Big: " + strings.Repeat("x", 1<<20) + "\r\nContent-Length: 3\r\n\r\nbig"
	case "/answer/garbage":
		return "\x00\x01\x02 not http at all\r\n\r\n"
	case "/answer/short":
		return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nshort"
	}
	return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw"
}

type Site struct {
	events *Events
	mux    *http.ServeMux
}

func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	local := localOf(r)
	s.events.tell(Event{Kind: "http", From: r.RemoteAddr, To: local.IP.String(), Port: local.Port, Name: r.Host, What: r.Method + " " + r.RequestURI + " " + r.Proto})
	s.mux.ServeHTTP(w, r)
}

func localOf(r *http.Request) *net.TCPAddr {
	return r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
}

func (s *Site) routes(packages http.Handler, git string) {
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			packages.ServeHTTP(w, r)
			return
		}
		name := ""
		if r.TLS != nil {
			name = r.TLS.ServerName
		}
		tell(w, map[string]any{"address": localOf(r).IP.String(), "port": localOf(r).Port, "sni": name, "tls": r.TLS != nil, "host": r.Host, "protocol": r.Proto, "method": r.Method})
	})
	s.mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		seen := map[string]any{"headers": r.Header, "query": r.URL.RawQuery, "body": string(body), "host": r.Host}
		written, _ := json.Marshal(seen)
		s.events.tell(Event{Kind: "request", From: r.RemoteAddr, To: localOf(r).IP.String(), Port: localOf(r).Port, Name: r.Host, What: string(written)})
		tell(w, seen)
	})
	s.mux.HandleFunc("/bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.PathValue("n"), 10, 64)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(n))
		block := make([]byte, 256<<10)
		for n > 0 {
			part := min(n, int64(len(block)))
			if _, err := w.Write(block[:part]); err != nil {
				return
			}
			n -= part
		}
	})
	s.mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		tell(w, map[string]any{"bytes": n, "whole": err == nil})
	})
	s.mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 5 {
			fmt.Fprintf(w, "data: %d %d\n\n", i, time.Now().UnixMilli())
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	})
	s.mux.HandleFunc("/trickle", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "."); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	})
	s.mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	s.mux.HandleFunc("/alternative", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", `h3=":443", h2="denied.example:443"`)
		tell(w, map[string]any{"ok": true})
	})
	s.mux.HandleFunc("/socket", socket)
	s.mux.Handle("/git/", gitHandler(git))
}

func tell(w http.ResponseWriter, what map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what)
}

func gitHandler(root string) http.Handler {
	libexec, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return http.NotFoundHandler()
	}
	return &cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"), Root: "/git", Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}}
}

// socket is a WebSocket that echoes small frames.
func socket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "not a WebSocket", http.StatusBadRequest)
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	c, both, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprintf(both, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	for both.Flush() == nil {
		frame, err := readFrame(both.Reader)
		if err != nil {
			return
		}
		_, _ = both.Write(append([]byte{0x81, byte(len(frame))}, frame...))
	}
}

func readFrame(r *bufio.Reader) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := int(head[1] & 0x7f)
	if head[0] != 0x81 || length > 125 {
		return nil, io.ErrUnexpectedEOF
	}
	mask := make([]byte, 4)
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask); err != nil {
			return nil, err
		}
	}
	frame := make([]byte, length)
	_, err := io.ReadFull(r, frame)
	for i := range frame {
		frame[i] ^= mask[i%4]
	}
	return frame, err
}

// serveShell answers every command with its own text.
func serveShell(c net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, asked, err := offered.Accept()
		if err != nil {
			return
		}
		go func() {
			for request := range asked {
				_ = request.Reply(request.Type == "exec", nil)
				if request.Type == "exec" && len(request.Payload) >= 4 {
					fmt.Fprintf(channel, "ran %s\n", request.Payload[4:])
					_, _ = channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, 0))
					_ = channel.Close()
				}
			}
		}()
	}
}
