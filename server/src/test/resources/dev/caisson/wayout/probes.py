"""Attempts to get out, run inside a sandbox: each argument is one probe, a JSON list of its kind and what it takes.

Prints one line of JSON for each: whether something came back ("ok"), what ("got"), else why not ("error"), and how long it took ("ms").
"""
import json, os, socket, ssl, struct, sys, time
from concurrent.futures import ThreadPoolExecutor

RESOLVER = '100.127.255.53'
PATIENCE = 8
TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'NULL': 10, 'PTR': 12, 'MX': 15, 'TXT': 16, 'AAAA': 28, 'SRV': 33, 'SVCB': 64, 'HTTPS': 65, 'AXFR': 252, 'ANY': 255}


def shown(data):
    return data.decode('latin-1')


def connect(host, port):
    return socket.create_connection((host, port), PATIENCE)


def first(s, least=1):
    """What comes until the other end closes, says nothing for a second, or has said enough."""
    got = b''
    s.settimeout(PATIENCE)
    while len(got) < 65536:
        try:
            part = s.recv(65536)
        except OSError:
            # What came before the end came all the same.
            if got:
                break
            raise
        if not part:
            if not got:
                raise ConnectionError('closed')
            break
        got += part
        if len(got) >= least:
            s.settimeout(0.3)
    return got


def tcp(host, port, text=''):
    with connect(host, port) as s:
        s.sendall(text.encode('latin-1'))
        return shown(first(s))


def opens(host, port):
    """Only the handshake."""
    connect(host, port).close()
    return 'open'


def open6(host, port):
    """From a socket of IPv6, whatever the address."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.connect((host, port))
        return 'open'


def bound(source, host, port):
    """From an address that is somebody else's."""
    with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        s.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
        s.bind((source, 0))
        s.connect((host, port))
        return 'open'


def udp(host, port, text='leak'):
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        s.connect((host, port))
        s.send(text.encode('latin-1'))
        return shown(s.recv(4096))


def raw(host, protocol, text='leak'):
    """A packet of any protocol; ICMP's echo request when it is that."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    data = text.encode('latin-1')
    if protocol == 1:
        data = b'\x08\x00\x00\x00\x00\x01\x00\x01' + data
        total = sum(struct.unpack('!%dH' % (len(data) // 2), data[:len(data) // 2 * 2]))
        total = (total & 0xffff) + (total >> 16)
        data = data[:2] + struct.pack('!H', ~total & 0xffff) + data[4:]
    if protocol == 58:
        data = b'\x80\x00\x00\x00\x00\x01\x00\x01' + data
    with socket.socket(family, socket.SOCK_RAW, protocol) as s:
        s.settimeout(0.3)
        s.sendto(data, (host, 0))
        return shown(s.recv(4096))


def frames(*hexes):
    """Whole frames onto the link, as if from anybody."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(('eth0', 0))
        for each in hexes:
            s.send(bytes.fromhex(each))
    return 'sent'


def resolve(name):
    return ' '.join(sorted({each[4][0] for each in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)}))


def question(name, kind, options):
    labels = b''.join(bytes([len(label)]) + label for label in name.encode('latin-1').split(b'.') if label) + b'\0'
    ident = os.urandom(2)
    extra = b''
    if 'edns' in options:
        filler = os.urandom(options['edns'])
        extra = b'\0' + struct.pack('!HHIHHH', 41, 4096, 0, len(filler) + 4, 65001, len(filler)) + filler
    query = ident + struct.pack('!HHHHH', options.get('flags', 0x0100), options.get('questions', 1), 0, 0, 1 if extra else 0) + labels + struct.pack('!HH', TYPES.get(kind, kind if isinstance(kind, int) else 1), options.get('class', 1))
    return query + extra


def skip(data, at):
    while data[at] != 0:
        if data[at] & 0xc0:
            return at + 2
        at += data[at] + 1
    return at + 1


def read(data):
    flags, questions, answers = struct.unpack('!HHH', data[2:8])
    at = 12
    for _ in range(questions):
        at = skip(data, at) + 4
    found = []
    for _ in range(answers):
        at = skip(data, at)
        kind, _, _, length = struct.unpack('!HHIH', data[at:at + 10])
        value = data[at + 10:at + 10 + length]
        found.append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, value) if kind in (1, 28) else '%d:%s' % (kind, value.hex()))
        at += 10 + length
    return 'rcode=%d %s' % (flags & 15, ' '.join(found))


def dns(name, kind='A', server=RESOLVER, transport='udp', options=None):
    return read(ask(question(name, kind, options or {}), server, transport))


def dnsraw(hexes, server=RESOLVER, transport='udp'):
    return ask(bytes.fromhex(hexes), server, transport).hex()


