package state

import (
	"reflect"
	"strings"
	"testing"

	"pharos/state/wire"
)

func token(t testing.TB, addresses ...string) (JoinToken, []byte) {
	t.Helper()
	tok, key, err := NewJoinToken(root, "press-1", idOf("line-1"), addresses)
	if err != nil {
		t.Fatal(err)
	}
	return tok, key
}

func TestJoinTokenRoundTrip(t *testing.T) {
	var many []string
	for range 100 {
		many = append(many, "/ip4/10.0.0.1/tcp/4777/"+strings.Repeat("x", 300))
	}
	for _, addresses := range [][]string{nil, {"/ip4/10.0.0.1/tcp/4777"}, {"", "\xff"}, many} {
		tok, _ := token(t, addresses...)
		s := tok.String()
		got, err := ParseJoinToken(" " + s + "\n")
		if err != nil || !reflect.DeepEqual(got, tok) {
			t.Errorf("%+v became %+v, %v", tok, got, err)
		}
		if len(s) > MaxToken {
			t.Errorf("a token of %d bytes", len(s))
		}
	}
}

func TestMangledJoinTokensAreRefused(t *testing.T) {
	tok, _ := token(t, "/ip4/10.0.0.1/tcp/4777")
	s := tok.String()
	bad := []string{"", " ", "hello", tokenPrefix, s[1:], strings.ToUpper(s), s + "A", s + s, tokenPrefix + strings.Repeat("A", MaxToken)}
	for i := range s {
		bad = append(bad, s[:i], s[:i]+"\x00"+s[i+1:])
		for _, r := range []string{"A", "z", "_"} {
			if s[i:i+1] != r {
				bad = append(bad, s[:i]+r+s[i+1:])
			}
		}
	}
	for _, b := range bad {
		_, err := ParseJoinToken(b)
		if err == nil {
			t.Fatalf("%q was taken", b)
		}
		if KindOf(err) != Invalid || strings.Contains(err.Error(), s[len(tokenPrefix)+60:]) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func joinRequestOf(t testing.TB, request Sealed) *wire.JoinRequest {
	t.Helper()
	m := &wire.JoinRequest{}
	if _, err := open(request, joinRequestDocument(m), maxSmall); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestJoinRequests(t *testing.T) {
	tok, key := token(t)
	node := keyOf("press-1")
	request, err := tok.Request(node)
	if err != nil {
		t.Fatal(err)
	}
	gotKey, gotNode, err := OpenJoinRequest(request, root)
	if err != nil || gotNode != idOf("press-1") || string(gotKey) != string(key) {
		t.Fatalf("the root sees key %x and node %s, %v", gotKey, gotNode, err)
	}
	if strings.Contains(string(request), string(tok.Secret)) {
		t.Error("the secret travels")
	}
	for i := range request {
		if _, _, err := OpenJoinRequest(flipped(request, i), root); err == nil {
			t.Fatalf("byte %d flipped, and taken", i)
		}
	}
	_, _, err = OpenJoinRequest(request, idOf("mallory"))
	wantKind(t, err, Refused)

	// A relay that saw the request makes one for itself of the proof in it.
	m := joinRequestOf(t, request)
	stolen, err := seal(joinRequestDocument(m), keyOf("mallory"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = OpenJoinRequest(stolen, root)
	wantKind(t, err, Refused)

	// A proof signed with another key than the token's.
	other, _ := token(t)
	wrong, err := other.Request(node)
	if err != nil {
		t.Fatal(err)
	}
	m.Proof = joinRequestOf(t, wrong).GetProof()
	mixed, err := seal(joinRequestDocument(m), node)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = OpenJoinRequest(mixed, root)
	wantKind(t, err, Refused)

	for name, tokenKey := range map[string][]byte{"no key": nil, "short": {1, 2}, "long": make([]byte, 1000)} {
		m := joinRequestOf(t, request)
		m.TokenKey = tokenKey
		sealed, err := seal(joinRequestDocument(m), node)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenJoinRequest(sealed, root); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, _, err := OpenJoinRequest(make(Sealed, maxSmall+1), root); err == nil {
		t.Error("a huge request is taken")
	}
}
