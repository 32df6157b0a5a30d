package main

import (
	"fmt"
	"strings"

	"pharos/state"
)

// fold is what is planned alike on some nodes.
type fold struct {
	nodes   []state.Name
	actions []string
	note    string
}

// foldPlans puts together the nodes of which the same is planned. Where plans
// differ only in the node's own name, "<node>" stands for it.
func foldPlans(plans []state.Plan) []*fold {
	var folds []*fold
	at := map[string]*fold{}
	for _, p := range plans {
		var exact, general []string
		for _, a := range p.Actions {
			exact = append(exact, a.String())
			general = append(general, strings.ReplaceAll(a.String(), string(p.Node), "<node>"))
		}
		note := strings.ReplaceAll(p.Note, string(p.Node), "<node>")
		key := strings.Join(append(general, "\x00", note), "\n")
		f := at[key]
		if f == nil {
			f = &fold{actions: exact, note: p.Note}
			at[key] = f
			folds = append(folds, f)
		} else if strings.Join(f.actions, "\n") != strings.Join(exact, "\n") || f.note != p.Note {
			f.actions, f.note = general, note
		}
		f.nodes = append(f.nodes, p.Node)
	}
	return folds
}

// changes says whether any node would change, and how many.
func changes(plans []state.Plan) (nodes int) {
	for _, p := range plans {
		if len(p.Actions) > 0 {
			nodes++
		}
	}
	return nodes
}

// planText is the plan for people.
func planText(plans []state.Plan, app state.Name) string {
	var b strings.Builder
	changing := changes(plans)
	if changing == 0 {
		fmt.Fprintf(&b, "nothing would change: %s is as the file says on %s\n", app, many(len(plans), "node"))
	} else {
		fmt.Fprintf(&b, "plan for %s: %s of %s would change\n", app, fmt.Sprint(changing), many(len(plans), "node"))
	}
	for _, f := range foldPlans(plans) {
		if len(f.actions) == 0 && f.note == "" && changing == 0 {
			continue
		}
		head := string(f.nodes[0])
		if len(f.nodes) > 1 {
			head = fmt.Sprintf("%s (%s)", many(len(f.nodes), "node"), list(f.nodes, 10))
		}
		if f.note != "" {
			head += " [" + f.note + "]"
		}
		if len(f.actions) == 0 {
			fmt.Fprintf(&b, "  %s: no change\n", clean(head))
			continue
		}
		fmt.Fprintf(&b, "  %s:\n", clean(head))
		for _, a := range f.actions {
			fmt.Fprintf(&b, "    %s\n", clean(a))
		}
	}
	return b.String()
}
