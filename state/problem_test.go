package state

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestProblemPrints(t *testing.T) {
	for want, p := range map[string]*Problem{
		"deploying shop on press-7: no image; pull it": {Doing: "deploying shop", Node: "press-7", Cause: "no image", Fix: "pull it"},
		"deploying shop: no image":                     {Doing: "deploying shop", Cause: "no image"},
		"deploying shop":                               {Doing: "deploying shop"},
		"no image":                                     {Cause: "no image"},
		"reading: disk gone":                           {Doing: "reading", Err: errors.New("disk gone")},
		"":                                             {},
	} {
		if p.Error() != want {
			t.Errorf("%#v prints %q, want %q", p, p.Error(), want)
		}
	}
}

func TestBecause(t *testing.T) {
	inner := &Problem{Kind: NotFound, Doing: "looking for x", Cause: "there is none", Fix: "make it"}
	for _, c := range []struct {
		name, want string
		p          *Problem
		kind       Kind
	}{
		{"plain error", "doing: boom; fix it", Because(Unable, "doing", errors.New("boom"), "fix it"), Unable},
		{"keeps kind and fix", "doing: looking for x: there is none; make it", Because(Unable, "doing", inner, ""), NotFound},
		{"a better fix replaces", "doing: looking for x: there is none; fix it", Because(Unable, "doing", inner, "fix it"), NotFound},
		{"through a wrap", "doing: why: looking for x: there is none; make it", Because(Unable, "doing", fmt.Errorf("why: %w", inner), ""), NotFound},
	} {
		if c.p.Error() != c.want || c.p.Kind != c.kind {
			t.Errorf("%s: %q of kind %s, want %q of %s", c.name, c.p, c.p.Kind, c.want, c.kind)
		}
		if strings.Count(c.p.Error(), "; ") != 1 {
			t.Errorf("%s: not one fix in %q", c.name, c.p)
		}
	}
	if p := Because(Unable, "doing", inner, ""); !errors.Is(p, inner) {
		t.Error("the error below is lost")
	}
	if KindOf(errors.New("x")) != Unable || KindOf(fmt.Errorf("x: %w", inner)) != NotFound {
		t.Error("KindOf")
	}
	if AsProblem(inner, "doing") != inner || AsProblem(fmt.Errorf("x: %w", inner), "doing").Kind != NotFound {
		t.Error("AsProblem")
	}
}

func TestProblemsCrossTiers(t *testing.T) {
	p := &Problem{Kind: Taken, Doing: "doing", Node: "press-7", Cause: "cause", Fix: "fix"}
	if got := ProblemFromWire(ProblemToWire(p)); *got != *p {
		t.Errorf("%#v became %#v", p, got)
	}
	if got := ProblemFromWire(ProblemToWire(&Problem{Doing: "doing", Err: errors.New("below")})); got.Cause != "below" {
		t.Errorf("the cause below is lost: %#v", got)
	}
	wild := strings.Repeat("\xff\x1b[31m\né", 10_000)
	got := ProblemFromWire(ProblemToWire(&Problem{Kind: Kind(wild), Doing: wild, Node: Name(wild), Cause: wild, Fix: wild}))
	if s := got.Error(); len(s) > 4*MaxReason || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\x1b") {
		t.Errorf("wild words came through: %.60q (%d bytes)", s, len(s))
	}
	if nothing := ProblemFromWire(nil); nothing == nil || nothing.Error() != "" {
		t.Errorf("no problem became %#v", nothing)
	}
}
