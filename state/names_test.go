package state

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestParseName(t *testing.T) {
	for s, ok := range map[string]bool{
		"press-7": true, "0": true, "a_b-c": true, strings.Repeat("x", 63): true,
		"": false, "all": false, "Press": false, "-a": false, "_a": false, "a.b": false, "a b": false, "a,b": false,
		"!a": false, "a\n": false, "\xff": false, "prèss": false, strings.Repeat("x", 64): false, strings.Repeat("x", 1<<20): false,
	} {
		n, err := ParseName("node", s)
		if ok != (err == nil) || ok && string(n) != s {
			t.Errorf("ParseName(%.20q) = %q, %v; want ok %v", s, n, err, ok)
		}
		if err != nil && (KindOf(err) != Invalid || len(err.Error()) > 400 || !utf8.ValidString(err.Error())) {
			t.Errorf("ParseName(%.20q): the error is no good: %q", s, err)
		}
	}
}

func TestParseLabel(t *testing.T) {
	for s, ok := range map[string]bool{
		"arch=arm64": true, "empty=": true, "a/b.c_d-e=F.9": true, strings.Repeat("k", 63) + "=" + strings.Repeat("v", 63): true,
		"": false, "=": false, "=v": false, "k": false, "k=v=w": false, "k= v": false, "k=-": false, "k=a,b": false, "-k=v": false,
		strings.Repeat("k", 64) + "=v": false, "k=" + strings.Repeat("v", 64): false, "k=\xff": false, "k=v\n": false,
	} {
		k, v, err := ParseLabel(s)
		if ok != (err == nil) || ok && k+"="+v != s {
			t.Errorf("ParseLabel(%.30q) = %q, %q, %v; want ok %v", s, k, v, err, ok)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 5, "lo…"},
		{"ééé", 5, "é…"},
		{"a\xffb", 5, "ab"},
		{"ab", 0, "…"},
	} {
		got := Clip(c.in, c.n)
		if got != c.want || !utf8.ValidString(got) || len(got) > max(c.n, len("…")) {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
		if again := Clip(got, max(c.n, 3)); again != got {
			t.Errorf("clipped twice, %q is %q", got, again)
		}
	}
}

func TestPlainPlaysNoTricks(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                    "plain",
		"\x1b[31mred\x1b[0m":       "red",
		"two\nlines":               "two lines",
		"\x1b]0;title\x07":         " ]0;title ",
		"bad \xff\xfe bytes":       "bad  bytes",
		strings.Repeat("é", 1<<20): strings.Repeat("é", 23) + "…",
	} {
		if got := plain(in, 50); got != want {
			t.Errorf("plain(%.20q) = %q, want %q", in, got, want)
		}
	}
}

func TestShortID(t *testing.T) {
	if s := root.Short(); !strings.HasSuffix(string(root), strings.TrimPrefix(s, "…")) || len(s) > 12 {
		t.Errorf("the root's ID is %q for short", s)
	}
	if NodeID("abc").Short() != "abc" {
		t.Error("a short ID is changed")
	}
}

func TestPeerIDsHaveOneForm(t *testing.T) {
	if _, err := root.Peer(); err != nil {
		t.Error(err)
	}
	p, _ := root.Peer()
	for _, id := range []NodeID{"", "x", root + "x", NodeID(strings.Repeat("1", 1<<16)), "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "\xff"} {
		if _, err := id.Peer(); err == nil {
			t.Errorf("%.20q is taken for an ID", id)
		}
	}
	// The same key as a CID.
	cid := peer.ToCid(p).String()
	if _, err := NodeID(cid).Peer(); err == nil {
		t.Errorf("%q is another form of %s, and taken", cid, root)
	}
}
