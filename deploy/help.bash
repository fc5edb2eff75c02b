# shellcheck shell=bash
# What the command says of itself before its Java part is built.

help() {
    cat << 'END'
caisson: run code that nobody has read, behind a real wall

  caisson run FILE [ARG...] | -- COMMAND...   run one thing in a sandbox of its own and tear it down
  caisson up | down | status                  start, stop, look at the service
  caisson key | ps | kill | receipt           what clients and sandboxes there are, and what is left of them
  caisson mcp                                 the same as tools for a model, over standard input and output (MCP)
  caisson doctor | walk | bench               what this machine can promise; one run narrated; measurements
  caisson setup [--check] [--rebuild NAME]    prepare this machine (the first run does it too); only say what is missing; build a template again
  caisson template list | build NAME | remove NAME    what sandboxes can be made from; setup builds only `base`
  caisson check                               compile and run the fast tests        (mvnw test -DexcludedGroups=machine; cargo test)
  caisson test [ROOM]                         run all tests, on the real runtimes   (mvnw test; cargo test, cargo clippy)

Everything it keeps is below CAISSON_HOME (default /var/lib/caisson). Each command has --help once the programs are built.
END
}
