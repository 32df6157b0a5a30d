package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"pharos/state"
)

// Server answers on one listener. Serve starts it, Close stops it.
type Server struct {
	ops      Operations
	log      *slog.Logger
	http     *http.Server
	stopping context.Context // ends the streams
	stop     context.CancelFunc
	abort    context.CancelFunc // ends the operations too
	running  sync.WaitGroup     // the accepting goroutine, and every handler
	closing  sync.Once
	mu       sync.Mutex
	closed   bool // no further handler may begin
}

// Timeouts of the server's side of a connection.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second // of an answer that is no stream
	idleTimeout   = 2 * time.Minute
	closeGrace    = 2 * time.Second // for answers under way when Close is called
)

// Serve answers with ops on the listener, which it owns from now on, until
// Close. It returns at once.
func Serve(l net.Listener, ops Operations, log *slog.Logger) *Server {
	s := &Server{ops: ops, log: log}
	s.stopping, s.stop = context.WithCancel(context.Background())
	base, abort := context.WithCancel(context.Background())
	s.abort = abort
	s.http = &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	s.running.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the API has stopped answering", "error", err)
		}
	})
	return s
}

// Close stops answering: streams end at once, answers under way have 2 s, and
// their operations' contexts end after that. It returns when everything that
// Serve started is over, and the socket is gone. It can be called twice.
func (s *Server) Close() {
	s.closing.Do(func() {
		s.stop()
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			s.abort()
			_ = s.http.Close()
		}
		s.abort()
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	})
	s.running.Wait()
}

// begin counts a handler in, unless the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// handler routes the table, and refuses the rest.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.table() {
		mux.Handle(r.method+" "+r.path, s.guarded(r.serve))
	}
	mux.Handle("/", s.guarded(func(_ http.ResponseWriter, r *http.Request) error {
		return &state.Problem{
			Kind: state.NotFound, Doing: fmt.Sprintf("answering %s %s", state.Clip(r.Method, 20), state.Clip(r.URL.Path, 200)),
			Cause: "this daemon knows no such operation", Fix: "are the pharos command and the daemon of the same version?",
		}
	}))
	return mux
}

// panicError is a mistake of ours, caught.
type panicError struct{ value any }

func (p panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// guarded turns errors and panics into problems.
func (s *Server) guarded(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			writeProblem(w, r, &state.Problem{Kind: state.Unable, Cause: "the daemon is stopping", Fix: "start it again"})
			return
		}
		defer s.running.Done()
		seen := &watched{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			s.log.Error("the API met a mistake in Pharos itself", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			if seen.begun {
				panic(http.ErrAbortHandler) //nolint:forbidigo // too late for a problem: so net/http breaks the connection off
			}
			writeProblem(w, r, &state.Problem{
				Kind: state.Unable, Doing: fmt.Sprintf("answering %s %s", r.Method, state.Clip(r.URL.Path, 200)),
				Cause: "a mistake in Pharos itself", Fix: "please report it with the daemon's log", Err: panicError{v},
			})
		}()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
		if err := serve(seen, r); err != nil && !seen.begun {
			writeProblem(w, r, err)
		}
	})
}

// watched remembers whether an answer has begun.
type watched struct {
	http.ResponseWriter
	begun bool
}

func (w *watched) WriteHeader(status int) { w.begun = true; w.ResponseWriter.WriteHeader(status) }

func (w *watched) Write(b []byte) (int, error) { w.begun = true; return w.ResponseWriter.Write(b) }

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
