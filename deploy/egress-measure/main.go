// Command egress-measure is both ends of what `caisson bench` measures of the way out.
//
//	egress-measure world CA-FILE   servers: names, an echo, bytes, bytes over TLS
//	egress-measure client          their client, in a sandbox or beside it
//	egress-measure relay ADDRESS   takes connections at the address's port and passes them on to it, as simply as can be
//	egress-measure idle            holds the network namespace that it was started in
//
// For each line of its input it does a round of something and prints one number. The end of its input ends it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: egress-measure world CA-FILE | client | relay ADDRESS | idle")
	}
	var round func(words []string) float64
	switch os.Args[1] {
	case "world":
		round = worldRound(os.Args[2])
	case "client":
		round = clientRound()
	case "relay":
		round = relayRound(os.Args[2])
	case "idle":
		round = func([]string) float64 { return 0 }
	default:
		fail("there is no part called " + os.Args[1])
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(round(strings.Fields(lines.Text())))
	}
}

func must(what string, err error) {
	if err != nil {
		fail(what + ": " + err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "error: "+why)
	os.Exit(1)
}
