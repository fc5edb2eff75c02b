// A client of many tongues, static, so that it runs on any host and in any sandbox. Prints what came of it, and exits with 1 when nothing did.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
)

var (
	resolver = flag.String("resolver", "", "address of the name server; empty means the system's")
	ca       = flag.String("ca", "", "file of the authorities to trust; empty means the system's")
	sni      = flag.String("sni", "", "server name to send; empty means the host's")
	method   = flag.String("method", "GET", "of HTTP")
	body     = flag.String("body", "", "of HTTP")
	patience = flag.Duration("patience", 10*time.Second, "for all of it")
	fields   header
)

type header []string

func (h *header) String() string         { return strings.Join(*h, ", ") }
func (h *header) Set(field string) error { *h = append(*h, field); return nil }

const usage = "usage: reach [FLAGS] get|one|socket URL | grpc|ssh|names HOST[:PORT] | tcp|udp HOST:PORT TEXT"

func main() {
	flag.Var(&fields, "header", "NAME: VALUE, of HTTP")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage); flag.PrintDefaults() }
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	defer cancel()
	said, err := does(ctx, flag.Arg(0), flag.Arg(1), flag.Arg(2))
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(strings.TrimRight(said, "\n"))
}

func does(ctx context.Context, what, target, text string) (string, error) {
	switch what {
	case "get":
		return get(ctx, target, true)
	case "one":
		return get(ctx, target, false)
	case "socket":
		return socket(ctx, target)
	case "grpc":
		return call(ctx, target)
	case "ssh":
		return shell(ctx, target)
	case "names":
		addresses, err := dialer().Resolver.LookupHost(ctx, target)
		return strings.Join(addresses, " "), err
	case "tcp", "udp":
		return exchange(ctx, what, target, text)
	}
	return "", fmt.Errorf("%s", usage)
}

func dialer() *net.Dialer {
	d := &net.Dialer{Resolver: &net.Resolver{PreferGo: true}}
	if *resolver != "" {
		d.Resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(*resolver, "53"))
		}
	}
	return d
}

func trust() *tls.Config {
	config := &tls.Config{ServerName: *sni}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	return config
}

func get(ctx context.Context, url string, two bool) (string, error) {
	client := &http.Client{Transport: &http.Transport{DialContext: dialer().DialContext, TLSClientConfig: trust(), ForceAttemptHTTP2: two},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var content io.Reader
	if *body != "" {
		content = strings.NewReader(*body)
	}
	request, err := http.NewRequestWithContext(ctx, *method, url, content)
	if err != nil {
		return "", err
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ":")
		if strings.EqualFold(name, "Host") {
			request.Host = strings.TrimSpace(value)
		}
		request.Header.Set(name, strings.TrimSpace(value))
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if n := response.ContentLength; n > 1<<20 {
		began := time.Now()
		got, err := io.Copy(io.Discard, response.Body)
		return fmt.Sprintf("%s %d %d bytes in %d ms", response.Proto, response.StatusCode, got, time.Since(began).Milliseconds()), err
	}
	got, err := io.ReadAll(response.Body)
	return fmt.Sprintf("%s %d %s", response.Proto, response.StatusCode, got), err
}

func socket(ctx context.Context, url string) (string, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	port := map[string]string{"ws": "80", "wss": "443"}[scheme]
	c, err := dialer().DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return "", err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	if scheme == "wss" {
		config := trust()
		if config.ServerName == "" {
			config.ServerName = host
		}
		c = tls.Client(c, config)
	}
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, host, base64.StdEncoding.EncodeToString(key))
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return "", fmt.Errorf("status %d", response.StatusCode)
	}
	said := ""
	for _, text := range []string{"one", "two", "three"} {
		frame := append([]byte{0x81, 0x80 | byte(len(text)), 1, 2, 3, 4}, text...)
		for i := range text {
			frame[6+i] ^= byte(i%4 + 1)
		}
		if _, err := c.Write(frame); err != nil {
			return "", err
		}
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			return "", err
		}
		back := make([]byte, head[1])
		if _, err := io.ReadFull(r, back); err != nil {
			return "", err
		}
		said += string(back) + " "
	}
	return said, nil
}

func call(ctx context.Context, target string) (string, error) {
	connection, err := grpc.NewClient("passthrough:///"+target, grpc.WithTransportCredentials(credentials.NewTLS(trust())),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer().DialContext(ctx, "tcp", address)
		}))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	answer, err := grpc_health_v1.NewHealthClient(connection).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return "", err
	}
	return answer.Status.String(), nil
}

func shell(ctx context.Context, target string) (string, error) {
	c, err := dialer().DialContext(ctx, "tcp", target)
	if err != nil {
		return "", err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	connection, channels, requests, err := ssh.NewClientConn(c, target, &ssh.ClientConfig{User: "lab", HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		return "", err
	}
	session, err := ssh.NewClient(connection, channels, requests).NewSession()
	if err != nil {
		return "", err
	}
	out, err := session.Output("echo hello")
	return string(out), err
}

// exchange sends a text and answers what came back first.
func exchange(ctx context.Context, network, target, text string) (string, error) {
	c, err := dialer().DialContext(ctx, network, target)
	if err != nil {
		return "", err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	if network == "udp" {
		return "sent", nil
	}
	back := make([]byte, 512)
	n, err := c.Read(back)
	return string(back[:n]), err
}
