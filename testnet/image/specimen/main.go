// Command specimen is the one program in the image of tests and demos. It does
// as a container what the command or the environment asks for:
//
//	specimen serve  [--port 80] [--text hello] [--exit-after 5s] [--code 3] [--sick] [--slow 2s] [--stubborn]
//	specimen done   [--after 1s] [--code 0]
//	specimen health [--port 80]
//
// serve answers HTTP: / with its text, /env with its environment, /exit?code=3
// by ending, /health as its health is. health asks that, and is the image's
// health check. done is a task: it ends. Every flag can be given by a variable
// instead: SPECIMEN_PORT, SPECIMEN_EXIT_AFTER. SIGTERM ends it with code 0,
// unless it is stubborn.
//
// It is compiled from its embedded source alone: standard library only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	port      int
	text      string
	print     string
	exitAfter time.Duration
	after     time.Duration
	slow      time.Duration
	code      int
	sick      bool
	stubborn  bool
}

func main() {
	verb, args := "serve", os.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[0], args[1:]
	}
	o, err := read(args)
	if err != nil {
		fail(err)
	}
	switch verb {
	case "serve":
		serve(o)
	case "done":
		say("working for %s", o.after)
		wait(o.after, o)
		say("done with code %d", o.code)
		os.Exit(o.code)
	case "health":
		health(o)
	default:
		fail(fmt.Errorf("nobody knows how to %q; try serve, done or health", verb))
	}
}

func read(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("specimen", flag.ContinueOnError)
	f.IntVar(&o.port, "port", 80, "where to listen")
	f.StringVar(&o.text, "text", "hello", "what to answer")
	f.StringVar(&o.print, "print", "", "a line to print at the start")
	f.DurationVar(&o.exitAfter, "exit-after", 0, "end by itself, after so long")
	f.DurationVar(&o.after, "after", 0, "how long a task takes")
	f.DurationVar(&o.slow, "slow", 0, "listen only after so long")
	f.IntVar(&o.code, "code", 0, "what to end with")
	f.BoolVar(&o.sick, "sick", false, "fail the health check")
	f.BoolVar(&o.stubborn, "stubborn", false, "do not heed SIGTERM")
	var bad error
	f.VisitAll(func(fl *flag.Flag) {
		name := "SPECIMEN_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok {
			if err := fl.Value.Set(v); err != nil {
				bad = errors.Join(bad, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	return o, errors.Join(bad, f.Parse(args))
}

func serve(o options) {
	say("serving %q on port %d", o.text, o.port)
	if o.print != "" {
		say("%s", o.print)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, o.text) })
	mux.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, strings.Join(os.Environ(), "\n")) })
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Query().Get("code"))
		say("asked to end with code %d", code)
		os.Exit(code)
	})
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if o.sick {
			http.Error(w, "sick", http.StatusServiceUnavailable)
		}
	})
	go func() {
		wait(o.slow, o)
		server := &http.Server{Addr: net.JoinHostPort("", strconv.Itoa(o.port)), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		fail(server.ListenAndServe())
	}()
	if o.exitAfter == 0 {
		o.exitAfter = 100 * 365 * 24 * time.Hour
	}
	wait(o.exitAfter, o)
	say("ending with code %d", o.code)
	os.Exit(o.code)
}

// wait waits, or ends the program at SIGTERM. As process 1 of a container it
// would otherwise not be ended by it.
func wait(d time.Duration, o options) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	for timer := time.After(d); ; {
		select {
		case <-timer:
			return
		case <-ctx.Done():
			if !o.stubborn {
				say("told to end")
				os.Exit(0)
			}
			<-timer
			return
		}
	}
}

func health(o options) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port))+"/health", nil)
	if err != nil {
		fail(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		fail(err)
	}
	if answer.StatusCode != http.StatusOK {
		fail(fmt.Errorf("the check says %s", answer.Status))
	}
}

func say(format string, args ...any) { fmt.Fprintf(os.Stdout, "specimen: "+format+"\n", args...) }

func fail(err error) {
	fmt.Fprintln(os.Stderr, "specimen:", err)
	os.Exit(1)
}
