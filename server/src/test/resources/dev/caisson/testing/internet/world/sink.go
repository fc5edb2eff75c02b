package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

const (
	transparent4 = 19
	transparent6 = 75
	sinkPort     = 9
	mostFlows    = 1 << 20
)

// listenToAll writes down the first packet of every flow that comes over the link, as the kernel got it: before any rule or socket could take it.
func listenToAll(link string, events *Events) {
	device, err := net.InterfaceByName(link)
	must(link, err)
	all := binary.NativeEndian.Uint16([]byte{0, syscall.ETH_P_ALL})
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, int(all))
	must("packets", err)
	must("packets", syscall.Bind(socket, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: device.Index}))
	must("packets", syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 64<<20))
	go func() {
		seen := map[Event]bool{}
		buffer := make([]byte, 2048)
		for {
			n, from, err := syscall.Recvfrom(socket, buffer, 0)
			if err == syscall.EINTR {
				continue
			}
			must("packets", err)
			link, ok := from.(*syscall.SockaddrLinklayer)
			if !ok || link.Pkttype == syscall.PACKET_OUTGOING {
				continue
			}
			event, payload, ok := flowOf(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, link.Protocol)), buffer[:n])
			if !ok || seen[event] && event.Port != sinkPort {
				continue
			}
			if len(seen) < mostFlows {
				seen[event] = true
			}
			event.What = printable(payload)
			events.tell(event)
		}
	}()
}

// flowOf answers false for what a link says to itself: ARP, neighbour discovery, group reports.
func flowOf(ethertype uint16, p []byte) (Event, []byte, bool) {
	event := Event{Kind: "packet"}
	var protocol byte
	var rest []byte
	switch {
	case ethertype == syscall.ETH_P_IP && len(p) >= 20:
		from, _ := netip.AddrFromSlice(p[12:16])
		to, _ := netip.AddrFromSlice(p[16:20])
		event.From, event.To = from.String(), to.String()
		protocol = p[9]
		rest = p[min(len(p), int(p[0]&15)*4):]
		if protocol == syscall.IPPROTO_IGMP {
			return event, nil, false
		}
	case ethertype == syscall.ETH_P_IPV6 && len(p) >= 40:
		from, _ := netip.AddrFromSlice(p[8:24])
		to, _ := netip.AddrFromSlice(p[24:40])
		event.From, event.To = from.String(), to.String()
		protocol = p[6]
		rest = p[40:]
		if protocol == 0 && to.IsMulticast() {
			return event, nil, false
		}
		if protocol == syscall.IPPROTO_ICMPV6 && len(rest) > 0 && rest[0] >= 133 && rest[0] <= 137 {
			return event, nil, false
		}
	case ethertype == syscall.ETH_P_ARP:
		return event, nil, false
	default:
		event.Protocol = fmt.Sprintf("ethertype %#x", ethertype)
		return event, p, true
	}
	switch protocol {
	case syscall.IPPROTO_TCP, syscall.IPPROTO_UDP:
		event.Protocol = map[byte]string{syscall.IPPROTO_TCP: "tcp", syscall.IPPROTO_UDP: "udp"}[protocol]
		if len(rest) >= 8 {
			event.From = net.JoinHostPort(event.From, fmt.Sprint(binary.BigEndian.Uint16(rest)))
			event.Port = int(binary.BigEndian.Uint16(rest[2:]))
			if protocol == syscall.IPPROTO_UDP {
				return event, rest[8:], true
			}
		}
		return event, nil, true
	case syscall.IPPROTO_ICMP, syscall.IPPROTO_ICMPV6:
		event.Protocol = "icmp"
	default:
		event.Protocol = fmt.Sprint(protocol)
	}
	return event, rest, true
}

// swallow takes every TCP connection that nft leads to the sink, at whatever address and port it was meant for, and writes down its first bytes.
func swallow(events *Events) {
	for _, address := range []string{"0.0.0.0", "::"} {
		listener, err := transparent().Listen(context.Background(), network(address), net.JoinHostPort(address, fmt.Sprint(sinkPort)))
		must("sink", err)
		go func() {
			for {
				c, err := listener.Accept()
				must("sink", err)
				go func() {
					defer c.Close()
					meant := c.LocalAddr().(*net.TCPAddr)
					first := make([]byte, 512)
					_ = c.SetDeadline(time.Now().Add(5 * time.Second))
					_, _ = c.Write([]byte("SINK\n"))
					n, _ := c.Read(first)
					events.tell(Event{Kind: "stream", Protocol: "tcp", From: c.RemoteAddr().String(), To: meant.IP.String(), Port: meant.Port, What: printable(first[:n])})
				}()
			}
		}()
	}
}

func transparent() *net.ListenConfig {
	return &net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			if strings.HasSuffix(network, "6") {
				must("transparent", syscall.SetsockoptInt(int(fd), syscall.SOL_IPV6, transparent6, 1))
			} else {
				must("transparent", syscall.SetsockoptInt(int(fd), syscall.SOL_IP, transparent4, 1))
			}
		})
	}}
}

func network(address string) string {
	if strings.Contains(address, ":") {
		return "tcp6"
	}
	return "tcp4"
}

func printable(bytes []byte) string {
	text := fmt.Sprintf("%q", bytes[:min(len(bytes), 256)])
	return text[1 : len(text)-1]
}
