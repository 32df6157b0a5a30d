package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pharos/state"
)

// endpoint is one operation as both sides see it. Ask is the body of the
// question, Answer that of the answer; none is no body.
type endpoint[Ask, Answer any] struct {
	method string
	path   string // a ServeMux pattern; its one variable, if any, is {name}
	of     string // what {name} is the name of: node, group, app
	limit  int64  // of the question's body, in bytes
}

type none struct{}

// question is what arrived at an endpoint, checked and decoded.
type question[Ask any] struct {
	Name state.Name // empty when the path has none
	Body Ask
}

// to makes a route of the endpoint: a line of the table.
func (e endpoint[Ask, Answer]) to(do func(ctx context.Context, q question[Ask]) (Answer, error)) route {
	return e.raw(func(w http.ResponseWriter, r *http.Request, q question[Ask]) error {
		answer, err := do(r.Context(), q)
		if err != nil {
			return err
		}
		if _, empty := any(answer).(none); empty {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return writeJSON(w, http.StatusOK, "application/json", answer)
	})
}

// raw is to for an endpoint that writes its answer itself.
func (e endpoint[Ask, Answer]) raw(do func(w http.ResponseWriter, r *http.Request, q question[Ask]) error) route {
	return route{method: e.method, path: e.path, serve: func(w http.ResponseWriter, r *http.Request) error {
		var q question[Ask]
		var err error
		if e.of != "" {
			if q.Name, err = state.ParseName(e.of, r.PathValue("name")); err != nil {
				return err
			}
		}
		if e.limit > 0 {
			if err := readJSON(http.MaxBytesReader(w, r.Body, e.limit), &q.Body); err != nil {
				return err
			}
		}
		return do(w, r, q)
	}}
}

// readJSON reads exactly one value, refusing fields that it does not know: a
// field that was mistyped or is of a newer version must not be ignored.
func readJSON(from io.Reader, into any) error {
	dec := json.NewDecoder(from)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err == nil {
			err = errors.New("there is more behind the end of the JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &state.Problem{
			Kind: state.Invalid, Doing: "reading the request", Cause: fmt.Sprintf("it is over %d bytes long", tooLarge.Limit),
			Fix: "ask for less at a time", Err: err,
		}
	}
	var problem *state.Problem
	if errors.As(err, &problem) {
		return problem
	}
	return &state.Problem{
		Kind: state.Invalid, Doing: "reading the request", Cause: state.Clip(err.Error(), state.MaxReason),
		Fix: "are the pharos command and the daemon of the same version?", Err: err,
	}
}

// writeJSON answers with a value. Errors of the connection are nobody's: the
// caller is gone.
func writeJSON(w http.ResponseWriter, status int, kind string, value any) error {
	b, err := json.Marshal(filled(value))
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
	return nil
}

// callTimeout is how long a client waits for an answer: every operation is
// one of the daemon's memory and disk, and none waits for other nodes.
const callTimeout = 30 * time.Second

// ask asks a daemon. name fills the path's {name}; it is empty when there is none.
func (e endpoint[Ask, Answer]) ask(ctx context.Context, c *Client, name state.Name, body Ask) (Answer, error) {
	var answer Answer
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errSlow)
	defer cancel()
	response, err := e.send(ctx, c, name, body)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	if _, empty := any(answer).(none); empty {
		return answer, nil
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer, c.explain(ctx, err)
	}
	return answer, nil
}

// send gives the response when it is a good one; the caller closes its body.
func (e endpoint[Ask, Answer]) send(ctx context.Context, c *Client, name state.Name, body Ask) (*http.Response, error) {
	if e.of != "" {
		if _, err := state.ParseName(e.of, string(name)); err != nil {
			return nil, err
		}
	}
	var content io.Reader
	if e.limit > 0 {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		content = bytes.NewReader(b)
	}
	path := strings.Replace(e.path, "{name}", url.PathEscape(string(name)), 1)
	request, err := http.NewRequestWithContext(ctx, e.method, "http://pharos"+path, content)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if response.StatusCode >= 300 {
		defer response.Body.Close()
		return nil, readProblem(response)
	}
	return response, nil
}
