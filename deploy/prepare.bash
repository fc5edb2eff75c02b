# shellcheck shell=bash
# Preparing the machine: packages, the system user, gVisor, our own programs, what microVMs boot, the base template, the preset of registries. Each step does nothing where nothing is to do.
# Reads: root, home. Uses say, fail, load.
: "${root:?}" "${home:?}"

load steps
load build
load registries
load guest
load firecracker

# What gVisor we run. Built from its Go module, this commit calls itself by that release.
RUNSC_VERSION=release-20260905.0
RUNSC_MODULE=gvisor.dev/gvisor/runsc@v0.0.0-20260905035102-160fafc42237
# Without Go: gVisor's own release next after that commit. Since August 2026 runsc comes only as an archive with programs that must lie beside it.
RUNSC_RELEASE=release-20260907.0
RUNSC_RELEASE_URL=https://github.com/google/gvisor/releases/download/$RUNSC_RELEASE/gvisor-x86_64.tar.bz2
# From SHA256SUMS of that release.
RUNSC_RELEASE_SHA256=81416511897ab8abd4e723d66823c5b0461a2ee3311cfa70d152404ef9b860cf

# PROGRAM-OR-FILE PACKAGE, for Debian 12.
NEEDS='crun crun
runc runc
mkfs.erofs erofs-utils
mmdebstrap mmdebstrap
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
ip iproute2
nft nftables
unshare util-linux
setpriv util-linux
mount mount
mkfs.ext4 e2fsprogs
useradd passwd
flock util-linux
/etc/ssl/certs/ca-certificates.crt ca-certificates
curl curl
unzip unzip
bzip2 bzip2
cc gcc
readelf binutils
/usr/lib/'$(uname -m)'-linux-gnu/libc.a libc6-dev'
if has_microvms; then NEEDS+=$'\n'$GUEST_NEEDS; fi