def ask(query, server, transport):
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    if transport == 'tcp':
        with connect(server, 53) as s:
            s.sendall(struct.pack('!H', len(query)) + query)
            return first(s, 12)[2:]
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE if server == RESOLVER else 0.5)
        s.connect((server, 53))
        s.send(query)
        return s.recv(65535)


def http(host, port, request):
    """A request as it stands."""
    return tcp(host, port, request)


def dribble(host, port, *parts):
    """The same in pieces, a moment apart."""
    with connect(host, port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            s.sendall(part.encode('latin-1'))
            time.sleep(0.05)
        return shown(first(s))


def tls(host, port, name, request, options=None):
    """A request in TLS; trusts what the sandbox trusts unless told otherwise."""
    options = options or {}
    context = ssl.create_default_context()
    if not options.get('verify', False):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if 'alpn' in options:
        context.set_alpn_protocols(options['alpn'])
    with connect(host, port) as s, context.wrap_socket(s, server_hostname=name or None) as t:
        if options.get('issuer'):
            return json.dumps(dict(each[0] for each in t.getpeercert()['issuer']))
        if options.get('chosen'):
            return str(t.selected_alpn_protocol())
        t.sendall(request.encode('latin-1'))
        return shown(first(t))


def extension(kind, body):
    return struct.pack('!HH', kind, len(body)) + body


def names(*each):
    inner = b''.join(bytes([0]) + struct.pack('!H', len(name)) + name for name in each)
    return extension(0, struct.pack('!H', len(inner)) + inner)


def hello(host, port, *sni, **options):
    """A ClientHello of our own making; answers what kind of record came back: 22 is a handshake, 21 an alert."""
    body = b'\x03\x03' + os.urandom(32) + b'\x20' + os.urandom(32) + b'\x00\x08\x13\x01\x13\x02\xc0\x2b\xc0\x2f' + b'\x01\x00'
    extensions = b''
    groups = options.get('split_extensions', False)
    if sni and groups:
        for name in sni:
            extensions += names(name.encode('latin-1'))
    elif sni:
        extensions += names(*[name.encode('latin-1') for name in sni])
    extensions += extension(10, b'\x00\x02\x00\x1d') + extension(13, b'\x00\x08\x04\x03\x08\x04\x08\x07\x04\x01')
    extensions += extension(43, b'\x04\x03\x04\x03\x03') + extension(51, b'\x00\x24\x00\x1d\x00\x20' + os.urandom(32))
    if 'alpn' in options:
        offered = b''.join(bytes([len(p)]) + p.encode() for p in options['alpn'])
        extensions += extension(16, struct.pack('!H', len(offered)) + offered)
    if options.get('ech'):
        extensions += extension(0xfe0d, b'\x00\x00\x01\x00\x01\x07\x00\x20' + os.urandom(32) + b'\x00\x40' + os.urandom(64))
    if 'padding' in options:
        extensions += extension(21, bytes(options['padding']))
    body += struct.pack('!H', len(extensions)) + extensions
    message = b'\x01' + struct.pack('!I', len(body))[1:] + body
    size = options.get('record', 16384)
    records = b''.join(b'\x16\x03\x01' + struct.pack('!H', len(part)) + part for part in (message[i:i + size] for i in range(0, len(message), size)))
    records = records[:options.get('cut', len(records))]
    step = options.get('step', len(records))
    with connect(host, port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(records), step):
            s.sendall(records[i:i + step])
            if step < len(records):
                time.sleep(0.01)
        return 'record %d' % first(s)[0]


def flood(host, port, count):
    """Half-open as far as a sandbox can: connects and says nothing."""
    held = []
    for _ in range(count):
        try:
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((host, port))
            held.append(s)
        except OSError as e:
            return '%d then %s' % (len(held), e)
    time.sleep(0.5)
    return str(len(held))


def probe(argument):
    kind, *rest = json.loads(argument)
    options = rest.pop() if rest and kind == 'hello' and isinstance(rest[-1], dict) else {}
    began = time.monotonic()
    result = {'ok': True, 'got': '', 'error': ''}
    try:
        result['got'] = globals()[kind](*rest, **options)[:4000]
    except Exception as e:
        result['ok'] = False
        result['error'] = '%s %s' % (type(e).__name__, e)
    result['ms'] = int((time.monotonic() - began) * 1000)
    result['probe'] = argument[:200]
    return result


def main():
    """A few go one after the other, as they are given; many at once, since most of their time is waiting for silence."""
    probes = sys.argv[1:]
    with ThreadPoolExecutor(1 if len(probes) <= 8 else 8) as pool:
        for result in pool.map(probe, probes):
            print(json.dumps(result), flush=True)


if __name__ == '__main__':
    main()
