// probe is a pod for tests: a server that says who it is, and the client that calls it. One static program, no shell.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = `probe serve PORT...            HTTP that answers with host name and $MESSAGE, and UDP that echoes, until SIGTERM
probe get URL [WITHIN]         body of an HTTP answer (default: within 2s)
probe dial HOST:PORT [WITHIN]  open a TCP connection
probe echo HOST:PORT [WITHIN]  send a UDP packet and wait for it to come back
probe lookup NAME              addresses of a name
probe append FILE TEXT         add a line to a file, and print all of it
probe read FILE                content of a file
probe eat MIB                  use memory until killed
`

func within(args []string) time.Duration {
	if len(args) > 1 {
		if given, err := time.ParseDuration(args[1]); err == nil {
			return given
		}
	}
	return 2 * time.Second
}

func serve(ports []string) error {
	host, _ := os.Hostname()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s from %s\n", host, os.Getenv("MESSAGE"), r.RemoteAddr)
	})
	failed := make(chan error, 2*len(ports))
	for _, port := range ports {
		go func() { failed <- http.ListenAndServe(":"+port, nil) }()
		packets, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			return err
		}
		go func() {
			buffer := make([]byte, 1500)
			for {
				n, from, err := packets.ReadFrom(buffer)
				if err != nil {
					failed <- err
					return
				}
				_, _ = packets.WriteTo(buffer[:n], from)
			}
		}()
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	fmt.Println("serving", strings.Join(ports, " "))
	select {
	case err := <-failed:
		return err
	case <-stop:
		return nil
	}
}

func get(args []string) error {
	client := http.Client{Timeout: within(args)}
	answer, err := client.Get(args[0])
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", answer.Status)
	}
	return err
}

func echo(args []string) error {
	connection, err := net.DialTimeout("udp", args[0], within(args))
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(within(args)))
	if _, err = connection.Write([]byte("hello")); err == nil {
		_, err = connection.Read(make([]byte, 16))
	}
	return err
}

func appendTo(file string, text string) error {
	stream, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintln(stream, text); err == nil {
		err = stream.Sync()
	}
	stream.Close()
	if err != nil {
		return err
	}
	return read(file)
}

func read(file string) error {
	content, err := os.ReadFile(file)
	fmt.Print(string(content))
	return err
}

func eat(mib string) error {
	count, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	var eaten [][]byte
	for range count {
		piece := make([]byte, 1<<20)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1
		}
		eaten = append(eaten, piece)
	}
	fmt.Println("eaten", len(eaten))
	select {}
}

func run(verb string, args []string) error {
	switch {
	case verb == "serve" && len(args) > 0:
		return serve(args)
	case verb == "get" && len(args) > 0:
		return get(args)
	case verb == "dial" && len(args) > 0:
		connection, err := net.DialTimeout("tcp", args[0], within(args))
		if err == nil {
			connection.Close()
		}
		return err
	case verb == "echo" && len(args) > 0:
		return echo(args)
	case verb == "lookup" && len(args) == 1:
		addresses, err := net.DefaultResolver.LookupHost(context.Background(), args[0])
		fmt.Println(strings.Join(addresses, " "))
		return err
	case verb == "append" && len(args) == 2:
		return appendTo(args[0], args[1])
	case verb == "read" && len(args) == 1:
		return read(args[0])
	case verb == "eat" && len(args) == 1:
		return eat(args[0])
	}
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
	return nil
}

func main() {
	if len(os.Args) < 2 {
		os.Args = append(os.Args, "")
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
