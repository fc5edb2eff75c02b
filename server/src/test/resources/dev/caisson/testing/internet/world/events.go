package main

import (
	"encoding/json"
	"os"
	"sync"
)

// Event is something that arrived. Kinds: "packet" (the first of a flow, whoever answered it), "stream" (a TCP connection that the sink took),
// "dns" (a question), "tls" (a handshake's names), "http" (a request), "request" (all of one to /headers), "raw" (bytes at the site that parses nothing).
type Event struct {
	Kind     string `json:"kind"`
	Protocol string `json:"protocol,omitempty"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Port     int    `json:"port,omitempty"`
	Name     string `json:"name,omitempty"`
	What     string `json:"what,omitempty"`
}

type Events struct {
	mutex sync.Mutex
	file  *os.File
}

func (e *Events) tell(event Event) {
	line, _ := json.Marshal(event)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	_, err := e.file.Write(append(line, '\n'))
	must("events", err)
}