missing_packages() {
    local thing package
    while read -r thing package; do
        if [[ $thing == /* ]]; then
            [[ -e $thing ]] || echo "$package"
        else
            PATH=$PATH:/usr/sbin:/sbin type -P "$thing" > /dev/null || echo "$package"
        fi
    done <<< "$NEEDS" | sort -u
}

install_packages() { # PACKAGE...
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=300 update &&
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

packages_step() {
    local missing
    missing=$(missing_packages | tr '\n' ' ')
    [[ -n $missing ]] || return 0
    type -P apt-get > /dev/null || fail "these Debian packages, or what is in them, are missing: $missing" 'install them with the package manager of this machine'
    # shellcheck disable=SC2086 # words
    step "install Debian packages: $missing" install_packages $missing
}

has_user() { getent passwd caisson > /dev/null && getent passwd caisson-gateway > /dev/null; }

user_step() {
    local user
    for user in caisson caisson-gateway; do
        getent passwd "$user" > /dev/null ||
            step "make the system user $user" useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
    done
}

runsc_version() { # PATH
    "$1" --version 2> /dev/null | sed -n 's/^runsc version //p'
}

has_runsc() {
    local version
    [[ -x $home/bin/runsc ]] || return 1
    version=$(runsc_version "$home/bin/runsc")
    [[ $version == "$RUNSC_VERSION" || $version == "$RUNSC_RELEASE" ]]
}

runsc_step() {
    local found
    if has_runsc; then return; fi
    rm -rf "$home"/bin/runsc-*
    found=$(type -P runsc || true)
    if [[ -n $found && $(runsc_version "$found") == "$RUNSC_VERSION" ]]; then
        step "take gVisor $RUNSC_VERSION from $found" place_runsc "$found"
    elif type -P go > /dev/null && try_step "build gVisor $RUNSC_VERSION from its Go module (about 2 minutes)" build_runsc; then
        return 0
    else
        step "download gVisor $RUNSC_RELEASE" download_runsc
    fi
    has_runsc || fail "$home/bin/runsc does not run here" "install gVisor $RUNSC_VERSION yourself, as runsc on PATH"
}

# As `step`, but a failure is an answer.
try_step() {
    (step "$@")
}

place_runsc() { # FILE
    install -m 0755 "$1" "$home/bin/runsc.new" &&
        mv "$home/bin/runsc.new" "$home/bin/runsc"
}

build_runsc() {
    local out
    out=$(mktemp -d "$home/bin/runsc-build.XXXXXX") || return 1
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$out'" EXIT
    GOBIN=$out CGO_ENABLED=0 GOFLAGS='' go install -trimpath -ldflags "-s -w -X gvisor.dev/gvisor/runsc/version.version=$RUNSC_VERSION" "$RUNSC_MODULE" &&
        [[ $(runsc_version "$out/runsc") == "$RUNSC_VERSION" ]] &&
        place_runsc "$out/runsc"
}

download_runsc() {
    local out runsc
    [[ $(uname -m) == x86_64 ]] || { echo "no release is pinned for $(uname -m): install Go 1.26" >&2; return 1; }
    out=$(mktemp -d "$home/bin/runsc-download.XXXXXX") || return 1
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$out'" EXIT
    curl --fail --silent --show-error --location --proto '=https' --retry 3 --output "$out/gvisor.tar.bz2" "$RUNSC_RELEASE_URL" &&
        echo "$RUNSC_RELEASE_SHA256  $out/gvisor.tar.bz2" | sha256sum --check --strict --quiet &&
        mkdir "$out/unpacked" &&
        tar --extract --bzip2 --no-same-owner --file "$out/gvisor.tar.bz2" --directory "$out/unpacked" || return 1
    runsc=$(find "$out/unpacked" -name runsc -type f -print -quit)
    [[ -n $runsc && -d ${runsc%/*}/gvisor-bin ]] || { echo 'the archive is not laid out as expected' >&2; return 1; }
    rm -rf "$home/bin/gvisor-bin" &&
        mv "${runsc%/*}/gvisor-bin" "$home/bin/" &&
        place_runsc "$runsc"
}

app_main() { # CLASS ARG...
    local classpath
    read -r classpath < "${lib:?}/classpath"
    "${java:?}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED -cp "$classpath" "dev.caisson.app.$1" --home "$home" "${@:2}"
}

setup_main() { app_main SetupMain "$@"; }

template_main() { app_main TemplateMain "$@"; }

template_step() {
    if setup_main --check > /dev/null 2>&1; then return; fi
    local start=$EPOCHREALTIME
    say 'build the base template ...'
    setup_main > /dev/null || exit 125
    say "build the base template: done ($(seconds_since "$start"))"
}

# One real run of all four programs, each of which writes down at its end what it had loaded and linked. The front does so as a user of its own.
train_caches() {
    local train=$lib/train name tries
    rm -rf "$train" && mkdir "$train" && chmod 1777 "$train" || return 1
    make_aot_cache "$lib" cli.new -Dcaisson.train="$train" dev.caisson.cli.Main run --quiet --file /etc/hostname -- true || return 1
    for name in node front deadman; do
        for ((tries = 0; tries < 300; tries++)); do
            [[ -s $train/$name.aot ]] && ! pgrep -f -- "$train/$name.aot" > /dev/null && break
            sleep 0.2
        done
        [[ -s $train/$name.aot ]] || return 1
        chown root:root "$train/$name.aot" && chmod 0644 "$train/$name.aot" && mv "$train/$name.aot" "$lib/$name.aot" || return 1
    done
    mv "$lib/cli.new.aot" "$lib/cli.aot" && rm -rf "$train"
}

# An installation that is up would do the run; its processes are not ours to train. The caches only save time, so they can wait for the next set-up.
caches_step() {
    [[ ! -r $lib/deadman.aot && ! -e $home/run/front.url ]] || return 0
    step 'make the start-up caches of all processes' train_caches
}

require_root() {
    [[ $EUID -eq 0 ]] || fail 'caisson must be run as root: it makes namespaces, mounts and control groups' 'try: sudo ./caisson …'
    [[ $home =~ ^/[A-Za-z0-9/._-]+$ && ${#home} -le 64 && $home != *..* ]] ||
        fail "not a home directory: '$home'" 'set CAISSON_HOME to an absolute path of at most 64 of A-Z a-z 0-9 / . _ -'
    { mkdir -p "$home" && chmod 0755 "$home" && touch "$home/setup.lock"; } 2> /dev/null ||
        fail "cannot write to $home" 'set CAISSON_HOME to a directory on a writable disk'
}

programs_steps() {
    packages_step
    use_jdk
    build_programs
    fresh || fail 'the sources changed while they were being built' 'run it again'
}

machine_steps() {
    user_step
    runsc_step
    guest_step
    template_step
    registries_step
    caches_step
    printf '%s\n' "${build:?}" > "$home/ready.new"
    mv "$home/ready.new" "$home/ready"
}

# Does these steps alone: of two at once the second waits, and then finds nothing to do. Nothing started later holds the lock.
alone() { # STEPS...
    local lock steps
    require_root
    set -o errtrace
    trap '[[ $BASH_SUBSHELL -gt 0 ]] || fail "preparing $home failed (${BASH_SOURCE[0]##*/}, line $LINENO)" "see the line above; where the disk is full, free some space or set CAISSON_HOME to another directory"' ERR
    exec {lock}> "$home/setup.lock"
    flock "$lock"
    for steps in "$@"; do "$steps"; done
    exec {lock}>&-
    trap - ERR
    set +o errtrace
}

