package state

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"pharos/state/wire"
)

// Every decoder of bytes from outside: none may panic, and what it takes must
// be well-formed. Nobody can sign for the root by chance, so the payloads are
// also given to the readers behind the signature.

func FuzzOpenOrder(f *testing.F) {
	for _, fill := range []func(*Order){app(f, "shop", 1, "all,!press-1"), member("plant"), member("press-1", "a", "b")} {
		sealed := order(f, 5, fill)
		f.Add([]byte(sealed))
		f.Add([]byte(sealed[:len(sealed)/2]))
		o := Order{Factory: root, Issuer: root, Stamp: Stamp{1, 1}, Issued: when}
		fill(&o)
		payload, err := proto.Marshal(orderToWire(o))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	honest := order(f, 5, app(f, "shop", 1, "all,!press-1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := OpenOrder(b, root); err == nil && o.Issuer == root && o.Key() == "app/shop" && !bytes.Equal(b, honest) {
			t.Errorf("taken: %x", b)
		}
		m := &wire.Order{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		o, err := orderFromWire(m)
		if err != nil {
			return
		}
		again, err := orderFromWire(orderToWire(o))
		if err != nil || again.Key() != o.Key() || again.Stamp != o.Stamp {
			t.Errorf("%+v became %+v, %v", o, again, err)
		}
		if _, err := json.Marshal(o); err != nil {
			t.Errorf("it can't be printed: %v", err)
		}
		if o.App != nil {
			o.App.Selector.Names(place("press-1"))
		}
	})
}

func FuzzOpenCertificate(f *testing.F) {
	for _, name := range []Name{"plant", "press-1"} {
		sealed, err := SealCertificate(certOf(name), rootKey)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(sealed))
		payload, err := proto.Marshal(certificateToWire(certOf(name)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = OpenCertificate(b, root)
		_, _ = OpenCertificate(b, "")
		m := &wire.Certificate{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		c, err := certificateFromWire(m)
		if err != nil {
			return
		}
		if again, err := certificateFromWire(certificateToWire(c)); err != nil || again.ID != c.ID || again.Role() != c.Role() {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzParseJoinToken(f *testing.F) {
	tok, _ := token(f, "/ip4/10.0.0.1/tcp/4777")
	f.Add(tok.String())
	f.Add(tok.String()[:40])
	f.Add(tokenPrefix)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseJoinToken(s)
		if err != nil {
			return
		}
		if again, err := ParseJoinToken(got.String()); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q: %+v became %+v, %v", s, got, again, err)
		}
		if _, err := got.Request(keyOf("press-1")); err != nil {
			t.Errorf("%q can't be used: %v", s, err)
		}
	})
}

func FuzzOpenJoinRequest(f *testing.F) {
	tok, _ := token(f)
	request, err := tok.Request(keyOf("press-1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(request))
	f.Add([]byte(request[:len(request)-3]))
	m := joinRequestOf(f, request)
	f.Add(m.GetProof())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = OpenJoinRequest(b, root)
		// Behind the asking node's own signature anything may stand.
		around, err := seal(joinRequestDocument(&wire.JoinRequest{TokenKey: m.GetTokenKey(), Proof: b}), keyOf("press-1"))
		if err != nil {
			return
		}
		if _, _, err := OpenJoinRequest(around, root); err == nil && !bytes.Equal(b, m.GetProof()) {
			t.Errorf("a made-up proof was taken: %x", b)
		}
	})
}

func FuzzStatusFromWire(f *testing.F) {
	b, err := proto.Marshal(StatusToWire(status()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &wire.NodeStatus{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		s, err := StatusFromWire(m)
		if err != nil {
			return
		}
		out, err := proto.Marshal(StatusToWire(s))
		if err != nil {
			t.Fatalf("what came in can't go out: %v", err)
		}
		if err := proto.Unmarshal(out, m); err != nil {
			t.Fatal(err)
		}
		again, err := StatusFromWire(m)
		if err != nil || !reflect.DeepEqual(again.Report.Apps, s.Report.Apps) {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Errorf("it can't be printed: %v", err)
		}
	})
}
