// Package api is the local door of a daemon: HTTP with JSON over a unix
// socket that only its owner may open, and the Go client for it.
//
// Server and client are built from the same endpoints (endpoints.go), each a
// method, a path, and the types of question and answer; so they can't drift.
// The table in routes.go says what each endpoint does. What is not in the
// table is refused. Whoever may open the socket may call everything in it:
// there is no other authority here than the file's owner and mode, 0600.
//
// Problems travel as RFC 9457 documents and arrive as the *state.Problem that
// they were (problem.go). Follow is a stream of JSON lines (follow.go).
//
// The package refuses bodies that are too large, fields that it does not know,
// names that are none, and a socket that a living daemon holds.
package api
