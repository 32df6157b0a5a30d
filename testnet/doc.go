// Package testnet runs whole factories of real pharos processes on this
// machine: for the demo of the README, for end-to-end tests, and to play with.
// (Factories in memory, thousands of nodes large, are in package simulation.)
//
// # Use
//
// Up enrols and starts one process per node, each with its own data folder and
// loopback address, and returns when all are Ready:
//
//	f, err := testnet.Up(ctx, testnet.Config{Nodes: testnet.Tiers(1, 2, 4)})
//	defer f.Close(ctx)
//	r := f.Pharos(ctx, f.Root(), "tree")   // the command line, as an operator uses it
//	err = f.Node("line-1").Kill()          // kill -9
//	err = testnet.Poll(ctx, "line-1 NotReady", 10*time.Second, f.Is("line-1", state.NotReady))
//
// Close removes what the factory brought onto the machine: its apps, by
// ordering so; its processes, by their process groups; containers, networks
// and volumes that are left on the engine all the same, by the label that
// names its nodes; and its folder. On Linux the processes also end when the
// one that called Up does, however it ends.
//
// Demo is `make demo`: a story in numbered steps that checks what it shows.
//
// # What it refuses
//
// To touch a process, container or folder that is not the factory's own, and
// to wait without a deadline.
package testnet
