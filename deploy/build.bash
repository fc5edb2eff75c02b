# shellcheck shell=bash
# Finding the JDK; building and installing our own programs. Reads: root, home. Uses say, fail, step.
: "${root:?}" "${home:?}"

JDK_HINT='install a JDK 25, such as Eclipse Temurin (https://adoptium.net, Debian package temurin-25-jdk), or set JAVA_HOME to one'
RUST_HINT='install Rust 1.85 or newer (https://rustup.rs)'

is_jdk_25() { # DIRECTORY
    [[ -x $1/bin/javac && -r $1/release ]] && grep -q '^JAVA_VERSION="25[".]' "$1/release"
}

# Prints the directory of a JDK 25.
find_jdk() {
    local on_path candidate
    on_path=$(readlink -f -- "$(type -P javac || true)" || true)
    for candidate in "${JAVA_HOME:-}" "${on_path%/bin/javac}" /usr/lib/jvm/* /opt/* /usr/local/* "${HOME:-/root}"/.sdkman/candidates/java/* "${HOME:-/root}"/.jdks/*; do
        if [[ -n $candidate ]] && is_jdk_25 "$candidate"; then
            readlink -f -- "$candidate"
            return
        fi
    done
    return 1
}

use_jdk() {
    local jdk
    jdk=$(find_jdk) || fail 'no JDK 25 found in JAVA_HOME, PATH, /usr/lib/jvm, /opt, /usr/local, ~/.sdkman or ~/.jdks' "$JDK_HINT"
    export JAVA_HOME=$jdk
}

# Maven by the wrapper, whose version is pinned; by the one on PATH where its download is not to be had.
# Ctrl-C counts in it even where we were started in the background, whose shell has it ignored, and an ignored signal is handed down.
maven() {
    if (cd -- "$root" && ./mvnw --version) > /dev/null 2>&1; then
        (cd -- "$root" && env --default-signal=INT,HUP ./mvnw --batch-mode "$@")
    elif type -P mvn > /dev/null; then
        (cd -- "$root" && env --default-signal=INT,HUP mvn --batch-mode "$@")
    else
        fail 'Maven cannot be downloaded, and there is no mvn on PATH' 'check the network, or: apt-get install maven'
    fi
}

java_sources() {
    cd -- "$root" && digest_of pom.xml .mvn deploy/Archivable.java {client,server,cli}/{pom.xml,src/main} "$JAVA_HOME/release"
}

agent_sources() {
    cd -- "$root" && digest_of agent/{src,build.rs,Cargo.toml,Cargo.lock,.cargo} server/src/main/proto
}

# lib/DIGEST/ has all jars and `classpath`, one line. It gets its name when it is whole; running processes keep the one they started from.
build_java() { # DIGEST
    local draft=$home/lib/$1.new jar classpath=
    rm -rf "$draft" "$root/cli/target/dependency" &&
        maven package org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies -Dmaven.test.skip=true -DincludeScope=runtime &&
        mkdir -p "$draft" &&
        cp "$root"/cli/target/dependency/*.jar "$root"/cli/target/caisson-cli-*.jar "$draft/" &&
        "$JAVA_HOME/bin/java" "$root/deploy/Archivable.java" "$draft"/picocli-*.jar || return 1
    for jar in "$draft"/*.jar; do
        classpath+=${classpath:+:}$home/lib/$1/${jar##*/}
    done
    printf '%s\n' "$classpath" > "$draft/classpath" &&
        chmod -R a+rX "$draft" &&
        sync "$draft"/* &&
        rm -rf "${home:?}/lib/$1" &&
        mv "$draft" "$home/lib/$1"
}

# A cache of loaded and linked classes of one process; the flags that shape objects must be those of the real start.
make_aot_cache() { # DIRECTORY NAME CLASS ARG...
    local directory=$1 name=$2 classpath
    shift 2
    read -r classpath < "$directory/classpath" &&
        "$JAVA_HOME/bin/java" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+UseCompactObjectHeaders -XX:AOTCacheOutput="$directory/$name.aot" \
            --enable-native-access=ALL-UNNAMED -Dcaisson.home="$home" -Dcaisson.lib="$directory" -cp "$classpath" "$@" &&
        chmod a+r "$directory/$name.aot"
}

build_agent() { # DIGEST
    local target built
    target=$(uname -m)-unknown-linux-gnu
    built=$root/agent/target/$target/release/caisson-agent
    (cd -- "$root/agent" && cargo build --release --locked --target "$target") || return 1
    if readelf --program-headers "$built" | grep -q INTERP; then
        echo "the agent is not static: $built" >&2
        return 1
    fi
    # What holds a copy of the agent has to be made again: by whoever prepares the machine next.
    install -m 0755 "$built" "$home/bin/caisson-agent.new" &&
        rm -f "$home/ready" &&
        mv "$home/bin/caisson-agent.new" "$home/bin/caisson-agent" &&
        printf '%s\n' "$1" > "$home/bin/caisson-agent.digest"
}

# The agent's host that does nothing else, for `caisson bench`.
build_measure() {
    local target
    target=$(uname -m)-unknown-linux-gnu
    (cd -- "$root/agent" && cargo build --release --locked --target "$target" --example measure) &&
        install -m 0755 "$root/agent/target/$target/release/examples/measure" "$home/bin/caisson-agent-measure.new" &&
        mv "$home/bin/caisson-agent-measure.new" "$home/bin/caisson-agent-measure"
}

# Both ends of the way out, for `caisson bench`.
build_egress_measure() {
    (cd -- "$root/deploy/egress-measure" && CGO_ENABLED=0 GOFLAGS='' go build -trimpath -ldflags '-s -w' -o "$home/bin/caisson-egress-measure.new" .) &&
        mv "$home/bin/caisson-egress-measure.new" "$home/bin/caisson-egress-measure"
}

agent_is() { # DIGEST
    [[ -x $home/bin/caisson-agent && -r $home/bin/caisson-agent.digest && $(< "$home/bin/caisson-agent.digest") == "$1" ]]
}

# Directories of earlier builds that no process runs from.
forget_old_builds() { # DIGEST
    local directory
    for directory in "$home"/lib/*/; do
        directory=${directory%/}
        if [[ ${directory##*/} != "$1" ]] && ! grep -qzsF -- "$directory/" /proc/[0-9]*/cmdline; then
            rm -rf "$directory"
        fi
    done
}

# Builds and installs whatever differs from what is installed. One at a time per checkout, since Maven and Cargo write into it.
build_programs() {
    local began java agent
    mkdir -p "$root/target" "$home"/{lib,bin}
    rm -f "$home"/lib/began.*
    exec {checkout_lock}> "$root/target/build.lock"
    flock "$checkout_lock"
    began=$(mktemp "$home/lib/began.XXXXXX")
    java=$(java_sources)
    agent=$(agent_sources)
    if ! agent_is "$agent"; then
        type -P cargo > /dev/null || fail 'no cargo found: the agent inside every sandbox is written in Rust' "$RUST_HINT"
        step 'build the agent (cargo build --release)' build_agent "$agent"
    fi
    if [[ ! -r $home/lib/$java/classpath ]]; then
        step 'build the programs (mvnw package)' build_java "$java"
    fi
    if [[ ! -r $home/lib/$java/cli.aot ]]; then
        step 'make the start-up cache of the command line' make_aot_cache "$home/lib/$java" cli dev.caisson.cli.Main --help
    fi
    printf '%s\n' "$root" "$JAVA_HOME/bin/java" "$java" > "$home/lib/current.new"
    touch -r "$began" "$home/lib/current.new"
    chmod a+r "$home/lib/current.new"
    mv "$home/lib/current.new" "$home/lib/current"
    rm -f "$began"
    forget_old_builds "$java"
    exec {checkout_lock}>&-
}
