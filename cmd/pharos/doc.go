// Pharos is the one binary: it runs Docker Compose apps on every device of a factory from
// one place. It is the daemon ('pharos run') and the tool that talks to one.
//
// Each command has its file (node.go, deploy.go, …) and says in a spec what it
// takes and does. command.go makes urfave/cli commands of specs, and args.go
// puts command lines in order first, so that flags may stand anywhere. What
// commands show goes through output.go and table.go: results to stdout in the
// format that -o names, everything else to stderr. Orders are waited for by
// await.go, which decides, and progress.go, which shows.
//
// Exit codes: 0 as wanted; 1 usage, connection or bad input; 2 failed, or a
// dry run that would change something; 3 timed out, still going on; 4 partly:
// some nodes are off and the order waits for them; 130 interrupted.
//
// The commands know no more of a running node than package api offers. Only
// wire.go and run.go touch the rooms behind it.
package main
