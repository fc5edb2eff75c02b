"""What the tests of the gateway's network do from inside a plug, as root: one attempt a word, one line of outcome each."""
import errno
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

SYN, ACK = 2, 16


def family(host):
    return socket.AF_INET6 if ':' in host else socket.AF_INET


def connect(host, port):
    """tcp!HOST,PORT: what came of it, and whether that took less than 200 ms."""
    began = time.monotonic()
    with socket.socket(family(host), socket.SOCK_STREAM) as s:
        s.settimeout(5)
        try:
            s.connect((host, int(port)))
            s.sendall(b'hello')
            said = s.recv(100).decode()
        except OSError as e:
            said = errno.errorcode.get(e.errno, type(e).__name__)
    return said + (' at-once' if time.monotonic() - began < 0.2 else ' LATE')


def udp(host, port):
    """udp!HOST,PORT: the answer, or the error that the kernel was told."""
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        try:
            s.connect((host, int(port)))
            s.send(b'hello')
            return s.recv(100).decode()
        except OSError as e:
            return errno.errorcode.get(e.errno, type(e).__name__)


def raw(host, protocol):
    """raw!HOST,PROTOCOL: sends one packet of that protocol."""
    with socket.socket(family(host), socket.SOCK_RAW, int(protocol)) as s:
        s.sendto(b'\x08\x00\xf7\xff\x00\x00\x00\x00', (host, 0))
    return 'sent'


def checksum(data):
    data += b'\0' * (len(data) % 2)
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return socket.inet_pton(family(address), address)


def segment(source, destination, port, flags):
    pseudo = packed(source) + packed(destination) + (struct.pack('!BBH', 0, 6, 20) if family(source) == socket.AF_INET else struct.pack('!II', 20, 6))
    head = struct.pack('!HHIIBBHHH', random.randrange(1024, 65000), int(port), 1, 0, 5 << 4, flags, 8192, 0, 0)
    return head[:16] + struct.pack('!H', checksum(pseudo + head)) + head[18:]


def datagram(source, destination, port):
    pseudo = packed(source) + packed(destination) + (struct.pack('!BBH', 0, 17, 13) if family(source) == socket.AF_INET else struct.pack('!II', 13, 17))
    head = struct.pack('!HHHH', 5353, int(port), 13, 0) + b'hello'
    return head[:6] + struct.pack('!H', checksum(pseudo + head)) + head[8:]


def packet(source, destination, protocol, payload):
    if family(source) == socket.AF_INET6:
        return struct.pack('!IHBB', 6 << 28, len(payload), protocol, 64) + packed(source) + packed(destination) + payload
    head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0) + packed(source) + packed(destination)
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload


def own_mac():
    said = subprocess.run(['ip', '-o', 'link', 'show', 'eth0'], capture_output=True, text=True, check=True).stdout.split()
    return bytes.fromhex(said[said.index('link/ether') + 1].replace(':', ''))


def gateway_mac():
    """Learnt as every host learns it; the packet that asks is refused."""
    gateway = subprocess.run(['ip', 'route', 'show', 'default'], capture_output=True, text=True, check=True).stdout.split()[2]
    for _ in range(200):
        said = subprocess.run(['ip', 'neigh', 'show', gateway], capture_output=True, text=True, check=True).stdout.split()
        if 'lladdr' in said:
            return bytes.fromhex(said[said.index('lladdr') + 1].replace(':', ''))
        connect(gateway, 9)
        time.sleep(0.01)
    raise SystemExit('the gateway has no address')


def frames(payloads):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(('eth0', 0))
        for kind, to, payload in payloads:
            frame = to + own_mac() + struct.pack('!H', kind) + payload
            for _ in range(1000):
                try:
                    s.send(frame)
                    break
                except OSError as e:
                    if e.errno != errno.ENOBUFS:
                        raise
                    time.sleep(0.001)


def kind(address):
    return 0x86dd if family(address) == socket.AF_INET6 else 0x0800


def syn(source, destination, port):
    """syn!SOURCE,DESTINATION,PORT: a frame that begins a connection, from whomever."""
    frames([(kind(source), gateway_mac(), packet(source, destination, 6, segment(source, destination, port, SYN)))])
    return 'sent'


