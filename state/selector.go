package state

import (
	"fmt"
	"slices"
	"strings"
)

// Selector says where an app goes: "press-7", "group:painting", "tier:line-1"
// (everything below that gateway), "label:arch=arm64", "all"; commas unite, a
// leading "!" takes away: "tier:line-1,!press-7".
type Selector struct {
	Terms []Term
}

// Term is one part of a selector.
type Term struct {
	Not   bool
	By    By
	Name  Name   // of the node, group or gateway
	Key   string // of a label
	Value string
}

// By is what a term looks at.
type By string

// What a term can look at.
const (
	ByNode  By = "node"
	ByGroup By = "group"
	ByTier  By = "tier"
	ByLabel By = "label"
	ByAll   By = "all"
)

// MaxSelector is the longest selector, in bytes.
const MaxSelector = 16 << 10

// ParseSelector reads a selector. Whether the names in it exist is for the
// anchor to say, which knows the roster.
func ParseSelector(s string) (Selector, error) {
	bad := func(why string) (Selector, error) {
		return Selector{}, &Problem{
			Kind: Invalid, Doing: fmt.Sprintf("reading the selector %q", Clip(s, 120)), Cause: why,
			Fix: "name nodes like press-7, group:painting, tier:line-1, label:arch=arm64 or all; commas unite, a leading '!' takes away",
		}
	}
	if len(s) > MaxSelector {
		return bad(fmt.Sprintf("it is over %d bytes long", MaxSelector))
	}
	var sel Selector
	positive := false
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		var t Term
		if part, t.Not = strings.CutPrefix(part, "!"); part == "" {
			return bad("a part of it is empty")
		}
		kind, rest, qualified := strings.Cut(part, ":")
		var err error
		switch {
		case part == "all":
			t.By = ByAll
		case !qualified:
			t.By = ByNode
			t.Name, err = ParseName("node", part)
		case kind == "group" || kind == "tier":
			t.By = By(kind)
			t.Name, err = ParseName(kind, rest)
		case kind == "label":
			t.By = ByLabel
			t.Key, t.Value, err = ParseLabel(rest)
		default:
			return bad(fmt.Sprintf("%q is no kind of selector", Clip(kind, 40)))
		}
		if err != nil {
			return Selector{}, err
		}
		positive = positive || !t.Not
		sel.Terms = append(sel.Terms, t)
	}
	if !positive {
		return bad("it only takes away")
	}
	return sel, nil
}

// String gives the selector in its canonical form.
func (s Selector) String() string {
	parts := make([]string, len(s.Terms))
	for i, t := range s.Terms {
		parts[i] = t.String()
	}
	return strings.Join(parts, ",")
}

func (t Term) String() string {
	not := ""
	if t.Not {
		not = "!"
	}
	switch t.By {
	case ByAll:
		return not + "all"
	case ByNode:
		return not + string(t.Name)
	case ByLabel:
		return not + "label:" + t.Key + "=" + t.Value
	}
	return not + string(t.By) + ":" + string(t.Name)
}

// Names says whether the selector names the member: some term does, and no
// "!" term does. A removed member is named by nothing.
func (s Selector) Names(m Member) bool {
	if m.Removed {
		return false
	}
	named := false
	for _, t := range s.Terms {
		switch {
		case !t.matches(m):
		case t.Not:
			return false
		default:
			named = true
		}
	}
	return named
}

func (t Term) matches(m Member) bool {
	switch t.By {
	case ByAll:
		return true
	case ByNode:
		return m.Name == t.Name
	case ByGroup:
		return slices.Contains(m.Groups, t.Name)
	case ByTier:
		return m.Below(t.Name)
	case ByLabel:
		v, has := m.Labels[t.Key]
		return has && v == t.Value
	}
	return false
}

// MarshalText and UnmarshalText make a selector a string in JSON and YAML.
func (s Selector) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Selector) UnmarshalText(b []byte) error {
	parsed, err := ParseSelector(string(b))
	if err == nil {
		*s = parsed
	}
	return err
}
