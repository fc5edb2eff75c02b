# Runs `echo hi` with a bare container runtime on a bundle of ours, time after time, each in a fresh overlay of the same image; prints the milliseconds of each from
# start to the first byte of output. Started in a mount namespace of its own, so that what it mounts goes with it.
# Arguments: RUNTIME CONFIG IMAGE SCRATCH ROUNDS FIRST-ID. CONFIG names its root @ROOT@ and its cgroup @ID@.
set -euo pipefail
runtime=$1 config=$2 image=$3 scratch=$4 rounds=$5 first=$6

umount /sys/fs/cgroup/unified 2> /dev/null || true # crun refuses a machine with both versions of cgroups
mount -t tmpfs none "$scratch"
for ((round = 0; round < rounds; round++)); do
    at=$scratch/$round id=caisson-bench-$$-$round
    mkdir -p "$at"/{upper,work,root}
    chown "$first:$first" "$at/upper"
    mount -t overlay none -o "lowerdir=$image,upperdir=$at/upper,workdir=$at/work" "$at/root"
    sed -e "s|@ROOT@|$at/root|; s|@ID@|$id|" "$config" > "$at/config.json"
    started=$EPOCHREALTIME
    if ! IFS= read -r -N 1 byte < <("$runtime" --root "$scratch/state" run --bundle "$at" "$id" 2> "$at/errors" < /dev/null) || [[ $byte != h ]]; then
        cat "$at/errors" >&2
        exit 1
    fi
    ended=$EPOCHREALTIME
    wait $! || true
    awk -v from="$started" -v to="$ended" 'BEGIN { printf "%.3f\n", (to - from) * 1000 }'
    umount "$at/root"
done
