package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// serveAgent runs, inside a director, the scripts that the lab sends. It is how the lab
// types on that machine.
func serveAgent(addr string) error {
	server := http.Server{Addr: addr, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(runScript)}
	return server.ListenAndServe()
}

func runScript(w http.ResponseWriter, r *http.Request) {
	script, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := exec.CommandContext(r.Context(), "bash", "-c", string(script)).CombinedOutput()
	if err != nil {
		http.Error(w, fmt.Sprintf("%v: %s", err, out), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(out) // the lab notices what is missing
}

// agentLimit bounds a script.
const agentLimit = 20 * time.Second

func askAgent(addr, script string) (string, error) {
	client := http.Client{Timeout: agentLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Post("http://"+addr+"/", "text/plain", strings.NewReader(script))
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // only read
	out, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(out)))
	}
	return string(out), err
}
