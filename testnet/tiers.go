package testnet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"pharos/state"
)

// Tiers makes the nodes of a factory by the numbers in each row: Tiers(1, 2, 4)
// is the root plant-7, the gateways line-1 and line-2, and the cells press-1 to
// press-4, two below each gateway. Rows between are gateways too.
func Tiers(rows ...int) []Spec {
	var out, above []Spec
	for depth, count := range rows {
		var row []Spec
		for i := range count {
			s := Spec{Name: nameOf(depth, len(rows), i)}
			if depth > 0 {
				s.Parent = above[i*len(above)/count].Name
				s.Gateway = depth < len(rows)-1
			}
			row = append(row, s)
		}
		out, above = append(out, row...), row
	}
	return out
}

func nameOf(depth, depths, i int) state.Name {
	switch {
	case depth == 0:
		return "plant-7"
	case depth == depths-1:
		return state.Name(fmt.Sprintf("press-%d", i+1))
	case depth == 1:
		return state.Name(fmt.Sprintf("line-%d", i+1))
	}
	return state.Name(fmt.Sprintf("station-%d-%d", depth, i+1))
}

// most is how many nodes, each a process, one machine is asked to carry.
const most = 200

// ParseTiers reads "1,2,4".
func ParseTiers(s string) ([]Spec, error) {
	bad := func(why string) ([]Spec, error) {
		return nil, fmt.Errorf("reading the tiers %q: %s; write them like 1,2,4: one root, two gateways, four cells", s, why)
	}
	var rows []int
	total := 0
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		switch {
		case errors.Is(err, strconv.ErrRange), n > most:
			return bad(fmt.Sprintf("each node is a process, and one machine gets %d at most", most))
		case err != nil:
			return bad(fmt.Sprintf("%q is no number", part))
		case n < 1:
			return bad("a row needs at least one node")
		case len(rows) == 0 && n != 1:
			return bad("a factory has one root")
		}
		rows = append(rows, n)
		total += n
	}
	if total > most {
		return bad(fmt.Sprintf("each node is a process, and one machine gets %d at most", most))
	}
	return Tiers(rows...), nil
}
