# shellcheck shell=bash
# What microVMs boot: guest/vmlinux and guest/initramfs below the home, with guest/manifest, which says what they are.
# Reads: root, home. Uses say, fail, step.
: "${root:?}" "${home:?}"

# The kernel is Debian's, as it is, taken by apt-get, which knows it by the archive's signed index. Its compiler, its configuration and its security updates are not ours.
KERNEL_PACKAGE=linux-image-6.1.0-56-cloud-amd64
KERNEL_VERSION=6.1.192-2
KERNEL_SHA256=e7d02b943971edcb8790e256c02cfab3bca6c3d37c1bf25392a57c71300615ee
# An archive offers a version only until the next one; then we take what this package depends on.
KERNEL_NEWEST=linux-image-cloud-amd64

# What a guest needs to see its devices (all are virtio-mmio) and its two disks. What is built into the kernel is left out, what these depend on is added.
GUEST_MODULES='virtio_mmio virtio_blk virtio_net virtio_console virtio_rng virtio_balloon vmw_vsock_virtio_transport erofs lz4_decompress ext4 overlay'

# Added to NEEDS: there are microVMs on this kind of machine alone.
# shellcheck disable=SC2034 # of prepare.bash
GUEST_NEEDS='qemu-system-x86_64 qemu-system-x86
bwrap bubblewrap
cpio cpio
lz4 lz4
xz xz-utils'

has_microvms() { [[ $(uname -m) == x86_64 ]]; }

guest_step() {
    if ! has_microvms; then
        say "no microVMs on $(uname -m): they need x86_64"
    elif guest_is_current; then
        return 0
    elif guest_kernel_is_current; then
        step "make the microVMs' initramfs" make_guest
    elif type -P apt-get > /dev/null; then
        step "make the microVMs' kernel and initramfs" make_guest
        [[ $(guest_says package) == "$KERNEL_PACKAGE $KERNEL_VERSION" ]] ||
            say "$KERNEL_PACKAGE $KERNEL_VERSION is no longer offered: took $(guest_says package), which apt has verified"
    else
        say "no microVMs: their kernel is Debian's, and there is no apt-get here to take it with"
    fi
}

guest_says() { # KEY
    sed -n "s/^$1 //p" "$home/guest/manifest" 2> /dev/null
}

digest_of_file() { # FILE
    sha256sum < "$1" | cut -d ' ' -f 1
}

# True when vmlinux and the modules beside it are what this script would make.
guest_kernel_is_current() {
    [[ -r $home/guest/vmlinux && -r $home/guest/modules/order && $(guest_says recipe) == "$(guest_recipe)" &&
        $(guest_says vmlinux) == "$(digest_of_file "$home/guest/vmlinux")" ]]
}

guest_is_current() {
    guest_kernel_is_current && [[ -r $home/guest/initramfs && $(guest_says agent) == "$(digest_of_file "$home/bin/caisson-agent")" &&
        $(guest_says initramfs) == "$(digest_of_file "$home/guest/initramfs")" ]]
}

guest_recipe() {
    digest_of_file "$root/deploy/guest.bash"
}

