# shellcheck shell=bash
# The preset `package-registries`: where this machine's own package clients are configured to fetch from, told by the clients. Reads: home. Uses say.
: "${home:?}"

REGISTRIES=$home/egress/presets/package-registries.yaml
# What a client may take to say how it is configured; that asks nobody else. Unit: seconds.
CLIENT_PATIENCE=30

# What a client says, outside of any project; nothing when it is not there.
asked() { # COMMAND...
    (cd / && timeout "$CLIENT_PATIENCE" "$@") 2> /dev/null < /dev/null || true
}

# shellcheck disable=SC2016 # a word of apt's, not of the shell's
apt_urls() { asked apt-get indextargets --format '$(SITE)'; }

# It can be asked nothing. What it has fetched from has left an index, which also says where the packages are.
cargo_urls() {
    local at=${CARGO_HOME:-${HOME:-/root}/.cargo} file index
    env | grep -E '^CARGO_REGISTRIES_[A-Z0-9_]+_INDEX=' || true
    for file in "$at"/config{.toml,}; do
        grep -sE '^[[:space:]]*(registry|index)[[:space:]]*=' "$file" || true
    done
    for file in "$at"/registry/index/*/config.json; do
        [[ -r $file ]] || continue
        index=${file%/config.json}
        index=${index##*/}
        echo "https://${index%-*}"
        grep -oE '"dl": *"[^"]*"' "$file" || true
    done
}

go_urls() {
    local name='' url=''
    asked go env GOPROXY | tr ',|' '\n'
    # A name, which may have a key, and may be kept at another place.
    read -r name url <<< "$(asked go env GOSUMDB)"
    [[ -z $name || $name == off ]] || echo "${url:-https://${name%%+*}}"
}

# Maven's own default is in one of its archives. An address of zeroes is how its settings block a mirror.
maven_urls() {
    local at urls
    at=$(readlink -f -- "$(type -P mvn || true)" || true)
    at=${at%/bin/mvn}
    [[ -n $at ]] || return 0
    urls=$(cat "${HOME:-/root}/.m2/settings.xml" "$at/conf/settings.xml" 2> /dev/null | tr '\n' ' ' | sed -E 's/<!--([^-]|-[^-]|--+[^->])*--+>//g' | grep -oE '<url>[^<]*' | grep -vF '//0.0.0.0' || true)
    [[ -n $urls ]] || urls=$(asked unzip -p "$at"/lib/maven-model-builder-*.jar org/apache/maven/model/pom-4.0.0.xml | grep -oE '<url>[^<]*' || true)
    printf '%s\n' "$urls"
}

npm_urls() {
    asked npm config get registry
    # Those of single scopes.
    asked npm config list | grep -E '^@[^ ]+:registry = ' || true
}

# Its own default has the files on another host than the index, as pip's library knows; another index may too, which only its pages would say.
pip_urls() {
    local pip=pip3 library urls index='' files=''
    type -P pip3 > /dev/null || pip=pip
    library=$(asked "$pip" --version | sed -n 's:^pip [^ ]* from \(.*\)/pip (python.*:\1:p')
    [[ -n $library ]] || return 0
    read -r index files <<< "$(asked env PYTHONPATH="$library" python3 -c 'from pip._internal.models.index import PyPI; print(PyPI.url, "https://" + PyPI.file_storage_domain)')"
    urls=$(asked "$pip" config list | grep -E '\.(index-url|extra-index-url|find-links)=' || true)
    [[ $urls == *.index-url=* ]] || urls+=$'\n'$index
    [[ -z $index || $urls != *"$index"* ]] || urls+=$'\n'$files
    printf '%s\n' "$urls"
}

# Lines `PROTOCOL TARGET PORT` for each URL in a text that is fetched from a host; names and passwords in it are left behind.
endpoints() {
    local url protocol host port
    { grep -oE "https?://[^]['\"[:space:]\\\\,|<>]+" || true; } | while read -r url; do
        [[ ${url,,} =~ ^(https?)://([^/?#]*@)?([a-z0-9_-]+(\.[a-z0-9_-]+)*)\.?(:([0-9]{1,5}))?([/?#].*)?$ ]] || continue
        host=${BASH_REMATCH[3]}
        port=${BASH_REMATCH[6]}
        case ${BASH_REMATCH[1]} in
            https) protocol=tls port=${port:-443} ;;
            *) protocol=http port=${port:-80} ;;
        esac
        port=$((10#$port))
        # An address is a network of one.
        if [[ $host =~ ^[0-9]+(\.[0-9]+){3}$ ]]; then host+=/32; fi
        if ((port >= 1 && port <= 65535)); then echo "$protocol $host $port"; fi
    done
}

registry_rules() {
    local client
    for client in apt cargo go maven npm pip; do
        "${client}_urls" | endpoints | sed "s/\$/ $client/"
    done | sort -u | awk '
        { at = $1 " " $2 " " $3; if (at in who) who[at] = who[at] ", " $4; else { order[++count] = at; who[at] = $4 } }
        END {
            print count ? "rules:" : "rules: []"
            for (i = 1; i <= count; i++) {
                split(order[i], part, " ")
                printf "  - {allow: \"%s\", ports: [%s], protocols: [%s]} # %s\n", part[2], part[3], part[1], who[order[i]]
            }
        }'
}

# Prints the preset; its third line is how we know it again.
registries_preset() {
    local rest
    rest=$(
        echo 'about: Registries that the package clients of this machine are configured to use.'
        registry_rules
    )
    echo "# Made by 'caisson setup', which has asked the package clients of this machine what they are configured to use, and asks again each time it prepares the machine."
    echo '# Yours to edit: one that has been changed is left as it is. Remove it to have it made again.'
    echo "# sha256 of what follows: $(sha256sum <<< "$rest" | cut -d ' ' -f 1)"
    printf '%s\n' "$rest"
}

# True when nobody has changed the file since we wrote it.
is_as_made() { # FILE
    [[ $(sed -n '3s/^# sha256 of what follows: //p' "$1") == "$(tail -n +4 "$1" | sha256sum | cut -d ' ' -f 1)" ]]
}

registries_step() {
    if [[ -e $REGISTRIES || -L $REGISTRIES ]] && ! is_as_made "$REGISTRIES" 2> /dev/null; then return; fi
    (umask 022 && mkdir -p "${REGISTRIES%/*}")
    registries_preset > "$REGISTRIES.new"
    if cmp -s "$REGISTRIES.new" "$REGISTRIES"; then
        rm "$REGISTRIES.new"
    else
        chmod 0644 "$REGISTRIES.new"
        mv "$REGISTRIES.new" "$REGISTRIES"
        say "wrote the preset package-registries, from what this machine's package clients use: $REGISTRIES"
    fi
}
