package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, release) // so that a second signal ends the process at once
	p := &program{in: os.Stdin, screen: realScreen(), now: time.Now, rooms: realRooms(), hold: time.Second}
	os.Exit(p.run(ctx, os.Args[1:]))
}
