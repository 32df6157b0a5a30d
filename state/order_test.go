package state

import (
	"math"
	"testing"
)

func TestStamps(t *testing.T) {
	rising := []Stamp{{}, {1, 0}, {1, 1}, {1, 2}, {1, math.MaxUint64}, {2, 0}, {2, 1}, {math.MaxUint64, 1}}
	for i, a := range rising {
		for j, b := range rising {
			if got := a.Compare(b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s compared with %s is %d", a, b, got)
			}
			if a.Before(b) != (i < j) {
				t.Errorf("%s before %s: %v", a, b, a.Before(b))
			}
		}
		if StampFromWire(StampToWire(a)) != a {
			t.Errorf("%s does not survive the wire", a)
		}
	}
	for from, want := range map[Stamp]string{{}: "1.1", {1, 1}: "1.2", {3, 41}: "3.42"} {
		if got := from.Next().String(); got != want {
			t.Errorf("after %s comes %s, want %s", from, got, want)
		}
	}
	if StampFromWire(nil) != (Stamp{}) {
		t.Error("a missing stamp is not zero")
	}
}

func TestWants(t *testing.T) {
	for want, ok := range map[Want]bool{Run: true, Stopped: true, Gone: true, "": false, "restart": false} {
		if want.Valid() != ok {
			t.Errorf("%q valid: %v", want, want.Valid())
		}
	}
}

func TestRoles(t *testing.T) {
	for name, want := range map[Name]Role{"plant": RoleRoot, "line-1": RoleGateway, "press-1": RoleCell} {
		if got := place(name).Role(); got != want || certOf(name).Role() != want {
			t.Errorf("%s is a %s, want %s", name, got, want)
		}
	}
	m := place("press-1")
	m.Groups, m.Labels = []Name{"a"}, map[string]string{"k": "v"}
	c := m.Clone()
	c.Path[0], c.Groups[0], c.Labels["k"] = "x", "x", "x"
	if m.Path[0] != "plant" || m.Groups[0] != "a" || m.Labels["k"] != "v" {
		t.Errorf("a change of the clone reached the member: %v", m)
	}
}
