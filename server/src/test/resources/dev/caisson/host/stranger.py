"""What a stranger tries with the sealed memory that he has as descriptor 9; a line of outcome each."""
import errno
import fcntl
import mmap
import os

PATH = '/proc/self/fd/9'
KEEP_SIZE, PUNCH_HOLE = 1, 2


def attempt(name, work):
    try:
        said = work()
    except OSError as e:
        said = errno.errorcode[e.errno]
    print(name + ':', said)


def private():
    fd = os.open(PATH, os.O_RDWR)
    size = os.fstat(fd).st_size
    with mmap.mmap(fd, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as memory:
        memory[0:4] = b'mine'
        memory[size - 4:] = b'mine'
        theirs = os.pread(fd, 4, 0)
        return 'written for himself' if memory[0:4] == b'mine' and theirs != b'mine' else 'written for all'


def fallocate(fd):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, KEEP_SIZE | PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(1 << 23)):
        raise OSError(ctypes.get_errno(), 'fallocate')
    return 'punched'


def shared():
    mmap.mmap(os.open(PATH, os.O_RDWR), 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    return 'mapped'


assert os.getuid() == os.geteuid() == 0x30000000
attempt('private', private)
attempt('shared', shared)
fd = os.open(PATH, os.O_RDWR)
attempt('write', lambda: os.pwrite(fd, b'x', 0))
attempt('truncate', lambda: os.ftruncate(fd, 0))
attempt('grow', lambda: os.ftruncate(fd, 1 << 30))
attempt('punch', lambda: fallocate(fd))
attempt('open and truncate', lambda: os.open(PATH, os.O_RDWR | os.O_TRUNC))
attempt('seals', lambda: fcntl.fcntl(fd, 1033, 0))
attempt('mode', lambda: os.chmod(PATH, 0o777))
attempt('execute', lambda: os.execv(PATH, [PATH]))
