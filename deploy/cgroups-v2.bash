#!/usr/bin/env bash
# Runs test classes of the server on a kernel whose cgroups are version 2, whatever this machine has: a Debian guest under QEMU. By hand; no part of `caisson test`.
#
#   deploy/cgroups-v2.bash [CLASS...]      default: the two classes that try cgroups themselves
#
# Needs root, what `./caisson setup` has prepared below CAISSON_HOME, and qemu-system-x86. Everything is made below target/cgroups-v2, the guest's Debian once. The
# guest is emulated (no /dev/kvm is needed): programs take twenty times as long as here, so tests with times of seconds in them may fail for that alone
# (docs/decisions/0008-cgroups-v2-in-a-guest.md).
set -euo pipefail

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
home=${CAISSON_HOME:-/var/lib/caisson}
work=$root/target/cgroups-v2
tree=$work/tree
cache=/var/cache/caisson-test
classes=("$@")
[[ $# -gt 0 ]] || classes=(dev.caisson.host.{RootTest,CgroupsTest})

say() { printf 'caisson: %s\n' "$*" >&2; }
fail() { # MESSAGE REMEDY
    printf 'error: %s (%s)\n' "$1" "$2" >&2
    exit 125
}
# shellcheck source=/dev/null
source "$root/deploy/build.bash"

debian() {
    [[ ! -e $tree/boot/ready ]] || return 0
    rm -rf "$tree"
    mmdebstrap --variant=minbase \
        --include=linux-image-cloud-amd64,crun,e2fsprogs,erofs-utils,iproute2,kmod,mount,nftables,procps,python3-minimal,runc,sudo,util-linux bookworm "$tree"
    chroot "$tree" useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin caisson
    # The tests ask for these two only to make what is brought along.
    ln -s true "$tree/usr/bin/cc"
    ln -s true "$tree/usr/bin/mmdebstrap"
    touch "$tree/boot/ready"
}

# The compiled tests, and everything on their class path but JUnit, which the console brings along.
programs() {
    local junit entry
    junit=$(sed -n 's:.*<junit.version>\(.*\)</junit.version>.*:\1:p' "$root/pom.xml")
    maven -q test-compile org.apache.maven.plugins:maven-dependency-plugin:build-classpath -pl server -am -DincludeScope=test -Dmdep.outputFile=target/test-classpath
    maven -q -N org.apache.maven.plugins:maven-dependency-plugin:copy -Dartifact="org.junit.platform:junit-platform-console-standalone:$junit" -DoutputDirectory="$work" -Dmdep.stripVersion=true
    rm -rf "$tree/opt"
    mkdir -p "$tree"/opt/{jars,server/target/classes,server/target/test-classes,server/src/test/resources,home/bin,home/image} "$tree$cache"
    tr ':' '\n' < "$root/server/target/test-classpath" | while read -r entry || [[ -n $entry ]]; do
        case $entry in
            */org/junit/* | */opentest4j/* | */apiguardian/*) ;;
            *.jar) cp "$entry" "$tree/opt/jars/" ;;
        esac
    done
    cp "$work/junit-platform-console-standalone.jar" "$tree/opt/"
    cp -a "$root"/server/target/{classes,test-classes} "$tree/opt/server/target/"
    cp -a "$root/server/src/test/resources/." "$tree/opt/server/src/test/resources/"
    mkdir -p "$tree/opt/jdk" && tar -C "$JAVA_HOME" --exclude=./jmods --exclude=./lib/src.zip -cf - . | tar -C "$tree/opt/jdk" -xf -
    cp -a "$home"/bin/{runsc,caisson-agent} "$tree/opt/home/bin/"
    cp -a "$home"/image/{blobs,index} "$tree/opt/home/image/"
    cp -a "$cache"/agent-* "$cache"/root-*.erofs "$tree$cache/" 2> /dev/null || fail "nothing in $cache" "run './caisson test runtime' first, which makes it"
}

# What the guest runs as process 1.
guest() {
    cat > "$tree/opt/init" << 'END'
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root CAISSON_HOME=/opt/home
mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm && mount -t devpts devpts /dev/pts && mount -t tmpfs shm /dev/shm && mount -t tmpfs -o mode=755 run /run
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
for module in loop erofs overlay; do modprobe "$module"; done
cd /opt/server
echo "kernel $(uname -r), cgroup2 with $(cat /sys/fs/cgroup/cgroup.controllers)"
mapfile -t classes < /opt/classes
/opt/jdk/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx512m --enable-native-access=ALL-UNNAMED \
    -cp "/opt/junit-platform-console-standalone.jar:target/classes:target/test-classes:/opt/jars/*" org.junit.platform.console.ConsoleLauncher \
    execute --disable-banner --disable-ansi-colors --details=tree "${classes[@]/#/--select-class=}" < /dev/null
echo "the tests ended with $?"
sync
echo o > /proc/sysrq-trigger
sleep 60
END
    chmod 755 "$tree/opt/init"
    printf '%s\n' "${classes[@]}" > "$tree/opt/classes"
    rm -f "$work/disk"
    truncate -s 8G "$work/disk"
    mke2fs -q -t ext4 -O ^has_journal -d "$tree" "$work/disk"
}

# The time stamp counter is told rather than measured: on a busy machine the measurement hangs.
boot() {
    local khz
    khz=$(awk '/cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)
    timeout 3600 qemu-system-x86_64 -machine q35,accel=tcg -cpu qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16 -smp 2 -m 3072 -nographic -no-reboot -nic none \
        -kernel "$tree"/boot/vmlinuz-* -initrd "$tree"/boot/initrd.img-* -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" \
        -append "console=ttyS0 quiet root=/dev/vda rw init=/opt/init panic=-1 no_timer_check tsc_early_khz=$khz lpj=$((khz * 4)) cryptomgr.notests random.trust_cpu=on" \
        < /dev/null | tee "$work/console.log"
    rm -f "$work/disk"
    grep -q '^the tests ended with 0' "$work/console.log"
}

[[ $EUID -eq 0 ]] || fail 'this must be run as root: it makes a root file system' "sudo $0"
type -P qemu-system-x86_64 > /dev/null || fail 'no qemu-system-x86_64' 'apt-get install --no-install-recommends qemu-system-x86'
[[ -x $home/bin/runsc ]] || fail "nothing is prepared in $home" './caisson setup'
use_jdk
mkdir -p "$work"
say "Debian for the guest"
debian
say "the tests, and what they need"
programs
guest
say "boot"
boot
