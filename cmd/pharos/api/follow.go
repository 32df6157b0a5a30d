package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"pharos/state"
)

// Event is one line of a followed app: how it is now or, at the end, why there
// is nothing more to follow. Exactly one of the two is set.
type Event struct {
	App     *state.AppDetail `json:"app,omitempty"` // without its Compose
	Problem *state.Problem   `json:"problem,omitempty"`
}

// lineTimeout is how long a reader of a stream may take to make room for a line.
const lineTimeout = 15 * time.Second

// restBetween is how long follow rests between two looks at an app: its
// readers are people, and a large app's picture takes work.
const restBetween = 50 * time.Millisecond

// follow writes the app at once, and again whenever it has changed, until the
// caller goes, the server stops, or the app is no more.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, q question[none]) error {
	// The ticks first, so that no change falls between the first look and them.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	ticks := s.ops.Watch(ctx)

	out := http.NewResponseController(w)
	var last []byte
	for {
		app, err := s.ops.App(ctx, q.Name)
		if err != nil && last == nil {
			return err
		}
		var event Event
		if err != nil {
			event.Problem = state.AsProblem(err, "following "+string(q.Name))
		} else {
			app.Compose = ""
			event.App = &app
		}
		line, err := json.Marshal(filled(event))
		if err != nil {
			return err
		}
		if !bytes.Equal(line, last) {
			if last == nil {
				w.Header().Set("Content-Type", "application/x-ndjson")
			}
			last = line
			_ = out.SetWriteDeadline(time.Now().Add(lineTimeout))
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err // the caller has gone: nobody reads it
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if event.Problem != nil {
			return nil
		}
		rest := time.NewTimer(restBetween)
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
		select {
		case <-ctx.Done():
			return nil
		case _, more := <-ticks:
			if !more {
				return nil
			}
		}
	}
}

// ErrEnough ends a Follow without an error, when the function given to it returns it.
var ErrEnough = errors.New("enough was seen")

// Follow calls see with an app's detail (its Compose left out), at once and
// after every change, until see returns an error, which Follow returns (nil
// for ErrEnough); ctx ends, whose cause it returns; the app is no more, a NotFound
// problem; or the daemon goes, an Unable one.
func (c *Client) Follow(ctx context.Context, app state.Name, see func(state.AppDetail) error) error {
	response, err := followApp.send(ctx, c, app, none{})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := json.NewDecoder(response.Body)
	for {
		var event Event
		err := lines.Decode(&event)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return &state.Problem{
				Kind: state.Unable, Doing: "following " + string(app), Cause: "the daemon stopped meanwhile",
				Fix: "start it again with '" + c.start + "'; what it accepted stands", Err: err,
			}
		case err != nil:
			return c.explain(ctx, err)
		case event.Problem != nil:
			return event.Problem
		case event.App == nil:
			continue
		}
		if err := see(*event.App); errors.Is(err, ErrEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
