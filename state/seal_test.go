package state

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"google.golang.org/protobuf/encoding/protowire"
)

func TestOrdersRoundTrip(t *testing.T) {
	full := place("press-1")
	full.Groups, full.Labels, full.Removed = []Name{"a", "b"}, map[string]string{"arch": "arm64", "e": ""}, true
	big := app(t, "big", 1, "all")
	for name, fill := range map[string]func(*Order){
		"app":     app(t, "shop", 7, "tier:line-1,!press-2"),
		"gone":    wanting(Gone, func(o *Order) { app(t, "shop", 7, "all")(o); o.App.Compose = nil }),
		"root":    member("plant"),
		"member":  func(o *Order) { o.Member = &full },
		"largest": func(o *Order) { big(o); o.App.Compose = bytes.Repeat([]byte("x"), MaxCompose) },
	} {
		want := Order{Factory: root, Issuer: root, Stamp: Stamp{3, 9}, Issued: when}
		fill(&want)
		got, err := OpenOrder(orderAt(t, want.Stamp, fill), root)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !got.Issued.Equal(want.Issued) {
			t.Errorf("%s: issued %v", name, got.Issued)
		}
		got.Issued = want.Issued
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v became %+v", name, want, got)
		}
	}
}

func TestTamperedOrdersAreRefused(t *testing.T) {
	honest := order(t, 5, app(t, "shop", 1, "all"))
	if _, err := OpenOrder(honest, root); err != nil {
		t.Fatal(err)
	}
	for i := range honest {
		for bit := range 8 {
			b := bytes.Clone(honest)
			b[i] ^= 1 << bit
			if _, err := OpenOrder(b, root); err == nil {
				t.Fatalf("bit %d of byte %d flipped, and taken", bit, i)
			}
		}
	}
	for i := range honest {
		if _, err := OpenOrder(honest[:i], root); err == nil {
			t.Fatalf("cut to %d bytes, and taken", i)
		}
	}
	padded := append(bytes.Clone(honest), protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), []byte("more"))...)
	_, err := OpenOrder(padded, root)
	wantKind(t, err, Corrupt) // the same signed bytes in another envelope would be a false alarm
}