# guest is a link to a directory with a name of its own, so that all of it changes in one instant, and who has opened the one before still has all of that.
make_guest() {
    local draft previous kernel package name
    draft=$(mktemp -d "$home/guest.XXXXXX") || return 1
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$draft'" EXIT
    if guest_kernel_is_current; then
        kernel=$(guest_says kernel) && package=$(guest_says package) &&
            ln "$home/guest/vmlinux" "$draft/vmlinux" &&
            cp -r "$home/guest/modules" "$draft/modules" || return 1
    else
        mkdir "$draft/package" "$draft/modules" &&
            fetch_kernel "$draft/package" &&
            package=$(dpkg-deb --show "$draft"/package/*.deb | tr '\t' ' ') &&
            dpkg-deb --extract "$draft"/package/*.deb "$draft/package/files" &&
            kernel=$(basename "$draft"/package/files/lib/modules/*) &&
            unpack_vmlinux "$draft/package/files/boot/vmlinuz-$kernel" "$draft/vmlinux" &&
            pick_modules "$draft/package/files/lib/modules/$kernel" "$draft/modules" &&
            rm -rf "$draft/package" || return 1
    fi
    make_initramfs "$draft/modules" "$home/bin/caisson-agent" "$draft/initramfs" || return 1
    {
        printf 'kernel %s\n' "$kernel"
        printf 'package %s\n' "$package"
        printf 'vmlinux %s\n' "$(digest_of_file "$draft/vmlinux")"
        printf 'initramfs %s\n' "$(digest_of_file "$draft/initramfs")"
        printf 'agent %s\n' "$(digest_of_file "$home/bin/caisson-agent")"
        printf 'recipe %s\n' "$(guest_recipe)"
    } > "$draft/manifest" || return 1
    chmod -R u=rwX,go=rX "$draft" && sync "$draft"/* || return 1
    previous=$(readlink "$home/guest" || true)
    name=guest-$(digest_of_file "$draft/manifest" | cut -c 1-12)
    rm -rf "${home:?}/$name" && mv "$draft" "$home/$name" &&
        ln -sfn "$name" "$home/guest.new" && mv -T "$home/guest.new" "$home/guest" || return 1
    find "$home" -maxdepth 1 -name 'guest-*' -type d ! -name "$name" ! -name "${previous:-none}" -exec rm -rf {} +
}

fetch_kernel() { # DIRECTORY
    local newest
    if take_package "$1" "$KERNEL_PACKAGE=$KERNEL_VERSION" || { apt-get -q -o DPkg::Lock::Timeout=300 update && take_package "$1" "$KERNEL_PACKAGE=$KERNEL_VERSION"; }; then
        echo "$KERNEL_SHA256  $(echo "$1"/*.deb)" | sha256sum --check --strict --quiet
        return
    fi
    newest=$(apt-cache depends --important "$KERNEL_NEWEST" | sed -n 's/^ *Depends: *//p' | grep -m 1 '^linux-image-[0-9]') &&
        take_package "$1" "$newest"
}

take_package() { # DIRECTORY PACKAGE[=VERSION]
    (cd -- "$1" && apt-get -q -o APT::Sandbox::User=root -o APT::Get::AllowUnauthenticated=false download "$2")
}

# Where a bzImage has its packed ELF file is in its header (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length); four bytes of length follow it.
unpack_vmlinux() { # BZIMAGE VMLINUX
    local sectors offset length start
    sectors=$(number_at "$1" $((0x1f1)) 1) && offset=$(number_at "$1" $((0x248)) 4) && length=$(number_at "$1" $((0x24c)) 4) || return 1
    start=$(((sectors + 1) * 512 + offset))
    tail -c "+$((start + 1))" "$1" | head -c $((length - 4)) > "$2.packed"
    case $(od -An -tx1 -N 4 "$2.packed") in
        ' 02 21 4c 18') lz4 -dcq < "$2.packed" > "$2" ;;
        ' fd 37 7a 58') xz -dcq < "$2.packed" > "$2" ;;
        ' 28 b5 2f fd') zstd -dcq < "$2.packed" > "$2" ;;
        *) echo "$1 is packed in a way that is not known here" >&2 && return 1 ;;
    esac || return 1
    rm "$2.packed"
    # XEN_ELFNOTE_PHYS32_ENTRY: where a VMM may enter without a boot loader.
    readelf --notes "$2" | grep -F '(0x00000012)' > /dev/null || { echo "$1 has no PVH entry" >&2 && return 1; }
}

number_at() { # FILE OFFSET BYTES
    local number
    number=$(od -An "-tu$3" -j "$2" -N "$3" "$1") && echo $((number))
}

# Copies modules, unpacked, and writes `order`: their names, each after what it depends on.
pick_modules() { # KERNEL-DIRECTORY TARGET
    local -A at=() builtin=() picked=()
    local file name
    while read -r file; do
        name=${file##*/} name=${name%%.ko*}
        at[${name//-/_}]=$file
    done < <(find "$1/kernel" -name '*.ko' -o -name '*.ko.xz')
    while read -r file; do
        name=${file##*/} name=${name%.ko}
        builtin[${name//-/_}]=1
    done < "$1/modules.builtin"
    : > "$2/order"
    for name in $GUEST_MODULES; do pick_module "$2" "$name" || return 1; done
}

# Of pick_modules, whose tables it uses.
pick_module() { # TARGET NAME
    local file dependency
    if [[ -n ${builtin[$2]:-}${picked[$2]:-} ]]; then return; fi
    picked[$2]=1
    file=${at[$2]:-}
    case $file in
        *.ko) cp "$file" "$1/$2.ko" ;;
        *.ko.xz) xz -dc "$file" > "$1/$2.ko" ;;
        *) echo "this kernel has no module $2" >&2 && return 1 ;;
    esac || return 1
    for dependency in $(readelf --string-dump=.modinfo "$1/$2.ko" | sed -n 's/^ *\[ *[0-9a-f]*\]  *depends=//p' | tr ',-' ' _'); do
        pick_module "$1" "$dependency" || return 1
    done
    echo "$2.ko" >> "$1/order"
}

# The same bytes for the same modules and agent. Not compressed: see docs/decisions/0018-guest-kernel.md.
make_initramfs() { # MODULES AGENT TARGET
    local tree=$3.tree
    # The two that a program expects to find open, or to open, before it has made itself a /dev.
    mkdir "$tree" "$tree/dev" && mknod -m 0600 "$tree/dev/console" c 5 1 && mknod -m 0666 "$tree/dev/null" c 1 3 &&
        cp -r "$1" "$tree/modules" && cp "$2" "$tree/init" &&
        find "$tree" -exec touch -h -d @0 {} + && chmod 0755 "$tree" "$tree"/{dev,init,modules} && chmod 0644 "$tree"/modules/* || return 1
    (cd -- "$tree" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio --quiet --null --create --format=newc --reproducible --owner=0:0 > "$3") &&
        rm -rf "$tree"
}
