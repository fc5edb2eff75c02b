// An internet for tests: everything that may be reached from a host whose only link leads here.
//
// Run inside a network namespace that owns every address (see Internet.java). It says "ready" on standard output once all of it listens, writes one line of
// JSON to DIR/events for whatever arrives, and ends when its standard input does.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fail("usage: world DIR LINK", nil)
	}
	dir, link := os.Args[1], os.Args[2]
	log, err := os.OpenFile(filepath.Join(dir, "events"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fail("events", err)
	}
	events := &Events{file: log}
	authority := newAuthority()
	must("ca", os.WriteFile(filepath.Join(dir, "ca.pem"), authority.pem, 0o644))
	listenToAll(link, events)
	swallow(events)
	serveNames(events)
	serveSites(events, authority, newPackages(), filepath.Join(dir, "git"))
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func must(what string, err error) {
	if err != nil {
		fail(what, err)
	}
}

func fail(what string, err error) {
	fmt.Fprintln(os.Stderr, what, err)
	os.Exit(1)
}
