package state

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NodeID is a node's libp2p peer ID, always of an ed25519 key,
// "12D3KooWJRkLmzW3…". The root's NodeID is the factory's ID.
type NodeID string

// Short is the end of an ID, enough for people to tell two apart: "…x3Fq9w".
func (id NodeID) Short() string {
	if len(id) <= 8 {
		return string(id)
	}
	return "…" + string(id[len(id)-7:])
}

// Name is what people call a node, an app or a group: "press-7".
type Name string

// MaxName is the longest name, in bytes: a DNS label's, since names become
// parts of container and host names.
const MaxName = 63

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// ParseName checks a name that a person gave for a thing ("node", "app",
// "group").
func ParseName(what, s string) (Name, error) {
	bad := func(why string) error {
		return &Problem{
			Kind: Invalid, Doing: fmt.Sprintf("reading the %s name %q", what, Clip(s, 80)), Cause: why,
			Fix: "use 1 to 63 lower-case letters, digits, '-' and '_', beginning with a letter or digit, like press-7",
		}
	}
	switch {
	case s == "":
		return "", bad("it is empty")
	case len(s) > MaxName:
		return "", bad(fmt.Sprintf("it is %d characters long", len(s)))
	case s == "all":
		return "", bad("'all' is the selector of every node")
	case !nameRule.MatchString(s):
		return "", bad("it has a character that names can't have")
	}
	return Name(s), nil
}

var (
	labelKeyRule   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$`)
	labelValueRule = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$`)
)

// ParseLabel reads "arch=arm64". An empty value is allowed.
func ParseLabel(s string) (key, value string, err error) {
	key, value, found := strings.Cut(s, "=")
	if !found || !labelKeyRule.MatchString(key) || !labelValueRule.MatchString(value) {
		return "", "", &Problem{
			Kind: Invalid, Doing: fmt.Sprintf("reading the label %q", Clip(s, 80)), Cause: "it is no key=value",
			Fix: "write it like arch=arm64: letters, digits, '.', '_' and '-', at most 63 characters on each side",
		}
	}
	return key, value, nil
}

// Clip shortens s, which may come from outside, to at most n bytes of valid
// UTF-8 for a message.
func Clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "")
	}
	const more = "…"
	return strings.ToValidUTF8(s[:max(n-len(more), 0)], "") + more
}

// colours are the escape sequences that programs write to terminals.
var colours = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")

// plain is Clip for what other nodes and containers said and people will read:
// one line that can't play tricks on a terminal.
func plain(s string, n int) string {
	if len(s) <= n && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }) {
		return s
	}
	s = Clip(colours.ReplaceAllString(s[:min(len(s), 4*n)], ""), n)
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
