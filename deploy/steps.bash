# shellcheck shell=bash
# How a step is told, logged and timed. Uses say, fail.

seconds_since() { # EPOCHREALTIME
    local now=$EPOCHREALTIME
    local tenths=$(( (${now/[.,]/} - ${1/[.,]/}) / 100000 ))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

# Runs a command with its output in a log, and says its name, every ten seconds how far it is, and its time. -e is not in force inside it.
step() { # TITLE COMMAND...
    local title=$1 start=$EPOCHREALTIME log status=0 ticker
    shift
    log=$(mktemp "${TMPDIR:-/tmp}/caisson-step.XXXXXX")
    say "$title ..."
    tick "$title" "$log" "$start" &
    ticker=$!
    ("$@") > "$log" 2>&1 < /dev/null || status=$?
    kill "$ticker" 2> /dev/null || true
    wait "$ticker" 2> /dev/null || true
    if [[ $status -ne 0 ]]; then
        tail -n 25 "$log" >&2
        fail "$title: failed after $(seconds_since "$start"), status $status" "the whole output is in $log"
    fi
    rm -f "$log"
    say "$title: done ($(seconds_since "$start"))"
}

tick() { # TITLE LOG START
    local line nap
    trap 'kill "$nap" 2> /dev/null; exit 0' TERM
    while kill -0 "$$" 2> /dev/null; do
        sleep 10 &
        nap=$!
        wait "$nap"
        line=$(tail -c 400 "$2" | tr -d '\r' | tail -n 1 | cut -c 1-100)
        say "$1: $(seconds_since "$3") ${line:+- $line}"
    done
}

# The digest of what is in these files and directories, and of their names.
digest_of() { # PATH...
    find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-12
}
