package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	resolver = "192.0.2.53:53"
	site     = "192.0.2.10"
	echoPort = ":7000"
	bulkPort = ":7001"
	zone     = ".bench.example"
	piece    = 256 * 1024
)

// worldRound serves once a line says that the network is there.
func worldRound(caFile string) func([]string) float64 {
	return func(words []string) float64 {
		if words[0] != "listen" {
			return 0
		}
		names, err := net.ListenPacket("udp4", resolver)
		must("names", err)
		go answerNames(names)
		listen(echoPort, echo)
		listen(bulkPort, bulk)
		config := &tls.Config{Certificates: []tls.Certificate{certificate(caFile)}, NextProtos: []string{"http/1.1"}}
		listener, err := tls.Listen("tcp4", ":443", config)
		must("tls", err)
		go func() { must("tls", http.Serve(listener, http.HandlerFunc(bytesOf))) }()
		return 0
	}
}

func listen(port string, serve func(net.Conn)) {
	listener, err := net.Listen("tcp4", port)
	must(port, err)
	go func() {
		for {
			connection, err := listener.Accept()
			must(port, err)
			go func() {
				defer connection.Close()
				serve(connection)
			}()
		}
	}()
}

func echo(connection net.Conn) {
	some := make([]byte, 64)
	for {
		count, err := connection.Read(some)
		if err != nil {
			return
		}
		if _, err := connection.Write(some[:count]); err != nil {
			return
		}
	}
}

// bulk is told in nine bytes whether to send (`d`) or to take (`u`), and how much.
func bulk(connection net.Conn) {
	head := make([]byte, 9)
	if _, err := io.ReadFull(connection, head); err != nil {
		return
	}
	left := int64(binary.BigEndian.Uint64(head[1:]))
	buffer := make([]byte, piece)
	if head[0] == 'd' {
		send(connection, buffer, left)
		return
	}
	for left > 0 {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		left -= int64(count)
	}
	_, _ = connection.Write([]byte{1})
}

func send(to io.Writer, buffer []byte, left int64) {
	for left > 0 {
		count, err := to.Write(buffer[:min(left, piece)])
		if err != nil {
			return
		}
		left -= int64(count)
	}
}

// bytesOf answers /N with N bytes.
func bytesOf(response http.ResponseWriter, request *http.Request) {
	count, err := strconv.ParseInt(path.Base(request.URL.Path), 10, 64)
	if err != nil {
		http.Error(response, "no number", http.StatusNotFound)
		return
	}
	response.Header().Set("Content-Length", strconv.FormatInt(count, 10))
	send(response, make([]byte, piece), count)
}

// answerNames knows the IPv4 address of every name of its zone, and nothing else.
func answerNames(packets net.PacketConn) {
	query := make([]byte, 1500)
	for {
		count, from, err := packets.ReadFrom(query)
		must("names", err)
		if answer := answerName(query[:count]); answer != nil {
			_, _ = packets.WriteTo(answer, from)
		}
	}
}

func answerName(query []byte) []byte {
	const head = 12
	end, name := head, ""
	for end < len(query) && query[end] != 0 {
		next := end + 1 + int(query[end])
		if next >= len(query) {
			return nil
		}
		name += "." + strings.ToLower(string(query[end+1:next]))
		end = next
	}
	if end+5 > len(query) {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	known := strings.HasSuffix(name, zone)
	// The question as it came, without what else was in the query.
	answer := append([]byte{}, query[:end+5]...)
	code := byte(0)
	if !known {
		code = 3
	}
	copy(answer[2:], []byte{0x85, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0})
	if known && kind == 1 {
		answer[7] = 1
		answer = append(answer, 0xc0, head, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4)
		answer = append(answer, net.ParseIP(site).To4()...)
	}
	return answer
}

// certificate of everything in the zone, by an authority that is told to caFile.
func certificate(caFile string) tls.Certificate {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must("key", err)
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "caisson bench"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDer, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must("authority", err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must("key", err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "*" + zone}, DNSNames: []string{"*" + zone}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	must("certificate", err)
	must("authority", os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDer}), 0o644))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
