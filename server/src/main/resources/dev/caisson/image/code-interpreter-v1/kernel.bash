# One Bash context. Code comes on the descriptor in $1, each piece ended by a NUL; after each a line of JSON goes to the one in $2. Both are above 4.
exec 3<&"$1" 4>&"$2"
eval "exec $1<&- $2>&-"
set --
# An interrupt is for what runs, not for us.
trap : INT
while IFS= read -r -d '' -u 3 __code; do
    eval "$__code" 3<&- 4>&-
    printf '{"type":"done","status":%d}\n' "$?" >&4
done
