package main

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// What a name has: addresses, or an alias, or a way to misbehave.
type entry struct {
	addresses []string
	alias     string
	trick     string
}

var zone = map[string]entry{
	"allowed.example":          at("192.0.2.10", "2001:db8::10"),
	"api.allowed.example":      at("192.0.2.11", "2001:db8::11"),
	"a.b.allowed.example":      at("192.0.2.11", "2001:db8::11"),
	"evilallowed.example":      at("192.0.2.20"),
	"denied.example":           at("192.0.2.20", "2001:db8::20"),
	"fronted.example":          at("192.0.2.10", "2001:db8::10"),
	"only4.example":            at("192.0.2.10"),
	"only6.example":            at("2001:db8::10"),
	"ssh.example":              at("192.0.2.12"),
	"git.example":              at("192.0.2.13"),
	"pip.example":              at("192.0.2.14"),
	"npm.example":              at("192.0.2.15"),
	"apt.example":              at("192.0.2.16"),
	"grpc.example":             at("192.0.2.17"),
	"raw.example":              at("192.0.2.18"),
	"bare.example":             at("192.0.2.19"),
	"expired.example":          at("192.0.2.30"),
	"selfsigned.example":       at("192.0.2.31"),
	"wrongname.example":        at("192.0.2.32"),
	"notyet.example":           at("192.0.2.33"),
	"otherca.example":          at("192.0.2.34"),
	"dead.example":             at("192.0.2.99"),
	"xn--bcher-kva.example":    at("192.0.2.10"),
	"cname.allowed.example":    {alias: "denied.example"},
	"cnamemeta.example":        {alias: "meta.example"},
	"cnamegood.example":        {alias: "allowed.example"},
	"cnameloop.example":        {alias: "cnameloop.example"},
	"private.example":          at("10.0.0.1"),
	"private172.example":       at("172.16.0.1"),
	"private192.example":       at("192.168.0.1"),
	"shared.example":           at("100.64.0.1"),
	"meta.example":             at("169.254.169.254"),
	"task.example":             at("169.254.170.2"),
	"alibaba.example":          at("100.100.100.200"),
	"azure.example":            at("168.63.129.16"),
	"oracle.example":           at("192.0.0.192"),
	"meta6.example":            at("fd00:ec2::254"),
	"linklocal6.example":       at("fe80::a9fe:a9fe"),
	"ula.example":              at("fd12:3456::1"),
	"mapped.example":           at("::ffff:169.254.169.254"),
	"compatible.example":       at("::169.254.169.254"),
	"nat64.example":            at("64:ff9b::a9fe:a9fe"),
	"sixtofour.example":        at("2002:a9fe:a9fe::1"),
	"teredo.example":           at("2001:0:a9fe:a9fe::1"),
	"loopback.example":         at("127.0.0.1"),
	"loopback6.example":        at("::1"),
	"zero.example":             at("0.0.0.0"),
	"multicast.example":        at("224.0.0.251", "ff02::fb"),
	"broadcast.example":        at("255.255.255.255"),
	"reserved.example":         at("240.0.0.1"),
	"synthetic.example":        at("198.18.0.1"),
	"own.example":              at(ownAddress),
	"own6.example":             at(ownAddress6),
	"many.example":             at("192.0.2.10", "10.0.0.1", "192.0.2.11"),
	"metadata.google.internal": at("169.254.169.254"),
	"rebind.example":           {trick: "rebind"},
	"slow.example":             {trick: "slow"},
	"silent.example":           {trick: "silent"},
	"servfail.example":         {trick: "servfail"},
	"empty.example":            {trick: "empty"},
	"huge.example":             {trick: "huge"},
	"liar.example":             {trick: "liar"},
	"otherid.example":          {trick: "otherid"},
	"garbage.example":          {trick: "garbage"},
	"pointerloop.example":      {trick: "pointerloop"},
	"truncated.example":        {trick: "truncated"},
}

// The host's own addresses on the link.
const (
	ownAddress  = "198.51.100.2"
	ownAddress6 = "2001:db8:ffff::2"
)

// An odd number, so that two questions for each attempt come to all of them in the end.
var flips = []string{"192.0.2.10", "127.0.0.1", "169.254.169.254", "10.0.0.1", "fails"}
var flipped atomic.Int64

func at(addresses ...string) entry { return entry{addresses: addresses} }

