// Package compose turns Compose files into the bytes that travel in an order,
// and those bytes back into a project.
//
// Load runs where the operator is. It reads files, .env, env files, variables,
// `extends`, `include` and merges, refuses what can't work on another machine,
// and gives canonical JSON: the same input gives the same bytes. Parse runs on
// the node. It reads those bytes and nothing else: no file, no environment, no
// substitution.
//
// Nothing in a file is ignored in silence. One table (support.go) says of every
// key whether it works, is ignored with a warning, or is refused with what to
// do instead; a key that is not in the table is refused by its name.
//
// It refuses: keys that build or watch sources, configs and secrets (for now),
// bind mounts with a relative path (the project's folder is not on the node),
// files over state.MaxCompose, and all that compose-go finds wrong.
package compose