def ask(source, destination, port):
    """ask!SOURCE,DESTINATION,PORT: a datagram, from whomever."""
    frames([(kind(source), gateway_mac(), packet(source, destination, 17, datagram(source, destination, port)))])
    return 'sent'


def as_(mac, count, source, destination, port):
    """as!MAC,COUNT,SOURCE,DESTINATION,PORT: that many frames that begin a connection, from that hardware address and those that follow it."""
    first = int(mac.replace(':', ''), 16)
    to = gateway_mac()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(('eth0', 0))
        for i in range(int(count)):
            s.send(to + (first + i).to_bytes(6, 'big') + struct.pack('!H', kind(source)) + packet(source, destination, 6, segment(source, destination, port, SYN)))
            if i % 100 == 99:
                time.sleep(0.005)
    return 'sent'


def silent(host, port):
    """silent!HOST,PORT: what comes of a connection within a second."""
    with socket.socket(family(host), socket.SOCK_STREAM) as s:
        s.settimeout(1)
        try:
            s.connect((host, int(port)))
            return 'open'
        except OSError as e:
            return errno.errorcode.get(e.errno, type(e).__name__)


def pour(host, port, count):
    """pour!HOST,PORT,BYTES: sends that much and waits until the other side has all of it."""
    with socket.create_connection((host, int(port)), 5) as s:
        s.settimeout(30)
        s.sendall(b'x' * int(count))
        s.shutdown(socket.SHUT_WR)
        while s.recv(1 << 16):
            pass
    return 'poured'


def prime():
    """prime: so that whatever is sent from here on is what the test sends."""
    gateway_mac()
    return 'ready'


def neighbours(gateway, gateway6, count):
    """neighbours!GATEWAY,GATEWAY6,COUNT: asks for the gateway's links as that many different hosts, with both versions of IP."""
    asked = []
    mac = own_mac()
    solicited = b'\xff\x02' + b'\0' * 9 + b'\x01\xff' + packed(gateway6)[13:]
    for i in range(int(count)):
        source = '10.%d.%d.%d' % (1 + i // 65536, i // 256 % 256, i % 256)
        asked.append((0x0806, b'\xff' * 6, struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + mac + packed(source) + b'\0' * 6 + packed(gateway)))
        source6 = packed('fd99::%x' % (i + 1))
        body = struct.pack('!BBHI', 135, 0, 0, 0) + packed(gateway6) + struct.pack('!BB', 1, 1) + mac
        check = checksum(source6 + solicited + struct.pack('!II', len(body), 58) + body)
        body = body[:2] + struct.pack('!H', check) + body[4:]
        asked.append((0x86dd, b'\x33\x33' + solicited[12:], struct.pack('!IHBB', 6 << 28, len(body), 58, 255) + source6 + solicited + body))
    frames(asked)
    return 'sent'


def keep(host, port):
    """keep!HOST,PORT: a connection over which a byte goes to and fro until it no longer does; says so at both moments."""
    s = socket.create_connection((host, int(port)), 5)
    s.settimeout(5)
    s.sendall(b'1')
    print('open' if s.recv(5) else 'closed', flush=True)
    try:
        while True:
            s.sendall(b'1')
            if not s.recv(100):
                return 'closed'
            time.sleep(0.01)
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)


def serve(port):
    """serve!PORT: writes down whoever comes, by TCP and UDP, until its input ends."""
    sockets = {}
    for f, any in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
        for k in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            s = socket.socket(f, k)
            if f == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind((any, int(port)))
            if k == socket.SOCK_STREAM:
                s.listen(16)
            sockets[s] = k
    print('listening', flush=True)
    while True:
        ready, _, _ = select.select([0, *sockets], [], [])
        for one in ready:
            if one == 0:
                if not os.read(0, 100):
                    return 'done'
            elif sockets[one] == socket.SOCK_STREAM:
                c, peer = one.accept()
                c.close()
                print('visit', peer[0], flush=True)
            else:
                print('visit', one.recvfrom(100)[1][0], flush=True)


WORDS = {'tcp': connect, 'udp': udp, 'raw': raw, 'syn': syn, 'ask': ask, 'prime': prime, 'as': as_, 'silent': silent, 'pour': pour, 'neighbours': neighbours, 'keep': keep, 'serve': serve}

for word in sys.argv[1:]:
    name, _, arguments = word.partition('!')
    print(WORDS[name](*(arguments.split(',') if arguments else ())), flush=True)
