package testnet

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollEvery is how often a condition is looked at: often against the bounds
// that are measured, seldom against what a look costs.
const pollEvery = 20 * time.Millisecond

// fatalError ends a wait at once: the condition can't come true any more.
type fatalError struct{ error }

func (f *fatalError) Unwrap() error { return f.error }

// Poll looks at a condition until it is true. The condition's error says why it
// is not true yet, and becomes part of the error when the time is over.
func Poll(ctx context.Context, what string, within time.Duration, is func(context.Context) (bool, error)) error {
	_, err := Measure(ctx, what, within, is)
	return err
}

// Measure is Poll, and gives the time it took.
func Measure(ctx context.Context, what string, within time.Duration, is func(context.Context) (bool, error)) (time.Duration, error) {
	began := time.Now()
	late := time.NewTimer(within)
	defer late.Stop()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for {
		ask, cancel := context.WithTimeout(ctx, apiWithin)
		now, why := is(ask)
		cancel()
		if now {
			return time.Since(began), nil
		}
		var fatal *fatalError
		if errors.As(why, &fatal) {
			return time.Since(began), fmt.Errorf("waiting for %s: %w", what, fatal.error)
		}
		select {
		case <-ctx.Done():
			return time.Since(began), fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-late.C:
			if why == nil {
				why = errors.New("it is not so")
			}
			return time.Since(began), fmt.Errorf("waiting for %s: not within %s: %w", what, within, why)
		case <-again.C:
		}
	}
}
