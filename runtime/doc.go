// Package runtime takes Compose apps in and keeps their containers running.
//
// Give it the whole set of apps that a node's ledger wants (Assign); it says
// how each of them is (Config.Report) whenever that changes. In between there
// is one loop per app (app.go), and each turn of it is the same four steps:
//
//	observe  (observe.go)  all reads: containers, networks, volumes, images
//	plan     (plan.go)     a pure function: what is there, what is wanted → jobs, printable
//	execute  (execute.go)  does the jobs that can be done now; decides nothing
//	report   (report.go)   what the last look and the jobs' outcomes say of the app
//
// A turn never waits for anything slow. Jobs run beside the loop, a service
// whose dependency is not healthy yet simply has a step that can't be done now,
// and whatever ends (a pull, a start) or happens (an event of the engine)
// wakes the loop for the next turn. So a deploy, a crash, a container removed
// by hand and a reboot are all the same to it: what is there is not what is
// wanted. An app's hung pull delays neither other apps nor the healing of its
// own containers.
//
// # Whose containers
//
// Names and labels are docker compose's own, so that its `ls`, `ps` and `logs`
// show the app. Two labels are ours, on containers, networks and volumes:
// pharos.node and pharos.app. A node observes and touches only what bears its
// own pharos.node. How several nodes share one engine is told in claim.go.
//
// # What is healed
//
// A container that is not running is started again, whatever ended it: at
// once when it had been up for a while, or was killed from outside; then with
// pauses of 1 s doubling to 5 min (memory.go). Not when an order stopped it; not
// when it is a task that ended well (exit code 0 and no restart policy, or
// on-failure); and not while Docker's own restart policy acts on it. What was
// replaced by hand (removed containers, networks) is made again.
//
// A container that ended with code 0 and has no restart policy is a task,
// unless something says that it was stopped: a kill or stop by hand was seen,
// it has a health check or publishes ports, or the engine has been restarted
// since and no other service waits for its completion.
//
// # What it refuses
//
// It starts, stops and removes nothing without an order, nothing that bears
// another node's label or none, and no named volume ever. An app that is no
// longer assigned is left as it is: only an order with state.Gone removes it.
package runtime
