package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"pharos/state"
)

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// document is a problem on its way: RFC 9457's members, and ours beside them,
// from which the client makes the same *state.Problem again.
type document struct {
	Type   string `json:"type"`   // "urn:pharos:problem:not-found"
	Title  string `json:"title"`  // "Not Found"
	Status int    `json:"status"` // 404
	Detail string `json:"detail"` // the whole problem as one line
	state.Problem
}

// statusOf is the HTTP status of each kind of problem.
var statusOf = map[state.Kind]int{
	state.Invalid:   http.StatusBadRequest,
	state.NotFound:  http.StatusNotFound,
	state.Taken:     http.StatusConflict,
	state.Refused:   http.StatusForbidden,
	state.Unable:    http.StatusServiceUnavailable,
	state.Corrupt:   http.StatusInternalServerError,
	state.Elsewhere: http.StatusMisdirectedRequest,
}

func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := *state.AsProblem(err, fmt.Sprintf("answering %s %s", r.Method, state.Clip(r.URL.Path, 200)))
	if p.Cause == "" && p.Err != nil {
		p.Cause = p.Err.Error() // Err itself does not travel
	}
	status, known := statusOf[p.Kind]
	if !known {
		status = http.StatusInternalServerError
	}
	var tooLarge *http.MaxBytesError
	var panicked panicError
	switch {
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.As(err, &panicked):
		status = http.StatusInternalServerError
	}
	_ = writeJSON(w, status, problemType, document{
		Type: "urn:pharos:problem:" + string(p.Kind), Title: http.StatusText(status), Status: status,
		Detail: p.Error(), Problem: p,
	})
}

// maxProblem is how much of an error's body a client reads, in bytes.
const maxProblem = 64 << 10

// readProblem is the error that a response tells.
func readProblem(response *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	var d document
	if err == nil && json.Unmarshal(b, &d) == nil && d.Kind != "" {
		return &d.Problem
	}
	return &state.Problem{
		Kind: state.Unable, Doing: "asking the daemon", Cause: fmt.Sprintf("it answered %q", response.Status),
		Fix: "are the pharos command and the daemon of the same version?",
	}
}
