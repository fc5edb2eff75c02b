# shellcheck shell=bash
# `caisson check` and `caisson test`. Reads: root, home. Uses say, fail, load.
: "${root:?}" "${home:?}"

load steps
load build

loud() { # COMMAND...
    say "+ $*"
    "$@"
}

cargo_in_agent() { # ARG...
    (cd -- "$root/agent" && cargo "$@")
}

# The agent's own tests; what they said goes to a file for the count.
agent_tests() { # FILE
    type -P cargo > /dev/null || fail 'no cargo found: the agent is written in Rust' "$RUST_HINT"
    local status=0
    loud cargo_in_agent test --locked 2>&1 | tee "$1" >&2 || status=1
    if cargo clippy --version > /dev/null 2>&1; then
        loud cargo_in_agent clippy --locked --all-targets -- -D warnings >&2 || status=1
    else
        say 'cargo clippy is not installed: lints not checked'
    fi
    return "$status"
}

# One line per reason, with how often it was given: by @Disabled in an attribute, by an assumption in the text below.
skip_reasons() { # REPORT...
    awk '
        /<skipped/ { skipped = 1 }
        skipped && match($0, /message="[^"]*"/) { count[substr($0, RSTART + 9, RLENGTH - 10)]++; skipped = 0; next }
        skipped && match($0, /due to: \[.*\]/) { count[substr($0, RSTART + 9, RLENGTH - 10)]++; skipped = 0; next }
        skipped && match($0, /Assumption failed: .*/) { count[substr($0, RSTART + 19)]++; skipped = 0; next }
        /<\/testcase>/ { if (skipped) count["no reason given"]++; skipped = 0 }
        END { for (reason in count) printf "skipped %d: %s\n", count[reason], reason }' "$@" /dev/null | sort
}

# Counts what ran, says what was skipped and why, and ends with the one line.
summary() { # AGENT-LOG STATUS
    local passed=0 failed=0 skipped=0 line
    local -a reports=()
    while read -r line; do
        [[ $line =~ ([0-9]+)\ passed\;\ ([0-9]+)\ failed\;\ ([0-9]+)\ ignored ]] || continue
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
    done < "$1"
    for line in "$root"/{client,server,cli}/target/surefire-reports/TEST-*.xml; do
        [[ -r $line ]] || continue
        reports+=("$line")
        [[ $(grep -m 1 '<testsuite ' "$line") =~ tests=\"([0-9]+)\".*errors=\"([0-9]+)\".*skipped=\"([0-9]+)\".*failures=\"([0-9]+)\" ]] || continue
        failed=$((failed + BASH_REMATCH[2] + BASH_REMATCH[4])) skipped=$((skipped + BASH_REMATCH[3]))
        passed=$((passed + BASH_REMATCH[1] - BASH_REMATCH[2] - BASH_REMATCH[3] - BASH_REMATCH[4]))
    done
    skip_reasons "${reports[@]}"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [[ $2 -eq 0 && $failed -eq 0 && $passed -gt 0 ]]
}

# Templates that tests use beside the one that every installation has; built once, and again when their recipe changes.
test_templates() {
    step 'have the template code-interpreter-v1' template_main build code-interpreter-v1
}

# The browser that previews are looked at with. Where there is no apt-get, its test says what is missing.
test_packages() { # ROOM
    if [[ -x /usr/bin/chromium || -n $1 && $1 != edge ]] || ! type -P apt-get > /dev/null; then return; fi
    step 'install the Debian package chromium, for tests' install_packages chromium
}

# Where it cannot be had, the tests that want it are skipped with the reason.
test_firecracker() {
    if ! has_microvms || [[ ! -e /dev/kvm ]]; then return; fi
    try_step 'have Firecracker 1.12.1, for tests' bash "$root/deploy/firecracker-for-tests.bash" /var/cache/caisson-test/firecracker ||
        say 'tests of Firecracker will be skipped'
}

# All tests, or those of one room: `agent`, `client`, `cli`, or a package of the server.
run_tests() { # [ROOM]
    local room=${1:-} status=0 log
    local -a maven_line=(test --no-transfer-progress --fail-at-end -Dmaven.test.failure.ignore=true)
    case $room in
        '' | agent) ;;
        client) maven_line+=(-pl client) ;;
        cli) maven_line+=(-pl cli -am "-Dtest=dev.caisson.cli.**" -Dsurefire.failIfNoSpecifiedTests=false) ;;
        *)
            [[ -d $root/server/src/test/java/dev/caisson/$room ]] || fail "there is no room with tests called '$room'" \
                "rooms: agent client cli $(cd "$root/server/src/test/java/dev/caisson" && echo *)"
            maven_line+=(-pl server -am "-Dtest=dev/caisson/$room/**" -Dsurefire.failIfNoSpecifiedTests=false)
            ;;
    esac
    load prepare
    prepare
    test_templates
    test_packages "$room"
    test_firecracker
    clear_reports
    log=$(mktemp)
    export CAISSON_HOME=$home CAISSON_LIB=${lib:?}
    if [[ -z $room || $room == agent ]]; then agent_tests "$log" || status=1; fi
    if [[ $room != agent ]]; then loud maven "${maven_line[@]}" >&2 || status=1; fi
    summary "$log" "$status" || status=1
    rm -f "$log"
    return "$status"
}

# Fast: no root, no runtimes.
check() {
    local status=0 log
    use_jdk
    clear_reports
    log=$(mktemp)
    if type -P shellcheck > /dev/null; then loud shellcheck "$root/caisson" "$root"/deploy/*.bash "$root/.ci/run" >&2 || status=1; fi
    agent_tests "$log" || status=1
    loud maven test --no-transfer-progress --fail-at-end -Dmaven.test.failure.ignore=true -DexcludedGroups=machine >&2 || status=1
    summary "$log" "$status" || status=1
    rm -f "$log"
    return "$status"
}

clear_reports() {
    rm -rf "$root"/{client,server,cli}/target/surefire-reports
}