// serveNames answers for every zone there is, on the resolvers' addresses.
func serveNames(events *Events) {
	for _, address := range []string{"192.0.2.53:53", "[2001:db8::53]:53"} {
		packets, err := net.ListenPacket("udp", address)
		must("dns", err)
		go func() {
			for {
				buffer := make([]byte, 4096)
				n, peer, err := packets.ReadFrom(buffer)
				must("dns", err)
				go func() {
					if reply := answer(buffer[:n], true, events, peer); reply != nil {
						_, _ = packets.WriteTo(reply, peer)
					}
				}()
			}
		}()
		streams, err := net.Listen("tcp", address)
		must("dns", err)
		go func() {
			for {
				c, err := streams.Accept()
				must("dns", err)
				go func() {
					defer c.Close()
					for {
						_ = c.SetDeadline(time.Now().Add(20 * time.Second))
						length := make([]byte, 2)
						if _, err := io.ReadFull(c, length); err != nil {
							return
						}
						question := make([]byte, binary.BigEndian.Uint16(length))
						if _, err := io.ReadFull(c, question); err != nil {
							return
						}
						reply := answer(question, false, events, c.RemoteAddr())
						if reply == nil {
							return
						}
						_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
					}
				}()
			}
		}()
	}
}

func answer(query []byte, udp bool, events *Events, peer net.Addr) []byte {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil || len(message.Questions) != 1 {
		events.tell(Event{Kind: "dns", From: peer.String(), What: "not a question: " + printable(query)})
		return nil
	}
	question := message.Questions[0]
	name := strings.TrimSuffix(strings.ToLower(question.Name.String()), ".")
	events.tell(Event{Kind: "dns", From: peer.String(), Name: name, What: strings.TrimPrefix(question.Type.String(), "Type")})
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: message.ID, Response: true, Authoritative: true, RecursionDesired: message.RecursionDesired, RecursionAvailable: true}, Questions: message.Questions}
	owner := question.Name
	found, known := zone[name]
	for hops := 0; known && found.alias != "" && hops < 8; hops++ {
		alias := dnsmessage.MustNewName(found.alias + ".")
		reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header(owner, dnsmessage.TypeCNAME, 60), Body: &dnsmessage.CNAMEResource{CNAME: alias}})
		owner = alias
		found, known = zone[found.alias]
	}
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	addresses, ttl := found.addresses, uint32(60)
	switch found.trick {
	case "rebind":
		// One step each time IPv4 is asked for; the time to live forbids to keep the answer.
		ttl = 0
		if question.Type == dnsmessage.TypeA {
			if now := flips[int(flipped.Add(1)-1)%len(flips)]; now == "fails" {
				reply.RCode = dnsmessage.RCodeServerFailure
			} else {
				addresses = []string{now}
			}
		}
	case "slow":
		time.Sleep(10 * time.Second)
		addresses = []string{"192.0.2.10"}
	case "silent":
		return nil
	case "servfail":
		reply.RCode = dnsmessage.RCodeServerFailure
	case "huge":
		addresses = nil
		for i := range 600 {
			addresses = append(addresses, netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}).String())
		}
	case "liar":
		// Answers to a question nobody asked.
		owner = dnsmessage.MustNewName("denied.example.")
		reply.Questions = []dnsmessage.Question{{Name: owner, Type: question.Type, Class: question.Class}}
		addresses = []string{"192.0.2.20"}
	case "otherid":
		reply.ID++
		addresses = []string{"192.0.2.20"}
	case "garbage":
		return append(binary.BigEndian.AppendUint16(nil, message.ID), "\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff garbage"...)
	case "pointerloop":
		// A name that points at itself.
		return append(binary.BigEndian.AppendUint16(nil, message.ID), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 20)
	case "truncated":
		reply.Truncated = udp
		if !udp {
			addresses = []string{"192.0.2.10"}
		}
	}
	for _, address := range addresses {
		ip := netip.MustParseAddr(address)
		switch {
		case ip.Is4() && question.Type == dnsmessage.TypeA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header(owner, dnsmessage.TypeA, ttl), Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && question.Type == dnsmessage.TypeAAAA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header(owner, dnsmessage.TypeAAAA, ttl), Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	if question.Type == dnsmessage.TypeTXT && known {
		reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header(owner, dnsmessage.TypeTXT, ttl), Body: &dnsmessage.TXTResource{TXT: []string{"leaked"}}})
	}
	packed, err := reply.Pack()
	must("dns", err)
	if udp && len(packed) > 1232 {
		reply.Answers, reply.Truncated = nil, true
		packed, err = reply.Pack()
		must("dns", err)
	}
	return packed
}

func header(name dnsmessage.Name, kind dnsmessage.Type, ttl uint32) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: name, Type: kind, Class: dnsmessage.ClassINET, TTL: ttl}
}
