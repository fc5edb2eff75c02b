# shellcheck shell=bash
# Firecracker and its jailer in bin/: microVMs can do without, where there is QEMU. Reads: home. Uses say, has_microvms.
: "${home:?}"

FIRECRACKER_VERSION=v1.17.0
FIRECRACKER_URL=https://github.com/firecracker-microvm/firecracker/releases/download/$FIRECRACKER_VERSION/firecracker-$FIRECRACKER_VERSION-x86_64.tgz
# From the release's own firecracker-v1.17.0-x86_64.tgz.sha256.txt.
FIRECRACKER_SHA256=06094a1108ae9e82aa4c23a775aa92758f53f1175d422270d9d6162cb9ade558
# What is found on PATH may be as old as this, the oldest that our driver was tried with.
FIRECRACKER_OLDEST=v1.12.1

# Prints the version of both programs; nothing where one is missing, or they are not of one release, or they do not run here.
firecracker_version() { # FIRECRACKER JAILER
    local firecracker jailer
    [[ -x $1 && -x $2 ]] || return 0
    firecracker=$("$1" --version 2> /dev/null | sed -n 's/^Firecracker \(v[0-9][0-9.]*\)$/\1/p')
    jailer=$("$2" --version 2> /dev/null | sed -n 's/^Jailer \(v[0-9][0-9.]*\)$/\1/p')
    if [[ $firecracker == "$jailer" ]]; then printf '%s' "$firecracker"; fi
}

installed_firecracker() {
    firecracker_version "$home/bin/firecracker" "$home/bin/jailer"
}

# Only an explicit `caisson setup` does this, so that a machine that cannot reach the release does not wait for it again and again. It never fails: there is QEMU.
firecracker_step() {
    local installed firecracker jailer found said
    has_microvms || return 0
    installed=$(installed_firecracker)
    [[ $installed != "$FIRECRACKER_VERSION" ]] || return 0
    firecracker=$(type -P firecracker || true) jailer=$(type -P jailer || true)
    found=$(firecracker_version "$firecracker" "$jailer")
    if [[ -n $found && $(printf '%s\n' "$FIRECRACKER_OLDEST" "$found" | sort -V | head -n 1) == "$FIRECRACKER_OLDEST" ]]; then
        [[ $installed != "$found" ]] || return 0
        if said=$(place_firecracker "$firecracker" "$jailer" 2>&1); then
            say "take Firecracker $found from $firecracker and $jailer: done"
        else
            say "Firecracker $found cannot be taken from $firecracker and $jailer: $(one_line "$said"); ${installed:+$installed stays; }microVMs can run in QEMU"
        fi
        return 0
    fi
    if [[ ! -e /dev/kvm ]]; then
        [[ -n $installed ]] || say 'Firecracker is not installed: there is no /dev/kvm here; microVMs can run in QEMU'
        return 0
    fi
    say "download Firecracker $FIRECRACKER_VERSION ..."
    if said=$(download_firecracker 2>&1) && [[ $(installed_firecracker) == "$FIRECRACKER_VERSION" ]]; then
        say "download Firecracker $FIRECRACKER_VERSION: done"
    else
        say "Firecracker $FIRECRACKER_VERSION is not installed: $(one_line "${said:-it does not run here}"); ${installed:+$installed stays; }microVMs can run in QEMU"
    fi
}

one_line() { # TEXT
    tr -s '\r\n' ' ' <<< "$1" | cut -c 1-200 | sed 's/ *$//'
}

download_firecracker() {
    local out name
    out=$(mktemp -d "$home/bin/firecracker-download.XXXXXX") || return 1
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$out'" EXIT
    curl --fail --silent --show-error --location --proto '=https' --connect-timeout 10 --max-time 180 --output "$out/firecracker.tgz" "$FIRECRACKER_URL" &&
        echo "$FIRECRACKER_SHA256  $out/firecracker.tgz" | sha256sum --check --strict --quiet || return 1
    name=$FIRECRACKER_VERSION-x86_64
    tar --extract --gzip --no-same-owner --file "$out/firecracker.tgz" --directory "$out" "release-$name/firecracker-$name" "release-$name/jailer-$name" &&
        place_firecracker "$out/release-$name/firecracker-$name" "$out/release-$name/jailer-$name"
}

place_firecracker() { # FIRECRACKER JAILER
    install -m 0755 "$1" "$home/bin/firecracker.new" && install -m 0755 "$2" "$home/bin/jailer.new" &&
        mv "$home/bin/firecracker.new" "$home/bin/firecracker" && mv "$home/bin/jailer.new" "$home/bin/jailer"
}
