package main

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const within = 30 * time.Second

// Connections that are kept open from one line to another.
var kept []net.Conn

// clientRound understands
//
//	connect ADDRESS COUNT        ms, median, from before connect to the first byte of an echo
//	down|up ADDRESS BYTES        MB/s
//	fetch NAME ADDRESS BYTES     MB/s of an answer over TLS
//	open ADDRESS COUNT           opens so many and keeps them; how many echo
//	echo                         how many of those still echo, asked all at once
//	rate ADDRESS COUNT           connections a second: opened, echoed, closed
//	refused ADDRESS COUNT        ms, median, until a connection is refused or reset
//	unknown NAME COUNT           ms, median, until the resolver says that there is no such name
//	cut                          returns when all kept connections are cut
//	drop                         closes what is kept
//	ready                        nothing
func clientRound() func([]string) float64 {
	return func(words []string) float64 {
		switch words[0] {
		case "connect":
			return median(number(words[2]), func() { release(echoing(words[1])) })
		case "down", "up":
			return bulkRate(words[0][0], words[1], int64(number(words[2])))
		case "fetch":
			return fetchRate(words[1], words[2], int64(number(words[3])))
		case "open":
			return float64(open(words[1], number(words[2])))
		case "echo":
			return float64(echoAll())
		case "rate":
			return rate(words[1], number(words[2]))
		case "refused":
			return median(number(words[2]), func() { refused(words[1]) })
		case "unknown":
			return median(number(words[2]), func() { unknown(words[1]) })
		case "cut":
			for _, each := range kept {
				untilReset(each)
			}
			return drop()
		case "drop":
			return drop()
		case "ready":
			return 0
		}
		fail("nothing is called " + words[0])
		return 0
	}
}

func number(word string) int {
	value, err := strconv.Atoi(word)
	must(word, err)
	return value
}

func median(count int, do func()) float64 {
	times := make([]float64, count)
	for i := range times {
		start := time.Now()
		do()
		times[i] = time.Since(start).Seconds() * 1e3
	}
	slices.Sort(times)
	return times[count/2]
}

func dial(address string) net.Conn {
	connection, err := net.DialTimeout("tcp4", address, within)
	must(address, err)
	return connection
}

// release ends a connection without leaving its port taken for a minute.
func release(connection net.Conn) {
	_ = connection.(*net.TCPConn).SetLinger(0)
	connection.Close()
}

func echoing(address string) net.Conn {
	connection := dial(address)
	must(address, echoOnce(connection))
	return connection
}

func echoOnce(connection net.Conn) error {
	must("deadline", connection.SetDeadline(time.Now().Add(within)))
	one := []byte{'x'}
	if _, err := connection.Write(one); err != nil {
		return err
	}
	_, err := io.ReadFull(connection, one)
	return err
}

func bulkRate(way byte, address string, bytes int64) float64 {
	connection := dial(address)
	defer release(connection)
	head := binary.BigEndian.AppendUint64([]byte{way}, uint64(bytes))
	buffer := make([]byte, piece)
	start := time.Now()
	_, err := connection.Write(head)
	must(address, err)
	left := bytes
	if way == 'u' {
		send(connection, buffer, bytes)
		left = 1
	}
	must(address, take(connection, buffer, left))
	return float64(bytes) / 1e6 / time.Since(start).Seconds()
}

func take(from io.Reader, buffer []byte, left int64) error {
	for left > 0 {
		count, err := from.Read(buffer)
		left -= int64(count)
		if err != nil && left > 0 {
			return err
		}
	}
	return nil
}

// fetchRate believes any certificate: who is at the other end is not what is measured.
func fetchRate(name, address string, bytes int64) float64 {
	raw := dial(address)
	defer release(raw)
	connection := tls.Client(raw, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	must("handshake", connection.Handshake())
	start := time.Now()
	_, err := fmt.Fprintf(connection, "GET /%d HTTP/1.1\r\nHost: %s\r\n\r\n", bytes, name)
	must(name, err)
	response, err := http.ReadResponse(bufio.NewReaderSize(connection, piece), nil)
	must(name, err)
	if response.StatusCode != http.StatusOK || response.ContentLength != bytes {
		fail(name + " answered " + response.Status)
	}
	must(name, take(response.Body, make([]byte, piece), bytes))
	return float64(bytes) / 1e6 / time.Since(start).Seconds()
}

// together does something count times, 64 at a time.
func together(count int, do func(index int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 64 {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for index := next.Add(1) - 1; index < int64(count); index = next.Add(1) - 1 {
				do(int(index))
			}
		}()
	}
	workers.Wait()
}

// open dials the addresses of one network in turn, as it does in rate: no two ends have more than some ten thousand ports between them.
func open(address string, count int) int {
	made := make([]net.Conn, count)
	together(count, func(index int) {
		connection, err := net.DialTimeout("tcp4", spread(address, index), within)
		if err == nil && echoOnce(connection) == nil {
			made[index] = connection
		}
	})
	for _, each := range made {
		if each != nil {
			kept = append(kept, each)
		}
	}
	return len(kept)
}

// spread counts the last part of an address up, by 0 to 15.
func spread(address string, index int) string {
	host, port, err := net.SplitHostPort(address)
	must(address, err)
	dot := strings.LastIndexByte(host, '.')
	return net.JoinHostPort(host[:dot+1]+strconv.Itoa(number(host[dot+1:])+index%16), port)
}

func echoAll() int {
	var good atomic.Int64
	var all sync.WaitGroup
	for _, each := range kept {
		all.Add(1)
		go func() {
			defer all.Done()
			if echoOnce(each) == nil {
				good.Add(1)
			}
		}()
	}
	all.Wait()
	return int(good.Load())
}

func drop() float64 {
	for _, each := range kept {
		release(each)
	}
	kept = nil
	return 0
}

func rate(address string, count int) float64 {
	start := time.Now()
	together(count, func(index int) { release(echoing(spread(address, index))) })
	return float64(count) / time.Since(start).Seconds()
}

func refused(address string) {
	connection, err := net.DialTimeout("tcp4", address, within)
	if err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			fail(address + " was not refused: " + err.Error())
		}
		return
	}
	untilReset(connection)
	connection.Close()
}

// untilReset returns when the other end has ended the connection, whatever it takes until then.
func untilReset(connection net.Conn) {
	must("deadline", connection.SetDeadline(time.Now().Add(within)))
	_, err := connection.Read(make([]byte, 1))
	if err == nil {
		fail("something answered on a connection that was to be cut")
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		fail("a connection was not cut: " + err.Error())
	}
}

func unknown(name string) {
	connection, err := net.Dial("udp4", "100.127.255.53:53")
	must("resolver", err)
	defer connection.Close()
	must("deadline", connection.SetDeadline(time.Now().Add(within)))
	query := []byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for _, label := range strings.Split(name, ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	_, err = connection.Write(append(query, 0, 0, 1, 0, 1))
	must("resolver", err)
	answer := make([]byte, 1500)
	count, err := connection.Read(answer)
	must("resolver", err)
	if count < 4 || answer[3]&15 != 3 {
		fail(name + " is known")
	}
}
