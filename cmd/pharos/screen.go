package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"pharos/state"
)

// screen is where a program prints to.
type screen struct {
	out, err       io.Writer
	outTTY, errTTY bool
	colour         bool                       // on those of the two that are terminals
	size           func() (width, height int) // of the terminal, in characters; asked anew each time
}

// realScreen is the process's own.
func realScreen() screen {
	s := screen{out: os.Stdout, err: os.Stderr}
	s.outTTY, s.errTTY = isTerminal(os.Stdout), isTerminal(os.Stderr)
	s.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	s.size = func() (int, int) {
		for _, f := range []*os.File{os.Stdout, os.Stderr} {
			if w, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && w.Col > 0 && w.Row > 0 {
				return int(w.Col), int(w.Row)
			}
		}
		return 80, 24
	}
	return s
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// tone is a colour; what it says is always said in words too.
type tone string

const (
	plain tone = ""
	good  tone = "\x1b[32m"
	warn  tone = "\x1b[33m"
	bad   tone = "\x1b[31m"
	dim   tone = "\x1b[2m"
	bold  tone = "\x1b[1m"
)

func (t tone) paint(s string, on bool) string {
	if !on || t == plain || s == "" {
		return s
	}
	return string(t) + s + "\x1b[0m"
}

// escape is a terminal's control sequence: a colour, a move of the cursor.
var escape = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]`)

// clean takes out of a text what could move the cursor or worse: reasons and
// log lines come from containers.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, escape.ReplaceAllString(s, ""))
}

// clip shortens a text to a width in characters.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(width-1, 0)]) + "…"
}

// mark is a readiness as a symbol and a word.
func mark(r state.Readiness) (string, tone) {
	switch r {
	case state.Ready:
		return "● Ready", good
	case state.NotReady:
		return "✗ NotReady", bad
	}
	return "? Unknown", warn
}

// toneOf is the colour of an app's state.
func toneOf(s state.AppState) tone {
	switch s {
	case state.AppReady:
		return good
	case state.AppFailed:
		return bad
	case state.AppStopped, state.AppGone:
		return plain
	}
	return warn
}

// age is how long ago something was: "12s", "3m", "5h", "2d"; "-" when nobody knows.
func (p *program) age(t time.Time) string {
	if t.Unix() <= 0 {
		return "-"
	}
	return span(p.now().Sub(t))
}

// span is a duration for people, in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// bytesText is a size for people: "1.4 GiB".
func bytesText(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// many is "1 node" or "3 nodes".
func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// list joins names, cut short after most of them.
func list[T ~string](names []T, most int) string {
	var b strings.Builder
	for i, n := range names {
		if i == most && len(names) > most+1 {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(n))
	}
	return b.String()
}