# Everything that it takes to start our own programs.
install_programs() { alone programs_steps; }

# Everything that it takes to run a sandbox.
prepare() { alone programs_steps machine_steps; }

# What only `caisson bench` needs: the agent's host that does nothing else, both ends of the way out where there is Go, and E2B's own client, without which
# that part of a measure is left out.
prepare_bench() {
    local client=$home/bench/e2b measure=$home/bin/caisson-agent-measure egress=$home/bin/caisson-egress-measure
    if [[ ! ($measure -nt $home/bin/caisson-agent && $measure -nt $root/agent/examples/measure.rs) ]]; then
        step "build the bare agent's host (cargo build --example measure)" build_measure
    fi
    if type -P go > /dev/null && [[ ! -x $egress || -n $(find "$root/deploy/egress-measure" -newer "$egress" -print -quit) ]]; then
        step 'build both ends of the way out (go build)' build_egress_measure
    fi
    if [[ ! -x $client/bin/python ]] && ! try_step "install E2B's Python client" install_e2b_client "$client"; then
        rm -rf "$client"
    fi
}

install_e2b_client() { # DIRECTORY
    local pinned
    pinned=$(grep '^e2b==' "$root/compat/e2b/sdk/requirements.txt") &&
        python3 -m venv "$1" &&
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$pinned"
}

setup() { # [--check] [--rebuild NAME]
    case ${1:-} in
        '')
            prepare
            alone firecracker_step
            say "ready: everything is below $home"
            ;;
        --check) check_setup ;;
        --rebuild)
            [[ $# -eq 2 ]] || fail '--rebuild needs the name of a template' 'caisson setup --rebuild base'
            install_programs
            setup_main --rebuild "$2"
            ;;
        *) fail "unknown argument: $1" 'caisson setup [--check] [--rebuild NAME]' ;;
    esac
}

# Of check_setup.
check_guest() {
    local firecracker
    if ! has_microvms; then
        printf 'none     microVMs: they need x86_64\n'
        return
    fi
    if guest_is_current 2> /dev/null; then has "microVMs' kernel: $(guest_says package)"; else lacks "microVMs' kernel and initramfs: $home/guest"; fi
    firecracker=$(installed_firecracker)
    if [[ -n $firecracker ]]; then
        has "Firecracker $firecracker: $home/bin/firecracker"
    else
        printf "none     Firecracker: microVMs can run in QEMU; where there is /dev/kvm, 'caisson setup' tries to take it\n"
    fi
}

# Says what is there and what is not; changes nothing. Status 1 when something is missing.
check_setup() {
    local jdk missing said all=0
    has() { printf 'ok       %s\n' "$1"; }
    lacks() { printf 'missing  %s\n' "$1" && all=1; }
    missing=$(missing_packages | tr '\n' ' ')
    if [[ -z $missing ]]; then has 'Debian packages'; else lacks "Debian packages: $missing"; fi
    if jdk=$(find_jdk); then has "JDK 25: $jdk"; else lacks "JDK 25: $JDK_HINT"; fi
    if fresh; then has "programs: $lib"; else lacks 'programs: not built from these sources yet'; fi
    if has_user; then has 'system user caisson'; else lacks 'system user caisson'; fi
    if has_runsc; then has "gVisor $(runsc_version "$home/bin/runsc"): $home/bin/runsc"; else lacks "gVisor $RUNSC_VERSION: $home/bin/runsc"; fi
    check_guest
    if [[ -e $REGISTRIES ]]; then has "preset package-registries: $REGISTRIES"; else lacks "preset package-registries: $REGISTRIES"; fi
    if ! fresh; then
        lacks 'template base: nothing can look for it before the programs are built'
    elif said=$(setup_main --check 2>&1); then
        has 'template base'
    elif [[ $said == error:* ]]; then
        lacks "template base: ${said#error: }"
    else
        lacks 'template base'
    fi
    if [[ $all -ne 0 ]]; then say "'caisson setup' makes what is missing (so does the first 'caisson run')"; fi
    return "$all"
}
