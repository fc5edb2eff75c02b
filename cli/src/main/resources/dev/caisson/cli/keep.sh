#!/bin/sh
# Runs one process of an installation, again and again: keep.sh NAME RUN LOG COMMAND...
#
# A shell because it costs 1 MB where a JVM costs 40. After a death it waits 0.1 s, twice as long after each further one, at most 5 s; a process
# that lived for 10 s starts from 0.1 s again. A process that ends with 0 wanted to end: then so does this. TERM ends the process, then this.
name=$1 run=$2 log=$3/$1.log
shift 3
exec 3<&0
# What must be secret is made so by name; the walls of a container are crossed by users of its own, who need to pass through directories.
umask 022
# glibc keeps what each thread has freed for that thread; two pools are enough, and 10 MB less.
export MALLOC_ARENA_MAX=2
child=
ending=
pause=1
trap 'ending=1; [ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM INT HUP
echo $$ >"$run/$name.keeper"
while [ -z "$ending" ]; do
    [ -n "$(find "$log" -size +10240k 2>/dev/null)" ] && mv -f "$log" "$log.1"
    read -r begin _ </proc/uptime
    "$@" <&3 3<&- >"$run/$name.out" 2>>"$log" &
    child=$!
    echo "$child" >"$run/$name.pid"
    wait "$child"
    status=$?
    # A trap ends the wait early; the process may still be at it.
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        status=$?
    done
    child=
    { [ -n "$ending" ] || [ "$status" -eq 0 ]; } && break
    read -r end _ </proc/uptime
    [ $((${end%.*} - ${begin%.*})) -ge 10 ] && pause=1
    echo "keep: $name ended with $status; starting it again in $((pause / 10)).$((pause % 10)) s" >>"$log"
    sleep "$((pause / 10)).$((pause % 10))" 3<&- &
    wait $!
    pause=$((pause * 2))
    [ "$pause" -gt 50 ] && pause=50
done
rm -f "$run/$name.pid" "$run/$name.out" "$run/$name.keeper"
