package state

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseSelector(t *testing.T) {
	for in, want := range map[string]string{
		"press-7": "press-7", "group:painting": "group:painting", "tier:line-1": "tier:line-1",
		"label:arch=arm64": "label:arch=arm64", "label:empty=": "label:empty=", "all": "all",
		" a , !b ": "a,!b", "tier:line-1,!press-7": "tier:line-1,!press-7", "all,!group:x,!label:k=v": "all,!group:x,!label:k=v",
		"": "", ",": "", "a,": "", "!": "", "!a": "", "!all": "", "!!a,b": "", "group:": "", "group:all": "", "tier:A": "", "node:a": "",
		"label:arch": "", "label:=x": "", "group:a:b": "", "A": "", "a b": "", "\xff": "",
		strings.Repeat("a,", MaxSelector): "",
	} {
		s, err := ParseSelector(in)
		if (err == nil) != (want != "") || s.String() != want {
			t.Errorf("ParseSelector(%.40q) = %q, %v; want %q", in, s, err, want)
		}
		if err != nil {
			continue
		}
		again, err := ParseSelector(s.String())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%q does not come back from its canonical form: %v, %v", in, again, err)
		}
		var back Selector
		b, err := json.Marshal(s)
		if err != nil || json.Unmarshal(b, &back) != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%q does not come back from JSON: %s, %v", in, b, err)
		}
	}
}

func TestSelectorNames(t *testing.T) {
	press := place("press-1")
	press.Groups, press.Labels = []Name{"painting", "shift-a"}, map[string]string{"arch": "arm64", "empty": ""}
	gone := press
	gone.Removed = true
	line := place("line-1")
	for _, c := range []struct {
		selector string
		of       Member
		want     bool
	}{
		{"press-1", press, true},
		{"press-2", press, false},
		{"press-2,press-1", press, true},
		{"group:painting", press, true},
		{"group:cutting", press, false},
		{"tier:line-1", press, true},
		{"tier:plant", press, true},
		{"tier:line-2", press, false},
		{"tier:line-1", line, false}, // everything below the gateway, not itself
		{"tier:line-1,line-1", line, true},
		{"line-1", press, false},
		{"label:arch=arm64", press, true},
		{"label:arch=amd64", press, false},
		{"label:empty=", press, true},
		{"label:none=", press, false},
		{"all", press, true},
		{"all,!press-1", press, false},
		{"!press-1,all", press, false}, // the order of terms means nothing
		{"press-1,!group:painting", press, false},
		{"all,!tier:line-1", line, true},
		{"all,!label:arch=amd64", press, true},
		{"all", gone, false},
		{"press-1", gone, false},
	} {
		if got := sel(t, c.selector).Names(c.of); got != c.want {
			t.Errorf("%q names %s (removed %v): %v, want %v", c.selector, c.of.Name, c.of.Removed, got, c.want)
		}
	}
	if (Selector{}).Names(press) {
		t.Error("the empty selector names somebody")
	}
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"all", "a,!b", "group:x,tier:y", "label:k=v,!label:k=", " a , b", "!a", "", "group:", "\xff,a", "all,all"} {
		f.Add(s)
	}
	member := place("press-1")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ParseSelector(in)
		if err != nil {
			return
		}
		again, err := ParseSelector(s.String())
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("%q became %q, and that %q, %v", in, s, again, err)
		}
		if len(s.String()) > len(in) {
			t.Errorf("%q grew to %q", in, s)
		}
		s.Names(member)
	})
}
