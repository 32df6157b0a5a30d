package runtime

import (
	"context"
	"strings"
	"time"

	"pharos/state"
)

// tail is the end of what a failing container printed, and how it ended.
type tail struct {
	end   time.Time // of the run it is of
	how   string
	lines []string
}

// readTails reads the last lines of containers that failed, once per death,
// and forgets those that have recovered.
func (a *app) readTails(ctx context.Context, seen observed) {
	there := map[string]bool{}
	for _, c := range seen.containers {
		of, number, _ := slotOf(c)
		s := a.mem.slots[slotKey(of, number)]
		died := (c.State == "exited" || c.State == "restarting") && c.ExitCode != 0
		sick := c.State == "running" && c.Health == "unhealthy"
		if !died && !sick && !s.looping() {
			continue
		}
		there[c.ID] = true
		if t, ok := a.tails[c.ID]; ok && t.end.Equal(c.Finished) || !died && !sick {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		lines, err := a.cfg.Engine.Logs(ctx, c.ID, state.MaxLogLines)
		cancel()
		if err != nil {
			a.log.Debug("no log lines", "container", c.Name, "err", err)
		}
		a.tails[c.ID] = tail{end: c.Finished, how: howItEnded(c), lines: clipLines(lines)}
	}
	for id := range a.tails {
		if !there[id] {
			delete(a.tails, id)
		}
	}
}

func clipLines(lines []string) []string {
	if len(lines) > state.MaxLogLines {
		lines = lines[len(lines)-state.MaxLogLines:]
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = state.Clip(strings.ToValidUTF8(l, "?"), state.MaxLogLine-3)
	}
	return out
}
