package testnet_test

import (
	"strings"
	"testing"

	"pharos/testnet"
)

func TestParseTiers(t *testing.T) {
	for in, want := range map[string]string{
		"1":         "plant-7",
		"1,3":       "plant-7 press-1<plant-7 press-2<plant-7 press-3<plant-7",
		"1,2,4":     "plant-7 line-1<plant-7* line-2<plant-7* press-1<line-1 press-2<line-1 press-3<line-2 press-4<line-2",
		"1, 1, 1,2": "plant-7 line-1<plant-7* station-2-1<line-1* press-1<station-2-1 press-2<station-2-1",
	} {
		specs, err := testnet.ParseTiers(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var got []string
		for _, s := range specs {
			text := string(s.Name)
			if s.Parent != "" {
				text += "<" + string(s.Parent)
			}
			if s.Gateway {
				text += "*"
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q gives %q, want %q", in, strings.Join(got, " "), want)
		}
	}
	for in, why := range map[string]string{
		"": "no number", "1,x": "no number", "2,3": "one root", "1,0": "at least one", "1,500": "200 at most",
		"1,99,101": "200 at most", "1,99999999999999999999": "200 at most", "1,-1": "at least one",
	} {
		if specs, err := testnet.ParseTiers(in); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q gives %v and %v, want an error with %q", in, specs, err, why)
		}
	}
}
