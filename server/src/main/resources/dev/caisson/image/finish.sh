# Runs last inside every new root, as root, under `sh -eu`, with SUITE and SOURCE_DATE_EPOCH set.
# Takes away what only the build needed, what names the machine that built, and what would differ in the next build.

rm -rf /etc/apt/apt.conf.d/99mmdebstrap /etc/apt/trusted.gpg.d/*.gpg~
sed --in-place '/unsafe-io/d' /etc/dpkg/dpkg.cfg.d/99mmdebstrap
cat > /etc/apt/sources.list <<END
deb http://deb.debian.org/debian $SUITE main
deb http://deb.debian.org/debian $SUITE-updates main
deb http://deb.debian.org/debian-security $SUITE-security main
END
find /var/lib/apt/lists /var/cache /var/log /var/tmp /run -mindepth 1 ! -type d -delete
rm -f /var/lib/dpkg/*-old /etc/*- /etc/.pwd.lock /root/.bash_history /root/.wget-hsts

# The machine's own names are known without asking anybody.
echo sandbox > /etc/hostname
# Some clients' programs tell things to events.e2b.local; nobody listens, so they hear it at once.
printf '127.0.0.1\tlocalhost sandbox events.e2b.local\n::1\t\tlocalhost sandbox ip6-localhost ip6-loopback\n' > /etc/hosts
# All other names are asked of the resolver, whatever packages have put in between. A module that is not installed is passed over.
{ grep -v '^hosts:' /etc/nsswitch.conf || true; echo 'hosts: files myhostname dns'; } > /etc/nsswitch.conf.new
chmod 0644 /etc/nsswitch.conf.new
mv /etc/nsswitch.conf.new /etc/nsswitch.conf
# Nobody answers there, so a lookup fails at once instead of after a timeout. A sandbox that may reach names gets another one when it starts.
rm -f /etc/resolv.conf
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > /etc/resolv.conf
: > /etc/machine-id

# The door to the node is mounted here.
mkdir -p /.caisson
# gVisor mounts a tmpfs of no fixed size on a /tmp that is empty. With something in it, /tmp is part of the disk and of its limit.
mkdir -p /tmp/.X11-unix
chmod 1777 /tmp /tmp/.X11-unix

# mkfs gives every file one time, and Python compiles again whatever is not as old as its compiled form says.
if command -v python3 > /dev/null; then
    find / -xdev -name '*.py' -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
    find / -xdev -name '*.pyc' -delete
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 python3 -m compileall -q -j1 --invalidation-mode timestamp /usr/lib/python3*
fi
