# shellcheck shell=bash
# What the command says of itself before its Java part is built.

help() {
    cat << 'END'
caisson: run code that nobody has read, behind a real wall

  caisson run FILE [ARG...] | -- COMMAND...   run one thing in a sandbox of its own and tear it down
  caisson up | down | status                  start, stop, look at the service
  caisson key | ps | kill | receipt           what clients and sandboxes there are, and what is left of them
  caisson egress ID                           what a sandbox tried to reach, and what it may
  caisson mcp                                 the same as tools for a model, over standard input and output (MCP)
  caisson doctor | walk | bench               what this machine can promise; one run narrated; measurements
  caisson setup [--check] [--rebuild NAME]    prepare this machine (the first run does it too); only say what is missing; build a template again
  caisson template list | build NAME | remove NAME    what sandboxes can be made from; setup builds only `base`
  caisson policy explain | check | presets    what rules of the way out say: of what was tried before, in themselves, and which there are
  caisson check                               compile and run the fast tests        (mvnw test -DexcludedGroups=machine; cargo test)
  caisson test [ROOM]                         run all tests, on the real runtimes   (mvnw test; cargo test, cargo clippy)

Everything it keeps is below CAISSON_HOME (default /var/lib/caisson). Each command has --help once the programs are built.
END
}

# Of the words that the launcher itself understands.
help_of() { # WORD
    case $1 in
        setup)
            cat << 'END'
Usage: caisson setup [--check] [--rebuild NAME]
Prepares this machine: Debian packages, the system user caisson, gVisor, our own programs, the microVMs' kernel, the template base, the preset
package-registries (what the package clients here are configured to use). Each step does nothing where nothing is to do; the first `caisson run` does the
same. Where there is /dev/kvm, `caisson setup` alone also tries to take Firecracker from its own release.
      --check          Only say what is there and what is missing; change nothing. Ends with 1 when something is missing.
      --rebuild NAME   Build a template again.
END
            ;;
        template)
            cat << 'END'
Usage: caisson template list [--json] | build NAME [--again] [--json] | remove NAME [--json]
What sandboxes of this installation can be made from. A template is built once; a running installation takes a new one up when it is started again.
      --again          Build it even if it is there.
      --json           Print one JSON object.
END
            ;;
        policy)
            cat << 'END'
Usage: caisson policy explain --from LOG FILE [--check] [--json] | check FILE [--json] | presets [--json]
What rules of the way out say, before anybody lives by them. FILE has the 'mode' and 'rules' of a request, or is an egress.yaml, whose ceiling counts then.
      explain          Judge what a sandbox tried before by the rules in FILE alone, and say what would end otherwise, and by which rule.
      --from LOG       A flow log, as `caisson egress ID --json` prints it: one flow a line, or one object with `flows`; - is standard input.
      --check          End with 1 when something would end otherwise.
      check            Say what is in FILE, or what is wrong with it.
      presets          The lists of rules that can be named in FILE, and with `caisson run --egress-preset`.
      --json           Print one JSON object.
END
            ;;
        check)
            cat << 'END'
Usage: caisson check
Compiles everything and runs the tests that need neither root nor a runtime.
END
            ;;
        test)
            cat << 'END'
Usage: caisson test [ROOM]
Prepares this machine and runs all tests on the real runtimes, or those of one room: agent, client, cli, or a package of server/src/test/java/dev/caisson.
The last line says how many passed, failed and were skipped; ends with 1 unless all is well.
END
            ;;
    esac
}