func TestOrdersWithoutAuthorityAreRefused(t *testing.T) {
	other, shop := keyOf("mallory"), app(t, "shop", 1, "all")
	seal := func(change func(*Order), key crypto.PrivKey) Sealed {
		o := Order{Factory: root, Issuer: root, Stamp: Stamp{1, 1}, Issued: when}
		shop(&o)
		change(&o)
		sealed, err := SealOrder(o, key)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	rsa, _, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secp, _, err := crypto.GenerateSecp256k1Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(*Order) {}
	for name, c := range map[string]struct {
		sealed  Sealed
		factory NodeID
	}{
		"another signer":                {seal(nothing, other), root},
		"issuer and signer are another": {seal(func(o *Order) { o.Issuer = idOf("mallory") }, other), root},
		"names another issuer":          {seal(func(o *Order) { o.Issuer = idOf("mallory") }, rootKey), root},
		"another factory":               {seal(func(o *Order) { o.Factory = idOf("mallory") }, rootKey), root},
		"opened in another factory":     {seal(nothing, rootKey), idOf("mallory")},
		"an RSA key":                    {seal(nothing, rsa), root},
		"a secp256k1 key":               {seal(nothing, secp), root},
		"a second root":                 {seal(func(o *Order) { member("plant")(o); o.App, o.Member.ID = nil, idOf("x") }, rootKey), root},
		"the root below somebody":       {seal(func(o *Order) { member("press-1")(o); o.App, o.Member.ID = nil, root }, rootKey), root},
	} {
		_, err := OpenOrder(c.sealed, c.factory)
		if err == nil || KindOf(err) != Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMalformedOrdersAreRefused(t *testing.T) {
	many := func(n int) (out []Name) {
		for i := range n {
			out = append(out, Name(fmt.Sprintf("n%d", i)))
		}
		return out
	}
	labels := map[string]string{}
	for _, n := range many(MaxLabels + 1) {
		labels[string(n)] = "x"
	}
	onApp := func(change func(*AppOrder)) func(*Order) {
		return func(o *Order) { app(t, "shop", 1, "all")(o); change(o.App) }
	}
	onMember := func(change func(*Member)) func(*Order) {
		return func(o *Order) { member("press-1")(o); change(o.Member) }
	}
	for name, fill := range map[string]func(*Order){
		"no epoch":            func(o *Order) { app(t, "shop", 1, "all")(o); o.Stamp.Epoch = 0 },
		"no number":           func(o *Order) { app(t, "shop", 1, "all")(o); o.Stamp.Number = 0 },
		"bad app name":        onApp(func(a *AppOrder) { a.App = "Shop/../x" }),
		"no revision":         onApp(func(a *AppOrder) { a.Revision = 0 }),
		"strange want":        onApp(func(a *AppOrder) { a.Want = "explode" }),
		"no selector":         onApp(func(a *AppOrder) { a.Selector = Selector{} }),
		"too large":           onApp(func(a *AppOrder) { a.Compose = make([]byte, MaxCompose+1) }),
		"far too large":       onApp(func(a *AppOrder) { a.Compose = make([]byte, MaxOrder+1) }),
		"no ID":               onMember(func(m *Member) { m.ID = "" }),
		"no name":             onMember(func(m *Member) { m.Name = "" }),
		"parent without path": onMember(func(m *Member) { m.Path = nil }),
		"path without parent": onMember(func(m *Member) { m.Parent = "" }),
		"strange parent":      onMember(func(m *Member) { m.Parent = "x" }),
		"below itself":        onMember(func(m *Member) { m.Path = []Name{"plant", "press-1"} }),
		"too deep":            onMember(func(m *Member) { m.Path = many(MaxDepth + 1) }),
		"too many groups":     onMember(func(m *Member) { m.Groups = many(MaxGroups + 1) }),
		"bad group":           onMember(func(m *Member) { m.Groups = []Name{"a,b"} }),
		"too many labels":     onMember(func(m *Member) { m.Labels = labels }),
		"bad label":           onMember(func(m *Member) { m.Labels = map[string]string{"a=b": "c"} }),
		"huge label":          onMember(func(m *Member) { m.Labels = map[string]string{"a": strings.Repeat("x", 64)} }),
	} {
		if _, err := OpenOrder(order(t, 1, fill), root); err == nil || KindOf(err) == Unable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SealOrder(Order{}, rootKey); err == nil {
		t.Error("an order about nothing was signed")
	}
}

func TestCertificates(t *testing.T) {
	for _, name := range []Name{"plant", "line-1", "press-1"} {
		want := certOf(name)
		sealed, err := SealCertificate(want, rootKey)
		if err != nil {
			t.Fatal(err)
		}
		for _, factory := range []NodeID{root, ""} {
			got, err := OpenCertificate(sealed, factory)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Issued.Equal(want.Issued) || !got.Expires.Equal(want.Expires) {
				t.Errorf("%s: %v to %v", name, got.Issued, got.Expires)
			}
			got.Issued, got.Expires = want.Issued, want.Expires
			if got != want {
				t.Errorf("%+v became %+v", want, got)
			}
		}
		_, err = OpenCertificate(sealed, idOf("mallory"))
		wantKind(t, err, Refused)
		for i := range sealed {
			if _, err := OpenCertificate(flipped(sealed, i), root); err == nil {
				t.Fatalf("byte %d flipped, and taken", i)
			}
		}
	}
	forged, err := SealCertificate(certOf("press-1"), keyOf("mallory"))
	if err != nil {
		t.Fatal(err)
	}
	for _, factory := range []NodeID{root, ""} {
		_, err = OpenCertificate(forged, factory)
		wantKind(t, err, Refused)
	}
	// A signed document of another sort is none of this one.
	_, err = OpenCertificate(order(t, 1, member("plant")), root)
	wantKind(t, err, Corrupt)
	own, err := SealCertificate(certOf("press-1"), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenOrder(own, root)
	wantKind(t, err, Corrupt)
	_, err = OpenCertificate(make(Sealed, maxSmall+1), root)
	wantKind(t, err, Invalid)
}

func TestWildTimesAreBounded(t *testing.T) {
	for _, n := range []int64{-1 << 63, -1 << 40, 0, 1 << 40, 1<<63 - 1} {
		for _, at := range []time.Time{millis(n), seconds(n)} {
			if _, err := at.MarshalJSON(); err != nil {
				t.Errorf("%d: %v", n, err)
			}
		}
	}
	if !millis(time.Time{}.UnixMilli()).IsZero() {
		t.Error("no time does not stay no time")
	}
}
